import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecretScanner } from '../engine/repositories/scan/index.ts'
import type { Finding, RepositoryInput } from '../shared/model/repository.ts'

export interface DirectoryScan {
  readonly findings: readonly Pick<Finding, 'rule' | 'file' | 'line' | 'message'>[]
  readonly filesScanned: number
  readonly tool: string
}

/**
 * Searches a directory of this machine as a repository is searched before a sync, without any engine: for hooks of a git
 * server and for CI (S2.34). Nothing is allowed there, so every finding counts.
 *
 * @throws AppError as `SecretScanner`
 */
export async function scanDirectory(
  directory: string,
  settings: RepositoryInput['scan'],
  signal?: AbortSignal,
): Promise<DirectoryScan> {
  const privateDirectory = await mkdtemp(join(tmpdir(), 'lockstep-scan-'))
  try {
    const scanner = createSecretScanner({ privateDirectory })
    // Hashes of one search mean nothing to another one, so that they tell nobody anything.
    const request = {
      directory,
      files: null,
      settings,
      salt: randomUUID(),
      ...(signal === undefined ? {} : { signal }),
    }
    const { findings, filesScanned, tool } = await scanner.scan(request)
    return { findings: findings.map(({ hash: _, ...finding }) => finding), filesScanned, tool }
  } finally {
    await rm(privateDirectory, { recursive: true, force: true })
  }
}
