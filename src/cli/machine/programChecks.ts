import { findSshd } from '../../demo/programs.ts'
import { exec } from '../../platform/exec.ts'
import { toAppError } from '../../shared/errors.ts'
import type { CheckResult } from './homeChecks.ts'

const timeoutMs = 10_000

const missing = (detail: string, status: 'failed' | 'warning'): CheckResult => ({
  status,
  code: 'PROGRAM_MISSING',
  detail,
})

/** `main.ts` lets no older one come here. */
export async function nodeCheck(): Promise<CheckResult> {
  return { status: 'ok', detail: `Node ${process.versions.node}` }
}

/** @returns the first line of what the program says about itself; null when there is no such program */
async function firstLine(command: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await exec({ command, args, timeoutMs, okExitCodes: 'any' })
    return `${stdout}${stderr}`.split('\n')[0]?.trim() ?? ''
  } catch (thrown) {
    if (toAppError(thrown).code === 'PROGRAM_MISSING') return null
    throw thrown
  }
}

export async function sshCheck(): Promise<CheckResult> {
  const version = await firstLine('ssh', ['-V'])
  if (version === null)
    return missing(
      'ssh is not installed, so nothing can be pushed. Install it: apt-get install openssh-client',
      'failed',
    )
  return { status: 'ok', detail: version }
}

export async function rsyncCheck(): Promise<CheckResult> {
  const version = await firstLine('rsync', ['--version'])
  if (version === null)
    return missing('rsync is not installed, so nothing can be pushed. Install it: apt-get install rsync', 'failed')
  return { status: 'ok', detail: version }
}

export async function sshdCheck(): Promise<CheckResult> {
  try {
    return { status: 'ok', detail: `${await findSshd()} (for the demo fleet)` }
  } catch (thrown) {
    return missing(toAppError(thrown).message, 'warning')
  }
}
