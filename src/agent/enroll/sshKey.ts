import { chmod, readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { exec } from '../../platform/exec.ts'
import { hasErrorCode } from '../../platform/fileErrors.ts'
import { ed25519KeyType, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import type { AgentLayout } from '../layout.ts'

/**
 * Makes the long-lived key unless there is one (S0.27, S0.31), and closes it to others.
 * @returns the public key line (S0.32)
 * @throws AppError PROGRAM_MISSING, PROGRAM_FAILED, INVALID_INPUT for a key of another type
 */
export async function ensureSshKey(layout: AgentLayout): Promise<string> {
  if (!(await exists(layout.key))) {
    const comment = `lockstep-agent@${hostname()}`
    await exec({
      command: 'ssh-keygen',
      args: ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', layout.key],
      timeoutMs: 20_000,
    })
  }
  await chmod(layout.key, 0o600)
  return readSshPublicKey(layout)
}

/** @throws AppError PRECONDITION_FAILED without a key, INVALID_INPUT for one of another type */
export async function readSshPublicKey(layout: AgentLayout): Promise<string> {
  const line = await readFile(layout.publicKey, 'utf8').catch(() => null)
  if (line === null) {
    throw new AppError(
      'PRECONDITION_FAILED',
      `${layout.publicKey} is missing. Enroll this machine (lockstep-agent enroll).`,
    )
  }
  if (keyTypeIn(line) === ed25519KeyType) return line.trim()
  throw new AppError(
    'INVALID_INPUT',
    `${layout.publicKey} is not an Ed25519 public key. Move it away and enroll again.`,
  )
}

function keyTypeIn(line: string): string | null {
  try {
    return parsePublicKeyLine(line).keyType
  } catch {
    return null
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return false
    throw error
  }
}
