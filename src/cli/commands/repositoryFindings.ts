import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { AppError } from '../../shared/errors.ts'
import { type AllowedFinding, FindingHash, type ScanReport, ScanSettings } from '../../shared/model/repository.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { lifetimeSeconds, oneOf } from '../input/options.ts'
import { findCommit } from '../input/repositories.ts'
import { renderAllowed, renderDirectoryScan, renderReport } from '../output/findings.ts'
import { isoTimeOr } from '../output/words.ts'

interface AllowOptions {
  readonly reason: string
  readonly expires?: number
}

interface ScanOptions {
  readonly commit?: string
  readonly directory?: string
  readonly tool?: 'builtin' | 'gitleaks' | 'both'
}

const tenYears = 10 * 365 * 86_400

export function addFindingCommands(repos: Command, run: Runner): void {
  repos
    .command('findings <repository>')
    .description('what the newest scan found: rule, file and line; 6 when syncs are held back')
    .option('--allowed', 'what was allowed instead, by whom, why and until when')
    .action((repository: string, { allowed = false }: { readonly allowed?: boolean }) =>
      run((context) => (allowed ? listAllowed(context, repository) : findings(context, repository))),
    )
  repos
    .command('scan [repository]')
    .description('searches for secrets now; 6 when syncs are held back')
    .option('--commit <commit>', 'this commit (default: what the default branch has)')
    .option(
      '--directory <directory>',
      'a directory of this machine instead, without any engine; 1 when there are findings',
    )
    .option(
      '--tool <tool>',
      'with --directory: builtin, gitleaks or both (default: builtin)',
      oneOf(['builtin', 'gitleaks', 'both']),
    )
    .action((repository: string | undefined, options: ScanOptions) =>
      run((context) => scanOf(context, repository, options)),
    )
  repos
    .command('allow <repository> <hash>')
    .description('takes the blame for a finding of the newest scan')
    .requiredOption('--reason <text>', 'why it may lie there')
    .option(
      '--expires <time>',
      'how long it holds, such as 90d (default: until it is taken back)',
      lifetimeSeconds(60, tenYears),
    )
    .action((repository: string, hash: string, options: AllowOptions) =>
      run((context) => allow(context, repository, hash, options)),
    )
  repos
    .command('disallow <repository> <hash>')
    .description('takes an allowance back')
    .action((repository: string, hash: string) => run((context) => disallow(context, repository, hash)))
}

function show({ output }: CliContext, report: ScanReport | null, allowed: readonly AllowedFinding[]): ExitCode {
  output.value(report, (value) => renderReport(value, allowed))
  return report?.status === 'blocked' || report?.status === 'failed' ? exitCodes.halted : exitCodes.ok
}

function findings(context: CliContext, repository: string): Promise<ExitCode> {
  return context.withEngine({}, async (client) => {
    const [report, allowed] = await Promise.all([
      client.repositories.findings({ repository }),
      client.repositories.allowed({ repository }),
    ])
    return show(context, report, allowed)
  })
}

async function listAllowed({ withEngine, output }: CliContext, repository: string): Promise<void> {
  await withEngine({}, async (client) => output.value(await client.repositories.allowed({ repository }), renderAllowed))
}

function scanOf(context: CliContext, repository: string | undefined, options: ScanOptions): Promise<ExitCode> {
  const { directory, commit, tool } = options
  if ((repository === undefined) === (directory === undefined))
    throw new AppError('INVALID_INPUT', 'Name a repository, or a directory with --directory.')
  if (directory !== undefined && commit !== undefined)
    throw new AppError('INVALID_INPUT', 'A directory is searched as it is; --commit goes with a repository.')
  if (repository !== undefined && tool !== undefined)
    throw new AppError(
      'INVALID_INPUT',
      'The settings of the repository say what searches; --tool goes with --directory.',
    )
  return repository === undefined
    ? scanHere(context, directory ?? '.', tool ?? 'builtin')
    : scan(context, repository, commit)
}

function scan(context: CliContext, repository: string, commit: string | undefined): Promise<ExitCode> {
  return context.withEngine({}, async (client) => {
    const wanted = commit === undefined ? null : await findCommit(client, repository, commit)
    const report = await client.repositories.scan({ repository, commit: wanted })
    return show(context, report, await client.repositories.allowed({ repository }))
  })
}

/** As a hook of a git server or a job of CI asks: nothing is kept, and nobody has allowed anything. */
async function scanHere(
  { output, signal }: CliContext,
  directory: string,
  tool: NonNullable<ScanOptions['tool']>,
): Promise<ExitCode> {
  const settings = ScanSettings.parse({ tool })
  // Loaded only here: a search brings a whole library with it.
  const { scanDirectory } = await import('../../daemon/scanDirectory.ts')
  const found = await scanDirectory(resolve(directory), settings, signal)
  output.value(found, renderDirectoryScan)
  return found.findings.length === 0 ? exitCodes.ok : exitCodes.failed
}

async function allow(
  { withEngine, output }: CliContext,
  repository: string,
  beginning: string,
  { reason, expires }: AllowOptions,
): Promise<void> {
  await withEngine({}, async (client) => {
    const report = await client.repositories.findings({ repository })
    const hash = begins(beginning, report?.findings.map((finding) => finding.hash) ?? [])
    const { now } = await client.system.status()
    const expiresAt = expires === undefined ? null : now + expires * 1000
    output.value(
      await client.repositories.allow({ repository, hash, reason, expiresAt }),
      (entry) =>
        `Allowed until ${isoTimeOr(entry.expiresAt, 'it is taken back')}: ${renderAllowed([entry]).split('\n')[1] ?? ''}\n`,
    )
  })
}

async function disallow({ withEngine, output }: CliContext, repository: string, beginning: string): Promise<void> {
  await withEngine({}, async (client) => {
    const allowed = await client.repositories.allowed({ repository })
    const hash = begins(
      beginning,
      allowed.map((entry) => entry.hash),
    )
    output.value(await client.repositories.disallow({ repository, hash }), () => 'It is not allowed any more.\n')
  })
}

const shortest = 8

/** A hash, or a beginning of it that only one has. */
function begins(text: string, hashes: readonly FindingHash[]): FindingHash {
  const whole = FindingHash.safeParse(text)
  if (whole.success) return whole.data
  if (!/^[0-9a-f]+$/.test(text) || text.length < shortest)
    throw new InvalidArgumentError(
      `Give ${shortest} digits of the hash at least; "lockstep repos findings" shows them.`,
    )
  const fitting = hashes.filter((hash) => hash.startsWith(text))
  const [only] = fitting
  if (only !== undefined && fitting.length === 1) return only
  throw new AppError(
    fitting.length === 0 ? 'NOT_FOUND' : 'INVALID_INPUT',
    fitting.length === 0
      ? `No finding has a hash that begins with ${text}.`
      : `Several hashes begin with ${text}; give more digits.`,
  )
}
