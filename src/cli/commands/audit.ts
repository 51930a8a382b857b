import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { type ChainVerifier, createChainVerifier, toAuditLine } from '../../core/audit/chain.ts'
import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError } from '../../shared/errors.ts'
import { AuditEntry, type AuditVerification } from '../../shared/model/audit.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { integerBetween } from '../input/options.ts'
import { bad, good } from '../output/style.ts'
import { renderTable } from '../output/table.ts'
import { isoTime, plural } from '../output/words.ts'

const pageSize = 1_000

export function addAuditCommands(program: Command, run: Runner): void {
  const audit = program.command('audit').description('the append-only log of who did what')
  audit
    .command('verify')
    .description('checks that no row was changed, added or taken out')
    .option('--file <file>', 'an export instead of the log of this home; needs no engine')
    .action(({ file }: { readonly file?: string }) => run((context) => verify(context, file)))
  audit
    .command('list')
    .description('the newest rows')
    .option('--limit <n>', 'how many', integerBetween(1, pageSize), 50)
    .option('--before <seq>', 'only rows before this one', integerBetween(1, Number.MAX_SAFE_INTEGER))
    .action(({ limit, before }: { readonly limit: number; readonly before?: number }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(
            await client.audit.list({ limit, ...(before === undefined ? {} : { beforeSeq: before }) }),
            renderList,
          ),
        ),
      ),
    )
  audit
    .command('export')
    .description('every row as a line of JSON, oldest first, for "audit verify --file" anywhere')
    .option('--out <file>', 'a new file instead of standard output')
    .action(({ out }: { readonly out?: string }) => run((context) => exportAll(context, out)))
}

async function verify({ withEngine, output }: CliContext, file: string | undefined): Promise<ExitCode> {
  const result = file === undefined ? await withEngine({}, (client) => client.audit.verify()) : await verifyFile(file)
  output.value(result, renderVerification)
  if (file !== undefined)
    output.note('An export cannot show rows cut off at its end: compare the count and the last hash.')
  return result.intact ? exitCodes.ok : exitCodes.failed
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

async function verifyFile(path: string): Promise<AuditVerification> {
  const verifier = createChainVerifier(sha256)
  const stream = createReadStream(path, 'utf8')
  let line = 0
  try {
    for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1
      if (text.trim() !== '') addLine(verifier, text, { path, line })
    }
  } catch (error) {
    throw unreadable(error, path)
  }
  return verifier.result()
}

function addLine(verifier: ChainVerifier, text: string, at: { readonly path: string; readonly line: number }): void {
  try {
    verifier.add(AuditEntry.parse(JSON.parse(text)))
  } catch {
    throw new AppError('INVALID_INPUT', `${at.path}, line ${at.line}: this is no row of an audit log.`, { data: at })
  }
}

function unreadable(error: unknown, path: string): unknown {
  if (error instanceof AppError) return error
  const reason = (error as NodeJS.ErrnoException).code
  if (reason === 'ENOENT') return new AppError('NOT_FOUND', `${path} does not exist.`, { data: { path } })
  return new AppError('INVALID_INPUT', `${path} cannot be read (${reason ?? 'unknown reason'}).`, { data: { path } })
}

/** Oldest first: windows of sequence numbers from 1 on, so that what is appended meanwhile shifts nothing. */
async function* allEntries(client: EngineClient): AsyncGenerator<AuditEntry> {
  const newest = (await client.audit.list({ limit: 1 }))[0]?.seq ?? 0
  for (let from = 1; from <= newest; from += pageSize) {
    const page = await client.audit.list({ beforeSeq: from + pageSize, limit: pageSize })
    for (const entry of page.toReversed()) if (entry.seq >= from && entry.seq <= newest) yield entry
  }
}

async function exportAll(context: CliContext, out: string | undefined): Promise<void> {
  const { withEngine, output } = context
  await withEngine({}, async (client) => {
    if (out !== undefined) return exportTo(out, client, context)
    if (output.isJson) return output.value(await Array.fromAsync(allEntries(client)), () => '')
    for await (const entry of allEntries(client)) output.raw(`${toAuditLine(entry)}\n`)
  })
}

async function exportTo(path: string, client: EngineClient, { output }: CliContext): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    const reason = (error as NodeJS.ErrnoException).code
    if (reason === 'EEXIST')
      throw new AppError('CONFLICT', `${path} exists; an export overwrites nothing.`, { data: { path } })
    throw new AppError('INVALID_INPUT', `${path} cannot be written (${reason ?? 'unknown reason'}).`, {
      data: { path },
    })
  })
  let entries = 0
  try {
    for await (const entry of allEntries(client)) {
      await file.write(`${toAuditLine(entry)}\n`)
      entries += 1
    }
    await file.sync()
  } finally {
    await file.close()
  }
  output.value({ file: path, entries }, () => `${plural(entries, 'row')} written to ${path}.\n`)
}

function renderVerification({ entries, intact, firstBrokenSeq, headHash }: AuditVerification): string {
  const verdict = intact ? good('intact') : bad(`BROKEN at row ${firstBrokenSeq}`)
  return `${plural(entries, 'row')}: ${verdict}\nlast hash ${headHash}\n`
}

function renderList(entries: readonly AuditEntry[]): string {
  return renderTable(
    ['SEQ', 'TIME', 'WHO', 'WHAT', 'ON', 'DETAIL'],
    entries.map(({ seq, at, actor, action, subject, detail }) => [
      String(seq),
      isoTime(at),
      actor,
      action,
      subject,
      JSON.stringify(detail),
    ]),
  )
}
