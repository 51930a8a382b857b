import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run, say, stop } from './project.mjs'

/**
 * What is not an npm package: what needs it, and the Debian package that has it. A program is looked for by its
 * command; a library, which has none, by a path.
 */
const tools = [
  { command: 'ssh', package: 'openssh-client', for: ['start', 'demo', 'test'] },
  { command: 'ssh-keygen', package: 'openssh-client', for: ['start', 'demo', 'test'] },
  { command: 'rsync', package: 'rsync', for: ['start', 'demo', 'test'] },
  { command: 'sshd', package: 'openssh-server', for: ['demo', 'test'] },
  { command: 'ps', package: 'procps', for: ['demo', 'test'] },
  { command: 'git', package: 'git', for: ['test'] },
  { command: 'faketime', package: 'faketime', for: ['test'] },
  { command: 'chromium', package: 'chromium', for: ['test'] },
  { command: 'kubectl', package: 'kubernetes-client', for: ['test'] },
  { command: 'go', package: 'golang-go', for: ['test'] },
  {
    path: '/usr/share/gocode/src/github.com/smallstep/certificates',
    package: 'golang-github-smallstep-certificates-dev',
    for: ['test'],
  },
  { command: 'python3', package: 'python3', for: ['compile'] },
  { command: 'make', package: 'make', for: ['compile'] },
  { command: 'g++', package: 'g++', for: ['compile'] },
]

export const purposes = ['start', 'demo', 'test', 'compile']

/** The tools of `purpose` that this machine lacks. */
export function missingTools(purpose) {
  return tools.filter((tool) => tool.for.includes(purpose) && !isThere(tool))
}

function isThere(tool) {
  return tool.path === undefined ? isOnPath(tool.command) : existsSync(tool.path)
}

function isOnPath(command) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']
  return folders.some((folder) => folder !== '' && existsSync(join(folder, command)))
}

/**
 * Installs what is missing through apt when this is root on Debian; otherwise only says which command to run, and ends
 * the script if `required`.
 */
export function provideTools(missing, { required }) {
  if (missing.length === 0) return
  const packages = [...new Set(missing.map((tool) => tool.package))]
  if (process.getuid?.() === 0 && isOnPath('apt-get')) return aptInstall(packages, required)
  const names = missing.map((tool) => tool.command ?? tool.package).join(', ')
  const advice = `Missing: ${names}. On Debian or Ubuntu run: sudo apt-get install ${packages.join(' ')}`
  return required ? stop(advice) : say(advice)
}

/** All in one go; when that fails one by one, so that a package another release lacks does not keep out the rest. */
function aptInstall(packages, required) {
  say(`Installing ${packages.join(', ')} through apt …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const update = run('apt-get', ['update', '-qq'], { capture: true, env })
  const install = (names) =>
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { capture: true, env })
  const failures = withoutStartingServices(() => {
    if (install(packages).status === 0) return []
    return packages.map((name) => ({ name, ...install([name]) })).filter(({ status }) => status !== 0)
  })
  if (failures.length === 0) return undefined
  const reason = `${update.output}${failures.map(({ output }) => output).join('')}`.split('\n').slice(-15).join('\n')
  const advice = `${reason}\napt-get install ${failures.map(({ name }) => name).join(' ')} failed.`
  return required ? stop(advice) : say(advice)
}

/** openssh-server would open port 22; only its program is wanted here. */
function withoutStartingServices(install) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return install()
  const hadServer = existsSync('/usr/sbin/sshd')
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(policy, { force: true })
    if (!hadServer && existsSync('/run/systemd/system')) {
      run('systemctl', ['disable', '--quiet', 'ssh.service', 'ssh.socket'], { capture: true, env: process.env })
    }
  }
}
