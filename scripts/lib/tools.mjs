import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run, say, stop } from './project.mjs'

/** Programs that are not npm packages: what needs them, and the Debian package that has them. */
const tools = [
  { command: 'ssh', package: 'openssh-client', for: ['start', 'demo', 'test'] },
  { command: 'ssh-keygen', package: 'openssh-client', for: ['start', 'demo', 'test'] },
  { command: 'rsync', package: 'rsync', for: ['start', 'demo', 'test'] },
  { command: 'sshd', package: 'openssh-server', for: ['demo', 'test'] },
  { command: 'ps', package: 'procps', for: ['demo', 'test'] },
  { command: 'git', package: 'git', for: ['test'] },
  { command: 'faketime', package: 'faketime', for: ['test'] },
  { command: 'chromium', package: 'chromium', for: ['test'] },
  { command: 'python3', package: 'python3', for: ['compile'] },
  { command: 'make', package: 'make', for: ['compile'] },
  { command: 'g++', package: 'g++', for: ['compile'] },
]

export const purposes = ['start', 'demo', 'test', 'compile']

/** The tools of `purpose` that this machine lacks. */
export function missingTools(purpose) {
  return tools.filter((tool) => tool.for.includes(purpose) && !isOnPath(tool.command))
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
  const commands = missing.map((tool) => tool.command).join(', ')
  const advice = `Missing: ${commands}. On Debian or Ubuntu run: sudo apt-get install ${packages.join(' ')}`
  return required ? stop(advice) : say(advice)
}

function aptInstall(packages, required) {
  say(`Installing ${packages.join(', ')} through apt …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const update = run('apt-get', ['update', '-qq'], { capture: true, env })
  const install = withoutStartingServices(() =>
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { capture: true, env }),
  )
  if (install.status === 0) return undefined
  const reason = `${update.output}${install.output}`.split('\n').slice(-15).join('\n')
  const advice = `${reason}\napt-get install ${packages.join(' ')} failed.`
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
