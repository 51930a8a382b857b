import { randomUUID } from 'node:crypto'
import { access } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { createFileAtomic } from '../../platform/atomicFile.ts'
import { CertificateFilter, RevocationTargets } from '../../shared/contract/certificates.ts'
import type { EngineClient } from '../../shared/contract/index.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import { CertificatePurpose } from '../../shared/model/certificate.ts'
import { IdempotencyKey } from '../../shared/model/ids.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { collect, integerBetween, wordOf, wordsOf } from '../input/options.ts'
import { readText } from '../input/readText.ts'
import { bad, good } from '../output/style.ts'
import { renderTable } from '../output/table.ts'
import {
  renderCalendar,
  renderCertificates,
  renderKrl,
  renderRevocationPreview,
  renderRevoked,
} from '../output/trust.ts'
import { isoTime } from '../output/words.ts'

const Standing = CertificateFilter.shape.standing.unwrap()
const CalendarStep = z.enum(['hour', 'day'])

interface ListOptions {
  readonly node?: string
  readonly purpose?: readonly CertificatePurpose[]
  readonly standing: string
  readonly search: string
  readonly before?: string
  readonly limit: number
}

interface RenewOptions {
  readonly all?: boolean
  readonly filter?: string
  readonly idempotencyKey?: string
}

interface RevokeOptions {
  readonly node?: readonly string[]
  readonly reason: string
  readonly dryRun?: boolean
}

interface CalendarOptions {
  readonly days: number
  readonly by: z.infer<typeof CalendarStep>
}

interface IssueOptions {
  readonly publicKey: string
  readonly principal: readonly string[]
  readonly lifetimeSeconds: number
  readonly permitPty?: boolean
  readonly forceCommand?: string
  readonly sourceAddress?: string
  readonly reason: string
  readonly out?: string
}

const longestLifetimeSeconds = 57_600
const defaultLifetimeSeconds = 3_600
/** Characters; what the contract takes. */
const longestPublicKey = 4_096

export function addCertificateCommands(program: Command, run: Runner): void {
  const certificates = program.command('cert').aliases(['certs', 'certificates']).description('SSH user certificates')
  certificates
    .command('issue')
    .description('signs a public key that you bring')
    .requiredOption('--public-key <file>', 'an Ed25519 public key; - is standard input')
    .requiredOption('--principal <name>', 'what it may log in as; may be repeated', collect)
    .option(
      '--lifetime-seconds <n>',
      'how long it is good',
      integerBetween(60, longestLifetimeSeconds),
      defaultLifetimeSeconds,
    )
    .option('--permit-pty', 'allow a terminal')
    .option('--force-command <command>', 'the only command it may run')
    .option('--source-address <list>', 'addresses it may come from, e.g. 10.0.0.0/8')
    .requiredOption('--reason <text>', 'why; kept in the issue log')
    .option('--out <file>', 'a new file for the certificate instead of standard output')
    .action((options: IssueOptions) => run((context) => issue(context, options)))
  certificates
    .command('list')
    .description('the issue log, newest first')
    .option('--node <node>', 'of this node')
    .option('--purpose <purpose>', 'what for; may be repeated', wordsOf(CertificatePurpose))
    .option('--standing <standing>', 'all, live, expired, revoked', wordOf(Standing), 'all')
    .option('--search <text>', 'in key id, serial, principals, node, requester or reason', '')
    .option('--before <id>', 'issued before this one, to page')
    .option('--limit <n>', 'how many', integerBetween(1, 10_000), 50)
    .action((options: ListOptions) => run((context) => list(context, options)))
  certificates
    .command('renew [nodes...]')
    .description('new certificates, each proven by a login; 1 when a node did not accept its own')
    .option('--all', 'for every node that is not in maintenance')
    .option('--filter <filter>', 'for the nodes this means')
    .option('--idempotency-key <key>', 'sent again, nodes that accepted theirs are left alone')
    .action((nodes: readonly string[], options: RenewOptions) => run((context) => renew(context, nodes, options)))
  addRevocationCommands(certificates, run)
}

function addRevocationCommands(certificates: Command, run: Runner): void {
  certificates
    .command('revoke [serials...]')
    .description('withdraws certificates and brings the list to the nodes of every krl plan')
    .option('--node <node>', 'instead: everything that is live for this node; may be repeated', collect)
    .requiredOption('--reason <text>', 'why; kept in the issue log')
    .option('--dry-run', 'only say what it would mean')
    .action((serials: readonly string[], options: RevokeOptions) => run((context) => revoke(context, serials, options)))
  certificates
    .command('krl')
    .description('the revocation list')
    .option('--out <file>', 'a new file for the list as sshd reads it')
    .action(({ out }: { readonly out?: string }) => run((context) => krl(context, out)))
  certificates
    .command('calendar')
    .description('how many certificates end when')
    .option('--days <n>', 'how far to look', integerBetween(1, 400), 35)
    .option('--by <step>', 'hour or day', wordOf(CalendarStep), 'day')
    .action((options: CalendarOptions) => run((context) => calendar(context, options)))
}

