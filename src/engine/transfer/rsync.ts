import { type RsyncLine, RsyncOutput } from '../../core/parse/rsync.ts'
import { exec } from '../../platform/exec.ts'

export interface RsyncRequest {
  readonly args: readonly string[]
  readonly signal?: AbortSignal
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
export async function runRsync({ args, signal, onLine, onOutput }: RsyncRequest): Promise<RsyncResult> {
  const output = new RsyncOutput((line, raw) => {
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
    ...(signal === undefined ? {} : { signal }),
  })
  output.end()
  return { exitCode: result.exitCode, stderr: result.stderr }
}
