import { access } from 'node:fs/promises'
import type { Command } from 'commander'
import { createFileAtomic } from '../../platform/atomicFile.ts'
import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { collect, integerBetween } from '../input/options.ts'
import { readText } from '../input/readText.ts'
import { bad, good } from '../output/style.ts'
import { renderTable } from '../output/table.ts'
import { isoTime } from '../output/words.ts'

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
    .option('--limit <n>', 'how many', integerBetween(1, 10_000), 50)
    .action(({ node, limit }: { readonly node?: string; readonly limit: number }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.certificates.list({ limit, ...(node === undefined ? {} : { node }) }), renderList),
        ),
      ),
    )
  certificates
    .command('renew [nodes...]')
    .description('new certificates, each proven by a login; 1 when a node did not accept its own')
    .option('--all', 'for every node that is not in maintenance')
    .action((nodes: readonly string[], { all = false }: { readonly all?: boolean }) =>
      run((context) => renew(context, nodes, all)),
    )
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

async function renew({ withEngine, output }: CliContext, nodes: readonly string[], all: boolean): Promise<ExitCode> {
  if (all === nodes.length > 0) {
    throw new AppError('INVALID_INPUT', 'Name nodes, or give --all for every node that is not in maintenance.')
  }
  const renewed = await withEngine({}, async (client) => {
    const chosen = all ? await everyNode(client) : [...nodes]
    return chosen.length === 0 ? [] : client.certificates.renew({ targets: { kind: 'nodes', nodes: chosen } })
  })
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

async function everyNode(client: EngineClient): Promise<string[]> {
  const nodes = await client.nodes.list({ filter: '' })
  return nodes.filter((node) => !node.maintenance && node.transport === 'push').map((node) => node.id)
}

function whyNot(node: Awaited<ReturnType<EngineClient['nodes']['get']>>): string {
  return node.reachability.status === 'unreachable'
    ? node.reachability.diagnosis.sentence
    : 'it let us in with another one'
}

function renderList(certificates: readonly IssuedCertificate[]): string {
  if (certificates.length === 0) return 'No certificate was issued yet.\n'
  return renderTable(
    ['SERIAL', 'ISSUED', 'VALID UNTIL', 'PRINCIPALS', 'FOR', 'ASKED BY', 'REASON'],
    certificates.map((certificate) => [
      certificate.serial,
      isoTime(certificate.issuedAt),
      isoTime(certificate.validBefore),
      certificate.principals.join(','),
      certificate.nodeName ?? certificate.purpose,
      certificate.requestedBy,
      certificate.reason,
    ]),
  )
}
