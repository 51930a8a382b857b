import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { homePaths, prepareHome, resolveHomeDirectory, socketPathLimitBytes } from './paths.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-home-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

it('keeps everything under the home', () => {
  const { home, ...rest } = homePaths(join(directory, 'home'))
  for (const path of Object.values(rest)) expect(path.startsWith(`${home}/`)).toBe(true)
})

it('prefers --home over LOCKSTEP_HOME over the system`s place', () => {
  expect(resolveHomeDirectory('relative', { LOCKSTEP_HOME: '/e' })).toBe(resolve('relative'))
  expect(resolveHomeDirectory(undefined, { LOCKSTEP_HOME: '/e' })).toBe('/e')
  expect(resolveHomeDirectory('', { LOCKSTEP_HOME: '' })).toMatch(/lockstep$/)
})

it('makes private directories, narrows widened ones, and leaves no probe', async () => {
  const paths = homePaths(join(directory, 'home'))
  await prepareHome(paths)
  chmodSync(paths.keysDirectory, 0o755)
  await prepareHome(paths)
  for (const path of [paths.home, paths.keysDirectory, paths.runDirectory, paths.sshDirectory, paths.logsDirectory]) {
    expect(statSync(path).mode & 0o777).toBe(0o700)
  }
  expect(readdirSync(paths.home).sort()).toEqual(['backups', 'data', 'demo', 'keys', 'repositories', 'run'])
})

it('refuses a path whose sockets could not be bound, before it creates anything', async () => {
  const fitting = homePaths(join(directory, 'x'.repeat(socketPathLimitBytes)))
  const excessBytes = Buffer.byteLength(fitting.engineSocket) + 1 - socketPathLimitBytes
  const longest = homePaths(fitting.home.slice(0, -excessBytes))
  expect(Buffer.byteLength(longest.engineSocket)).toBe(socketPathLimitBytes - 1)
  await prepareHome(longest)
  const tooLong = homePaths(`${longest.home}x`)
  await expect(prepareHome(tooLong)).rejects.toMatchObject({
    code: 'HOME_PATH_TOO_LONG',
    data: { lengthBytes: socketPathLimitBytes + 1, limitBytes: socketPathLimitBytes },
  })
  expect(existsSync(tooLong.home)).toBe(false)
})

it('says when the home is a file', async () => {
  writeFileSync(join(directory, 'home'), '')
  await expect(prepareHome(homePaths(join(directory, 'home')))).rejects.toMatchObject({ code: 'HOME_NOT_WRITABLE' })
})

it('says when the home is on a read-only file system', async (context) => {
  const mount = join(directory, 'mount')
  mkdirSync(mount)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount], { stdio: 'ignore' })
  } catch {
    context.skip('mounting a tmpfs needs root')
  }
  try {
    const paths = homePaths(join(mount, 'home'))
    await prepareHome(paths)
    execFileSync('mount', ['-o', 'remount,ro', mount])
    await expect(prepareHome(paths)).rejects.toMatchObject({ code: 'HOME_NOT_WRITABLE' })
  } finally {
    execFileSync('umount', [mount])
  }
})
