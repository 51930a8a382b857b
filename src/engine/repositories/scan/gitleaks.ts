import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { z } from 'zod'
import { exec } from '../../../platform/exec.ts'
import { AppError, toAppError } from '../../../shared/errors.ts'
import type { ScanOutcome } from '../../ports.ts'
import type { CopiedNames } from './protocol.ts'
import { findingHash } from './searchTree.ts'

/** What this program is asked to end with when it found something: 1 is what it ends with when it fails. */
const foundExitCode = 100
const timeLimitMs = 15 * 60_000
const answerTimeLimitMs = 30_000

/** More than anybody can look at; read in this thread, so it has a bound. */
const longestReportBytes = 16 * 1024 * 1024

/** What of its report is read. `Secret`, `Match` and `Line` are not. */
const Report = z
  .array(
    z.object({
      RuleID: z.string().max(200),
      Description: z.string().max(500).default(''),
      File: z.string(),
      StartLine: z.int(),
      EndLine: z.int(),
    }),
  )
  .nullable()

export interface GitleaksRequest {
  /** A copy of the tree in which nothing tells it to look away. */
  readonly copy: string
  readonly copiedAs: CopiedNames
  /** Existing, ours alone; the report lies there. */
  readonly privateDirectory: string
  readonly configPath: string | null
  readonly salt: string
  readonly signal?: AbortSignal | undefined
}

/**
 * The program and its configuration, each with what tells one state of them from another.
 *
 * @throws AppError PROGRAM_MISSING, SCAN_FAILED (no such configuration)
 */
export async function describeGitleaks(configPath: string | null, signal?: AbortSignal): Promise<string> {
  const { stdout } = await ask(['version'], signal)
  const version = /v?(\d+\.\d+\.\d+[\w.-]{0,40})/.exec(stdout)?.[1] ?? 'of unknown version'
  return configPath === null ? `gitleaks ${version}` : `gitleaks ${version}, rules ${await digestOf(configPath)}`
}

async function digestOf(configPath: string): Promise<string> {
  try {
    const digest = createHash('sha256').update(await readFile(configPath))
    return digest.digest('hex').slice(0, 12)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw failed(`its configuration ${configPath} cannot be read (${code ?? 'unknown reason'})`)
  }
}

/**
 * Has gitleaks search a copy of a tree. Where it found something is all that is taken over; the hash is made of the lines it
 * names, since it is told to keep the values for itself.
 *
 * @throws AppError PROGRAM_MISSING, SCAN_FAILED, CANCELED
 */
export async function searchWithGitleaks(request: GitleaksRequest): Promise<ScanOutcome['findings']> {
  const reportFile = join(request.privateDirectory, 'report.json')
  const args = await argumentsFor(request, reportFile)
  const exitCode = await runProgram(args, request)
  const report = Report.safeParse(await jsonIn(reportFile))
  if (!report.success) throw failed('its report is not one that is understood here')
  const found = report.data ?? []
  if (exitCode === foundExitCode && found.length === 0) throw failed('it found secrets, and its report names none')
  return findingsOf(found, request)
}

/** Both generations: since 8.19 it has `dir`, before that `detect --no-git`. What it can do is asked, since builds may not know their version. */
async function argumentsFor(request: GitleaksRequest, reportFile: string): Promise<string[]> {
  const root = (await ask(['--help'], request.signal)).stdout
  const hasDirectory = /^\s{1,8}(?:dir|directory)\s/m.test(root)
  const help = hasDirectory ? root : root + (await ask(['detect', '--help'], request.signal)).stdout
  return [
    ...(hasDirectory ? ['dir', '.'] : ['detect', '--no-git', '--source', '.']),
    '--no-banner',
    '--redact',
    '--log-level=error',
    '--report-format=json',
    `--report-path=${reportFile}`,
    `--exit-code=${foundExitCode}`,
    ...(help.includes('--ignore-gitleaks-allow') ? ['--ignore-gitleaks-allow'] : []),
    // Where nothing lies: the default is the current directory, which is the copy.
    ...(help.includes('--gitleaks-ignore-path') ? [`--gitleaks-ignore-path=${request.privateDirectory}`] : []),
    ...(request.configPath === null ? [] : [`--config=${request.configPath}`]),
  ]
}

