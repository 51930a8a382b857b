import { randomBytes } from 'node:crypto'
import { type RsyncLine, RsyncOutput } from '../../core/parse/rsync.ts'
import { type RsyncTransfer, rsyncArguments } from '../../core/transfer/rsyncArguments.ts'
import { exec } from '../../platform/exec.ts'

export interface RsyncRequest {
  readonly transfer: RsyncTransfer
  readonly signal?: AbortSignal
  /** Names for `onlyNamed`, each ended by NUL. */
  readonly names?: Uint8Array
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

/** Nothing of the operator's rsync settings (`RSYNC_*`, locale) reaches the program: our parsers know one language. */
const environment = { LC_ALL: 'C', LANG: 'C' }

/**
 * Runs rsync to its end; every exit code is a result.
 * @throws PROGRAM_MISSING when it is not installed here, CANCELED when `signal` cut it (its process group is gone then).
 */
export async function runRsync({
  transfer,
  signal,
  names,
  onArguments,
  onLine,
  onOutput,
}: RsyncRequest): Promise<RsyncResult> {
  const mark = `${randomBytes(16).toString('hex')} `
  const args = rsyncArguments(transfer, mark)
  onArguments?.(args)
  const output = new RsyncOutput(mark, (line, raw) => {
    onLine(line)
    if (line.kind !== 'progress') onOutput?.(`${raw}\n`)
  })
  const result = await exec({
    command: 'rsync',
    args,
    env: environment,
    okExitCodes: 'any',
    maxOutputBytes: keptStderrBytes,
    onStdout: (chunk) => output.push(chunk),
    onStderr: (chunk) => onOutput?.(chunk.toString('utf8')),
    ...(names === undefined ? {} : { stdin: names }),
    ...(signal === undefined ? {} : { signal }),
  })
  output.end()
  return { exitCode: result.exitCode, stderr: result.stderr }
}
