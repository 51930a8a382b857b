import { access, constants } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { exec } from '../platform/exec.ts'
import { AppError } from '../shared/errors.ts'

const systemDirectories = ['/usr/sbin', '/usr/local/sbin', '/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/sbin']

async function findProgram(name: string): Promise<string | null> {
  const directories = [...systemDirectories, ...(process.env.PATH ?? '').split(delimiter)]
  for (const directory of directories.filter((each) => each.startsWith('/'))) {
    const path = join(directory, name)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return null
}

/** sshd insists on being started by its absolute path. */
export async function findSshd(): Promise<string> {
  const path = await findProgram('sshd')
  if (path !== null) return path
  throw new AppError('PROGRAM_MISSING', 'The demo fleet needs sshd. Install it: apt-get install openssh-server', {
    data: { program: 'sshd' },
  })
}

/** @returns e.g. 9.2; 0 when it cannot be told */
export async function readSshVersion(): Promise<number> {
  const result = await exec({ command: 'ssh', args: ['-V'], timeoutMs: 10_000, okExitCodes: 'any' }).catch(() => null)
  const match = /OpenSSH_(\d+\.\d+)/.exec(result?.stderr ?? '')
  return match === null ? 0 : Number(match[1])
}

/**
 * How far ahead the clock of an `expired` node runs: longer than any certificate of ours lives (16 h), and less than the
 * day by which the doctor tries, so that it finds the clock and not something else.
 */
const clockAhead = '+20h'

/** @returns the environment that makes a program see a clock 20 hours ahead. */
export async function fakeClockEnvironment(): Promise<Record<string, string>> {
  const faketime = await findProgram('faketime')
  const printenv = await exec({
    command: faketime ?? 'faketime',
    args: ['-f', clockAhead, 'printenv', 'LD_PRELOAD'],
    timeoutMs: 10_000,
  }).catch(() => null)
  const library = printenv?.stdout.trim() ?? ''
  if (library === '') {
    throw new AppError(
      'PROGRAM_MISSING',
      'A clock that runs ahead needs faketime. Install it: apt-get install faketime',
      { data: { program: 'faketime' } },
    )
  }
  return { LD_PRELOAD: library, FAKETIME: clockAhead, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' }
}

/** The operating system's user that nodes are logged in to: the one who runs this process. */
export function loginUser(): string {
  const { username, shell } = userInfo()
  if (shell === null || !/^(nologin|false)$/.test(basename(shell))) return username
  throw new AppError(
    'PRECONDITION_FAILED',
    `The demo fleet logs in as ${username}, whose shell is ${shell}. Run it as a user with a login shell.`,
  )
}