async function runProgram(args: readonly string[], { copy, signal, configPath }: GitleaksRequest): Promise<number> {
  try {
    const { exitCode } = await exec({
      command: 'gitleaks',
      args,
      cwd: copy,
      timeoutMs: timeLimitMs,
      okExitCodes: [0, foundExitCode],
      ...(signal === undefined ? {} : { signal }),
    })
    return exitCode
  } catch (thrown) {
    const error = toAppError(thrown)
    if (error.code === 'CANCELED') throw error
    if (error.code === 'TIMED_OUT') throw failed(`it did not end within ${timeLimitMs / 60_000} minutes`)
    const config = configPath === null ? '' : `; check its configuration ${configPath}`
    throw failed(`it ended with exit code ${String(error.data?.exitCode ?? 'unknown')}${config}`)
  }
}

async function ask(args: readonly string[], signal: AbortSignal | undefined): Promise<{ stdout: string }> {
  try {
    const options = signal === undefined ? {} : { signal }
    return await exec({ command: 'gitleaks', args, timeoutMs: answerTimeLimitMs, okExitCodes: 'any', ...options })
  } catch (thrown) {
    const error = toAppError(thrown)
    if (error.code === 'CANCELED') throw error
    if (error.code !== 'PROGRAM_MISSING') throw failed('it does not answer')
    const message =
      'gitleaks is not in PATH on the machine of the engine. Install it (https://github.com/gitleaks/gitleaks), or choose "builtin" as the scanner of this repository.'
    throw new AppError('PROGRAM_MISSING', message, { data: { command: 'gitleaks' } })
  }
}

/** Its own words are left out, here and in the cause: they may quote what it read. */
function failed(reason: string): AppError {
  const advice = 'Nothing was sent. Choose "builtin" as the scanner of this repository, or repair gitleaks.'
  return new AppError('SCAN_FAILED', `gitleaks could not search for secrets: ${reason}. ${advice}`, {
    data: { file: null, reason },
  })
}

async function jsonIn(file: string): Promise<unknown> {
  const text = await readBounded(file)
  if (text === null) throw failed('it wrote no report, or one that is too long')
  try {
    return JSON.parse(text)
  } catch {
    throw failed('its report is no JSON')
  }
}

async function readBounded(file: string): Promise<string | null> {
  try {
    return (await stat(file)).size > longestReportBytes ? null : await readFile(file, 'utf8')
  } catch {
    return null
  }
}

async function findingsOf(
  found: NonNullable<z.infer<typeof Report>>,
  { copy, copiedAs, salt }: GitleaksRequest,
): Promise<ScanOutcome['findings']> {
  const findings = new Map<string, ScanOutcome['findings'][number]>()
  let name: string | null = null
  let lines: readonly string[] = []
  for (const { RuleID, Description, File, StartLine, EndLine } of found) {
    const copied = isAbsolute(File) ? relative(copy, File) : File.replace(/^\.\//, '')
    if (copied !== name) lines = await linesOf(copy, copied)
    name = copied
    const file = copiedAs[copied] ?? copied
    const line = Math.max(1, Math.min(StartLine, lines.length))
    const value = textAt(lines, line, EndLine)
    const rule = `gitleaks/${RuleID}`
    const hash = findingHash({ salt, rule, file, value })
    const words = Description === '' ? RuleID : Description
    findings.set(`${hash} ${line}`, { hash, rule, file, line, message: `gitleaks: ${words}` })
  }
  return [...findings.values()]
}

async function linesOf(copy: string, file: string): Promise<string[]> {
  const isInside = file !== '' && !isAbsolute(file) && !file.split(/[/\\]/).includes('..')
  const text = isInside ? await readBounded(join(copy, file)) : null
  if (text === null) throw failed('it names a file that it was not given')
  return text.split('\n')
}

/** The lines that it names; where they make no sense all of the file, so that any change of it makes another hash. */
function textAt(lines: readonly string[], start: number, end: number): string {
  const named = lines.slice(start - 1, Math.max(start, end))
  const value = named.join('\n').trim()
  return value === '' || end > lines.length ? lines.join('\n') : value
}
