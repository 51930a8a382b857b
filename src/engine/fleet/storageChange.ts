import { createHash } from 'node:crypto'
import { canonicalJson } from '../../core/canonicalJson.ts'
import { runCause } from '../../core/run/causes.ts'
import { fileNotReadWhole, noReload, sshdConfigRefused } from '../../core/sshd/causes.ts'
import { effectiveValue } from '../../core/sshd/effective.ts'
import { readManagedBlock, withSection } from '../../core/sshd/managedBlock.ts'
import { sshdFilePath } from '../../core/sshd/paths.ts'
import {
  mayLogIn,
  type PrincipalsRule,
  presentRule,
  principalsRule,
  sharedFile,
  storageLines,
  withPrincipals,
} from '../../core/sshd/storageRules.ts'
import { unifiedDiff } from '../../core/sshd/unifiedDiff.ts'
import { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { StoragePreview, StorageSettings } from '../../shared/model/storage.ts'
import type { Authorities, CertificateIdentity, Identities, NodeIdentity, SshPool, TrustedKey } from '../ports.ts'
import type { FileChange } from '../sshd/change.ts'
import { inspectSshd, type RemoteFile, type SshdFacts } from '../sshd/inspect.ts'
import { foreignKeys, renderTrustFile, withKey } from '../sshd/trustFile.ts'

export interface StorageLookDependencies {
  readonly sshPool: SshPool
  readonly identities: Pick<Identities, 'ensure'>
  readonly authorities: Pick<Authorities, 'trustedUserKeys'>
}

/** Everything that a set-up would do, worked out from what the node has now. */
export interface StorageChangePlan {
  /** Those that differ, in the order in which they are written. */
  readonly files: readonly FileChange[]
  readonly config: FileChange | null
  readonly trustFile: string
  readonly rule: PrincipalsRule
  readonly warnings: readonly string[]
  readonly blockers: readonly Diagnosis[]
  readonly stale: boolean
  /** Of settings, what is there and what shall be: equal digests mean the same change. */
  readonly digest: string
}

const lookTimeoutMs = 60_000
const loginTimeoutMs = 15_000
/** Certificates begin this long before they are made. */
const tolerableSkewMs = 60_000

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface Seen {
  readonly node: FleetNode
  readonly settings: StorageSettings
  readonly facts: SshdFacts
  readonly keys: readonly TrustedKey[]
  readonly clockSkewMs: number | null
  readonly signer: string
}

/**
 * Reads the node and changes nothing.
 * @throws AppError with a diagnosis when the node cannot be reached or its sshd cannot be looked at
 */
export async function planStorageChange(
  { sshPool, identities, authorities }: StorageLookDependencies,
  node: FleetNode,
  settings: StorageSettings,
): Promise<StorageChangePlan> {
  const login = await sshPool.login(node, { timeoutMs: loginTimeoutMs })
  const { certificate } = mustBeCertificate(
    node,
    await identities.ensure(node, 'automation', { reason: 'look at a storage' }),
  )
  const ours = await authorities.trustedUserKeys()
  const { breakGlass } = settings
  const keys = breakGlass.kind === 'second-authority' ? withKey(ours, breakGlass.publicKey) : ours
  const first = await look(sshPool, node, { user: settings.user, files: {} })
  const files = namesOfFiles(node, first)
  const facts = await look(sshPool, node, { user: settings.user, files })
  const signer = certificate.authorityFingerprint
  const seen: Seen = { node, settings, facts, keys, clockSkewMs: login.clockSkewMs, signer }
  const rule = principalsRule({
    effective: facts.effective,
    directory: directoryOf(facts.config.path),
    sharedContent: facts.files.get('shared')?.content ?? null,
    principals: [...settings.principals, node.principal],
  })
  const principals = await look(sshPool, node, {
    user: node.user,
    files: { storage: rule.fileOf(settings.user), login: rule.fileOf(node.user) },
  })
  return assemble(seen, rule, principals)
}

/** A storage is there for certificates: what we set up is proven by a login with one. @throws PRECONDITION_FAILED */
export function mustBeCertificate(node: Pick<FleetNode, 'name'>, identity: NodeIdentity): CertificateIdentity {
  if (identity.kind === 'certificate') return identity
  throw new AppError(
    'PRECONDITION_FAILED',
    `${node.name} is logged in to with a static key, so nothing would prove that it takes certificates. Let it trust our authority (lockstep ca export), then: lockstep nodes update NODE --certificate.`,
  )
}

interface Look {
  readonly user: string
  readonly files: Readonly<Record<string, string>>
}

const look = (pool: SshPool, node: FleetNode, request: Look): Promise<SshdFacts> =>
  inspectSshd(pool, node, { ...request, timeoutMs: lookTimeoutMs })

/** The file of trusted keys that a trust plan keeps current is ours too; without one, the usual place. */
function namesOfFiles(node: FleetNode, facts: SshdFacts): Record<string, string> {
  const planned = readManagedBlock(facts.config.content ?? '').trust !== undefined
  const present = effectiveValue(facts.effective, 'TrustedUserCAKeys')
  const rule = presentRule(facts.effective)
  const shared = rule === null ? null : sharedFile(rule)
  const usual = sshdFilePath(node.sshd, '/etc/ssh/ca/trusted_user_ca.pub')
  return {
    trust: planned && present.startsWith('/') ? present : usual,
    ...(present.startsWith('/') ? { trusted: present } : {}),
    ...(shared === null ? {} : { shared }),
  }
}

const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

function assemble(seen: Seen, rule: PrincipalsRule, principals: SshdFacts): StorageChangePlan {
  const { node, settings, facts, keys } = seen
  const trust = mustHave(facts.files, 'trust')
  const forLogin = node.user === settings.user ? [] : [node.principal]
  const wanted: [RemoteFile, string][] = [
    [trust, renderTrustFile(keys)],
    ...principalsFiles(principals, rule, [
      [settings.user, settings.user === node.user ? [...settings.principals, node.principal] : settings.principals],
      [node.user, forLogin],
    ]),
  ]
  const files = wanted
    .map(([before, text]) => ({ before, content: Buffer.from(text, 'latin1') }))
    .filter(({ before, content }) => before.digest !== sha256(content))
  const present = facts.config.content ?? ''
  const text = withSection(present, 'storage', storageLines(trust.path, rule))
  const config = text === present ? null : { before: facts.config, content: Buffer.from(text, 'latin1') }
  const all = config === null ? files : [...files, config]
  const states = all.map(({ before, content }) => [before.path, before.digest, sha256(content)])
  return {
    files,
    config,
    trustFile: trust.path,
    rule,
    warnings: warningsOf(seen, rule),
    blockers: [...blockersOf(seen), ...unread(node, wanted)],
    stale: facts.stale,
    digest: sha256(canonicalJson({ node: node.id, settings, states })),
  }
}

/** What is there and was not seen would be lost. */
function unread(node: FleetNode, wanted: readonly (readonly [RemoteFile, string])[]): Diagnosis[] {
  return wanted
    .filter(([{ status, content }]) => status !== 'missing' && content === null)
    .map(([{ path, listing }]) => fileNotReadWhole(node, path, [listing]))
}

/** Where all users share one file, it is changed once. */
function principalsFiles(
  facts: SshdFacts,
  rule: PrincipalsRule,
  wanted: readonly (readonly [string, readonly string[]])[],
): [RemoteFile, string][] {
  const byPath = new Map<string, { file: RemoteFile; principals: string[] }>()
  for (const [user, principals] of wanted) {
    const file = [...facts.files.values()].find(({ path }) => path === rule.fileOf(user))
    // Links are resolved on the node: the name that was asked for is the other way to find it.
    const found = file ?? mustHave(facts.files, user === wanted[0]?.[0] ? 'storage' : 'login')
    const entry = byPath.get(found.path) ?? { file: found, principals: [] }
    entry.principals.push(...principals)
    byPath.set(found.path, entry)
  }
  return [...byPath.values()].map(({ file, principals }) => [file, withPrincipals(file.content, principals)])
}

function mustHave(files: SshdFacts['files'], name: string): RemoteFile {
  const file = files.get(name)
  if (file === undefined) throw new Error(`the node was not asked about ${name}`)
  return file
}

function warningsOf({ node, settings, facts, keys }: Seen, rule: PrincipalsRule): string[] {
  const { breakGlass } = settings
  const wayIn =
    breakGlass.kind === 'console'
      ? `the way back in is not SSH but: ${breakGlass.note}`
      : 'the way back in is a certificate of the second authority, whose key you keep offline'
  const lost = ['trusted', 'trust'].flatMap((name) => foreignKeys(facts.files.get(name)?.content ?? '', keys))
  const others = facts.userKeys.filter((path) => path !== '')
  return [
    `From then on nobody logs in to ${node.name} with a password or a key of its own, only with a certificate. When every certificate has expired and none can be signed, ${wayIn}. Try it before you need it.`,
    ...(others.length === 0 ? [] : [`These keys let nobody in any more: ${others.join(', ')}.`]),
    ...(lost.length === 0
      ? []
      : [`Certificates of these authorities are not trusted any more: ${[...new Set(lost)].join(', ')}.`]),
    ...(rule.replaces === null
      ? []
      : [
          `Who may log in with which principal is no longer read from ${rule.replaces}: other users who log in with certificates need a file of their own beside that of ${settings.user}.`,
        ]),
  ]
}

function blockersOf({ node, settings, facts, keys, clockSkewMs, signer }: Seen): Diagnosis[] {
  const blockers: Diagnosis[] = []
  if (facts.complaint !== null) blockers.push(sshdConfigRefused(node, facts.complaint, false))
  if (facts.reloadProblem !== null) blockers.push(noReload(node, [facts.reloadProblem]))
  if (!facts.userExists) blockers.push(noSuchUser(node, settings.user))
  for (const user of new Set([settings.user, node.user]))
    if (!mayLogIn(facts.effective, user)) blockers.push(userKeptOut(node, user))
  if (!keys.some(({ fingerprint }) => fingerprint === signer)) blockers.push(signerNotTrusted(node, signer))
  if (clockSkewMs !== null && Math.abs(clockSkewMs) >= tolerableSkewMs) blockers.push(clockWrong(node, clockSkewMs))
  return blockers
}

const terminal = { kind: 'open-terminal', label: 'Open a terminal' } as const

const noSuchUser = (node: FleetNode, user: string): Diagnosis =>
  runCause('PRECONDITION_FAILED', {
    sentence: `There is no user ${user} on ${node.name}. Create it there: useradd --create-home --shell /bin/sh ${user}`,
    short: 'no such user',
    nextAction: terminal,
  })

const userKeptOut = (node: FleetNode, user: string): Diagnosis =>
  runCause('PRECONDITION_FAILED', {
    sentence: `AllowUsers or DenyUsers on ${node.name} keep ${user} out. Correct them there.`,
    short: 'user kept out',
    nextAction: terminal,
  })

const signerNotTrusted = (node: FleetNode, signer: string): Diagnosis =>
  runCause('PRECONDITION_FAILED', {
    sentence: `The authority that signs our certificates would not be among those that ${node.name} trusts, so we would lock ourselves out.`,
    short: 'would lock us out',
    evidence: [`signs now: ${signer}`],
  })

function clockWrong(node: FleetNode, clockSkewMs: number): Diagnosis {
  const seconds = Math.abs(Math.round(clockSkewMs / 1000))
  const behind = clockSkewMs < 0
  return runCause(behind ? 'CERTIFICATE_NOT_YET_VALID' : 'CERTIFICATE_EXPIRED', {
    sentence: `The clock of ${node.name} is ${seconds} s ${behind ? 'behind' : 'ahead of'} ours. With certificates alone that locks people out: set it (NTP) first.`,
    short: behind ? 'clock is behind' : 'clock is ahead',
    evidence: [`node clock minus ours: ${clockSkewMs} ms`],
    nextAction: terminal,
  })
}

/** What a person is shown. */
export function previewOf(node: FleetNode, plan: StorageChangePlan): StoragePreview {
  const all = plan.config === null ? plan.files : [...plan.files, plan.config]
  const text = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8')
  const { reload, program } = node.sshd
  return {
    digest: plan.digest,
    changes: all.map(({ before, content }) => ({
      path: before.path,
      diff: unifiedDiff(
        before.path,
        before.content === null ? null : text(before.content),
        Buffer.from(content).toString('utf8'),
      ),
      isNew: before.status === 'missing',
    })),
    commands: [
      `${program} -t -f ${node.sshd.configFile}`,
      reload.kind === 'systemd' ? 'systemctl reload sshd' : `kill -HUP "$(cat ${reload.file})"`,
    ],
    warnings: [...plan.warnings],
    blockers: [...plan.blockers],
    alreadyApplied: all.length === 0 && !plan.stale,
  }
}
