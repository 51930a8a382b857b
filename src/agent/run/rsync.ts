import { randomBytes } from 'node:crypto'
import { type ListedEntry, parseListLine, type RsyncLine, RsyncOutput } from '../../core/parse/rsync.ts'
import { listArguments, type RsyncTransfer, rsyncArguments } from '../../core/transfer/rsyncArguments.ts'
import { exec } from '../../platform/exec.ts'
import { AppError } from '../../shared/errors.ts'
import { orphanMark } from './orphans.ts'

export interface RsyncRequest {
  readonly transfer: RsyncTransfer
  readonly lockFile: string
  readonly signal: AbortSignal
  readonly onArguments?: (args: readonly string[]) => void
  readonly onLine: (line: RsyncLine) => void
  /** Output as it comes, progress figures left out. */
  readonly onOutput?: (text: string) => void
}

export interface RsyncResult {
  readonly exitCode: number
  readonly stderr: string
}

const keptStderrBytes = 256 * 1024
const environment = { LC_ALL: 'C', LANG: 'C' }

/** Runs rsync to its end; every exit code is a result. @throws PROGRAM_MISSING, CANCELED */
export async function runRsync(request: RsyncRequest): Promise<RsyncResult> {
  const mark = `${randomBytes(16).toString('hex')} `
  const args = rsyncArguments(request.transfer, mark)
  request.onArguments?.(args)
  const output = new RsyncOutput(mark, (line, raw) => {
    request.onLine(line)
    if (line.kind !== 'progress') request.onOutput?.(`${raw}\n`)
  })
  const result = await exec({
    command: 'rsync',
    args,
    env: { ...environment, ...orphanMark(request.lockFile) },
    okExitCodes: 'any',
    maxOutputBytes: keptStderrBytes,
    onStdout: (chunk) => output.push(chunk),
    onStderr: (chunk) => request.onOutput?.(chunk.toString('utf8')),
    signal: request.signal,
  })
  output.end()
  return { exitCode: result.exitCode, stderr: result.stderr }
}

/** Files and links of a local tree that a transfer with these excludes means, by asking rsync. */
export interface LocalTree {
  readonly files: number
  readonly bytes: number
}

/** @throws AppError SOURCE_MISSING when the directory cannot be listed completely */
export async function listLocalTree(
  directory: string,
  excludes: readonly string[],
  signal: AbortSignal,
): Promise<LocalTree> {
  let files = 0
  let bytes = 0
  let rest = ''
  const take = (entry: ListedEntry | null): void => {
    if (entry === null || entry.type === 'directory') return
    files += 1
    bytes += entry.type === 'file' ? entry.sizeBytes : 0
  }
  const result = await exec({
    command: 'rsync',
    args: listArguments(directory, excludes),
    env: environment,
    okExitCodes: 'any',
    maxOutputBytes: keptStderrBytes,
    signal,
    onStdout: (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) take(parseListLine(line))
    },
  })
  take(parseListLine(rest))
  if (result.exitCode === 0) return { files, bytes }
  const evidence = result.stderr.split('\n').filter((line) => line.trim() !== '')
  throw new AppError('SOURCE_MISSING', `${directory} cannot be read completely.`, { data: { evidence } })
}