async function issue({ withEngine, output }: CliContext, options: IssueOptions): Promise<void> {
  const { principal, out, publicKey: file, ...rest } = options
  const publicKey = await readPublicKey(file)
  if (out !== undefined) await refuseExisting(out)
  await withEngine({}, async (client) => {
    const issued = await client.certificates.issue({
      ...rest,
      publicKey,
      principals: [...principal],
      permitPty: rest.permitPty ?? false,
    })
    if (out !== undefined && !(await createFileAtomic(out, `${issued.certificate}\n`, { mode: 0o644 })))
      throw exists(out)
    output.value(issued, () => (out === undefined ? `${issued.certificate}\n` : ''))
    output.note(
      `Serial ${issued.serial}, good until ${isoTime(issued.validBefore)}${out === undefined ? '' : `, written to ${out}`}.`,
    )
  })
}

/** A private key given by mistake goes nowhere: not to the engine, not into a message. */
async function readPublicKey(file: string): Promise<string> {
  const text = (await readText(file, 'The public key')).trim()
  if (text.includes('PRIVATE KEY')) {
    throw new AppError(
      'INVALID_INPUT',
      `--public-key: ${file} holds a private key. Keep it secret and give the matching .pub file instead.`,
    )
  }
  if (text.length > longestPublicKey)
    throw new AppError('INVALID_INPUT', `--public-key: ${file} is too long to be one public key.`)
  return text
}

async function refuseExisting(path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (isThere) throw exists(path)
}

const exists = (path: string): AppError =>
  new AppError('CONFLICT', `${path} exists; choose another name for --out.`, { data: { path } })

async function list({ withEngine, output }: CliContext, options: ListOptions): Promise<void> {
  const { purpose, ...filter } = options
  const query = parseInput(
    CertificateFilter,
    { ...filter, ...(purpose === undefined ? {} : { purposes: [...purpose] }) },
    'The list does not read',
  )
  await withEngine({}, async (client) => output.value(await client.certificates.list(query), renderCertificates))
}

function renewalTargets(nodes: readonly string[], { all = false, filter }: RenewOptions): PushTargets {
  const chosen: PushTargets[] = []
  if (nodes.length > 0) chosen.push({ kind: 'nodes', nodes: [...nodes] })
  if (filter !== undefined) chosen.push({ kind: 'filter', filter })
  if (all) chosen.push({ kind: 'all' })
  const [targets] = chosen
  if (targets !== undefined && chosen.length === 1) return targets
  throw new AppError(
    'INVALID_INPUT',
    'Name nodes, or give --filter FILTER, or --all for every node that is not in maintenance.',
  )
}

async function renew(
  { withEngine, output }: CliContext,
  nodes: readonly string[],
  options: RenewOptions,
): Promise<ExitCode> {
  const targets = renewalTargets(nodes, options)
  const key = parseInput(IdempotencyKey, options.idempotencyKey ?? `cli.${randomUUID()}`, '--idempotency-key')
  if (options.idempotencyKey === undefined) output.note(`Idempotency key ${key}`)
  const renewed = await withEngine({}, (client) => client.certificates.renew({ targets, idempotencyKey: key }))
  output.value(renewed, (results) =>
    results.length === 0
      ? 'There is no node to renew a certificate for.\n'
      : renderTable(
          ['NODE', 'SERIAL', 'ACCEPTED'],
          results.map(({ node, serial, accepted }) => [
            node.name,
            serial,
            accepted ? { text: 'yes', paint: good } : { text: `no: ${whyNot(node)}`, paint: bad },
          ]),
        ),
  )
  return renewed.every(({ accepted }) => accepted) ? exitCodes.ok : exitCodes.failed
}

async function revoke(
  { withEngine, output }: CliContext,
  serials: readonly string[],
  { node: nodes = [], reason, dryRun = false }: RevokeOptions,
): Promise<void> {
  if (serials.length > 0 === nodes.length > 0)
    throw new AppError('INVALID_INPUT', 'Name serials, or nodes with --node; one of them.')
  const targets = parseInput(
    RevocationTargets,
    serials.length > 0 ? { kind: 'serials', serials: [...serials] } : { kind: 'nodes', nodes: [...nodes] },
    'Nothing can be revoked',
  )
  await withEngine({}, async (client) => {
    if (dryRun) return output.value(await client.certificates.previewRevocation({ targets }), renderRevocationPreview)
    const { uncoveredNodes } = await client.certificates.previewRevocation({ targets })
    output.value(await client.certificates.revoke({ targets, reason }), renderRevoked)
    if (uncoveredNodes.length > 0)
      output.note(
        `No revocation list is delivered to ${uncoveredNodes.join(', ')}: there the certificates work until they end.`,
      )
  })
}

async function krl({ withEngine, output }: CliContext, out: string | undefined): Promise<void> {
  if (out !== undefined) await refuseExisting(out)
  await withEngine({}, async (client) => {
    if (out === undefined) return output.value(await client.certificates.krl(), renderKrl)
    const file = await client.certificates.krlFile()
    if (!(await createFileAtomic(out, Buffer.from(file.base64, 'base64'), { mode: 0o644 }))) throw exists(out)
    output.value(file.krl, renderKrl)
  })
}

const hourMs = 3_600_000

async function calendar({ withEngine, output }: CliContext, { days, by }: CalendarOptions): Promise<void> {
  const stepMs = by === 'hour' ? hourMs : 24 * hourMs
  await withEngine({}, async (client) => {
    const from = Math.floor((await client.system.status()).now / stepMs) * stepMs
    const to = from + days * 24 * hourMs
    output.value(await client.certificates.calendar({ from, to, stepMs }), renderCalendar)
  })
}

function whyNot(node: Awaited<ReturnType<EngineClient['nodes']['get']>>): string {
  return node.reachability.status === 'unreachable'
    ? node.reachability.diagnosis.sentence
    : 'it let us in with another one'
}
