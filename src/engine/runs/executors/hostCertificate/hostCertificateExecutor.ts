import { shareOfLifeLeft } from '../../../../core/ca/validity.ts'
import { runCause } from '../../../../core/run/causes.ts'
import { configLine } from '../../../../core/sshd/effective.ts'
import { sshdFilePath } from '../../../../core/sshd/paths.ts'
import { type DecodedCertificate, decodeCertificate } from '../../../../platform/openssh/certificate.ts'
import { fingerprintOf, type PublicKeyLine, parsePublicKeyLine } from '../../../../platform/openssh/publicKey.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import { HostName } from '../../../../shared/model/text.ts'
import type { Authorities, CertificateAuthority, StoreReader } from '../../../ports.ts'
import type { RemoteFile, SshdFacts } from '../../../sshd/inspect.ts'
import type { PlanExecutor, StepContext, StepOutcome } from '../../executor.ts'
import {
  asOutcome,
  fileOf,
  look,
  nothingToCleanUp,
  preflightSshd,
  probeTimeoutMs,
  proven,
  pushSshd,
  Refused,
  readBack,
  type SshdDelivery,
  type SshdDependencies,
  sshdLock,
  stopSshd,
} from '../sshd/steps.ts'

export interface HostCertificateDependencies extends SshdDependencies {
  readonly authority: CertificateAuthority
  readonly authorities: Authorities
  readonly store: Pick<StoreReader, 'listCertificates'>
}

type HostContext = StepContext<PlanOf<'host-certificate'>>

const option = 'HostCertificate'
const lifetimeSeconds = 30 * 86_400
/** Renewed at two thirds of its life. */
const renewBelowShare = 1 / 3

/**
 * A certificate over the node's own host key (F54). The private half never leaves the node; the public half must be
 * the key that a person accepted, so that signing vouches for nothing that was not looked at.
 */
export function createHostCertificateExecutor(
  dependencies: HostCertificateDependencies,
): PlanExecutor<null, PlanOf<'host-certificate'>> {
  return {
    createMemory: () => null,
    lockTargets: (_plan, node) => sshdLock(node),
    preflight: (context) => preflight(dependencies, context),
    push: (context) => asOutcome(() => push(dependencies, context)),
    pull: async () => ({ kind: 'skipped' }),
    verify: (context) => asOutcome(() => verify(dependencies, context)),
    cleanUp: nothingToCleanUp,
    stop: (context) => stopSshd(dependencies, context),
  }
}

const lookingFor = ({ node, plan }: HostContext) => ({
  files: {
    key: sshdFilePath(node.sshd, plan.spec.keyFile),
    delivered: sshdFilePath(node.sshd, plan.spec.certificateFile),
  },
  readAtStart: ['delivered'],
})

async function preflight(dependencies: HostCertificateDependencies, context: HostContext): Promise<StepOutcome> {
  return asOutcome(async () => {
    await signerOf(dependencies)
    return preflightSshd(
      dependencies,
      context,
      async (facts) => void pinnedKey(context.node, facts),
      lookingFor(context),
    )
  })
}

/** The host authority that signs now. */
async function signerOf({ authorities }: HostCertificateDependencies): Promise<string> {
  const authority = (await authorities.list()).find(({ kind }) => kind === 'ssh-host')
  if (authority !== undefined) return authority.fingerprint
  throw new Refused(
    runCause('PRECONDITION_FAILED', {
      sentence: 'There is no host authority yet. Create it: lockstep ca init --kind ssh-host, or in Certificates.',
      short: 'no host authority',
    }),
  )
}

/** The host key in the file on the node, which must be the accepted one. */
function pinnedKey(node: FleetNode, facts: SshdFacts): PublicKeyLine {
  const file = facts.files.get('key')
  const key = file === undefined ? null : readKey(file)
  if (key === null) throw new Refused(keyUnreadable(node, file?.path ?? 'the host key'))
  const sameType = node.hostKeys.filter((pin) => pin.keyType === key.keyType)
  if (sameType.some((pin) => pin.publicKey === key.blob.toString('base64'))) return key
  throw new Refused(
    keyNotAccepted(
      node,
      key,
      sameType.map((pin) => pin.fingerprint),
    ),
  )
}

function readKey(file: RemoteFile): PublicKeyLine | null {
  try {
    return parsePublicKeyLine(file.content ?? '')
  } catch {
    return null
  }
}

const keyUnreadable = (node: FleetNode, path: string): Diagnosis =>
  runCause('PRECONDITION_FAILED', {
    sentence: `${path} on ${node.name} is missing or holds no public key. Name the public half of its host key in the plan.`,
    short: 'no host key there',
    nextAction: { kind: 'edit-plan', label: 'Edit the plan' },
  })

function keyNotAccepted(node: FleetNode, key: PublicKeyLine, accepted: readonly string[]): Diagnosis {
  const changed = accepted.length > 0
  return runCause(changed ? 'HOST_KEY_CHANGED' : 'HOST_KEY_UNKNOWN', {
    sentence: `The ${key.keyType} host key in the file on ${node.name} is not ${changed ? 'the one that was accepted' : 'accepted by anybody yet'}, so it is not signed. Compare the fingerprints before you accept it.`,
    short: changed ? 'host key changed' : 'host key unknown',
    evidence: [`on the node: ${fingerprintOf(key.blob)}`, ...accepted.map((pin) => `accepted: ${pin}`)],
    nextAction: { kind: 'accept-host-key', label: 'Compare both fingerprints' },
  })
}

/** Names that clients may use for the node; what cannot be a host name is left out. */
function namesOf({ node, plan }: HostContext): string[] {
  const names = [node.address, node.name, ...plan.spec.names]
  return [...new Set(names)].filter((name) => name === node.address || HostName.safeParse(name).success)
}

async function push(dependencies: HostCertificateDependencies, context: HostContext): Promise<StepOutcome> {
  const { node, run, log } = context
  const facts = await look(dependencies, context, lookingFor(context))
  const key = pinnedKey(node, facts)
  const present = readCertificate(fileOf(facts))
  const reason = reasonToSign(context, {
    present,
    key,
    signer: await signerOf(dependencies),
    nowMs: dependencies.clock.nowMs(),
    revoked: await isRevoked(dependencies, present),
  })
  if (reason === null && fileOf(facts).content !== null)
    return pushSshd(dependencies, context, deliveryOf(context, Buffer.from(fileOf(facts).content ?? '', 'latin1')))
  log(`signing the host key of ${node.name}: ${reason}`)
  const [issued] = await dependencies.authority.sign([
    {
      subjectPublicKey: key.blob,
      keyId: `lockstep/host/${node.id}`,
      principals: namesOf(context),
      purpose: 'host',
      lifetimeSeconds,
      nodeId: node.id,
      nodeName: node.name,
      requestedBy: run.requestedBy,
      reason: `host certificate of ${node.name}: ${reason}`,
    },
  ])
  if (issued === undefined) throw new Error('the host authority signed nothing')
  return pushSshd(dependencies, context, deliveryOf(context, Buffer.from(`${issued.certificate}\n`)))
}

function deliveryOf(context: HostContext, content: Uint8Array): SshdDelivery {
  return {
    path: sshdFilePath(context.node.sshd, context.plan.spec.certificateFile),
    content,
    section: 'host-certificate',
    // Several host keys, several plans: each keeps the lines of the others.
    lines: (path, before) => [...before.filter((line) => line !== configLine(option, path)), configLine(option, path)],
    readAtStart: true,
  }
}

function readCertificate(file: RemoteFile): DecodedCertificate | null {
  try {
    return decodeCertificate(parsePublicKeyLine(file.content ?? '').blob)
  } catch {
    return null
  }
}

interface Judged {
  readonly present: DecodedCertificate | null
  readonly key: PublicKeyLine
  readonly signer: string
  readonly nowMs: number
  readonly revoked: boolean
}

/** By the issue log: clients that have our list refuse such a certificate, although the host authority signed it. */
async function isRevoked(
  { store, clock }: HostCertificateDependencies,
  certificate: DecodedCertificate | null,
): Promise<boolean> {
  if (certificate === null) return false
  const found = await store.listCertificates({
    serials: [String(certificate.serial)],
    authorityFingerprint: fingerprintOf(certificate.signerBlob),
    standing: 'revoked',
    nowMs: clock.nowMs(),
    limit: 1,
  })
  return found.length > 0
}

/** Null: the certificate that lies there does (D14). */
function reasonToSign(context: HostContext, { present, key, signer, nowMs, revoked }: Judged): string | null {
  if (present === null) return 'there is none'
  if (revoked) return 'it was revoked'
  if (!Buffer.from(present.subjectBlob).equals(key.blob)) return 'it is for another key'
  if (fingerprintOf(present.signerBlob) !== signer) return 'another authority signed it'
  const names = namesOf(context)
  const same = present.principals.length === names.length && names.every((name) => present.principals.includes(name))
  if (!same) return 'it names other names'
  const period = { validAfter: present.validAfterSeconds * 1000, validBefore: present.validBeforeSeconds * 1000 }
  return shareOfLifeLeft(period, nowMs) < renewBelowShare ? 'two thirds of its life are over' : null
}

async function verify(dependencies: HostCertificateDependencies, context: HostContext): Promise<StepOutcome> {
  const { node, signal } = context
  const facts = await look(dependencies, context, lookingFor(context))
  const key = pinnedKey(node, facts)
  const file = fileOf(facts)
  const certificate = readCertificate(file)
  const signer = await signerOf(dependencies)
  const reason = reasonToSign(context, {
    present: certificate,
    key,
    signer,
    nowMs: dependencies.clock.nowMs(),
    revoked: await isRevoked(dependencies, certificate),
  })
  if (certificate === null || reason !== null) return again(node, `What lies in ${file.path} does not do: ${reason}.`)
  const back = await readBack(dependencies, context, {
    ...deliveryOf(context, Buffer.from(file.content ?? '', 'latin1')),
    option,
  })
  if ('kind' in back) return back
  const offered = await dependencies.loginProbe.offeredHostCertificate(node, { timeoutMs: probeTimeoutMs, signal })
  const installed = parsePublicKeyLine(file.content ?? '')
  if (offered === null || !parsePublicKeyLine(offered).blob.equals(installed.blob))
    return again(node, offered === null ? 'sshd offers no host certificate.' : 'sshd offers another host certificate.')
  return proven(dependencies, context, {
    digest: back.digest,
    verify: {
      mode: 'host-certificate',
      serial: String(certificate.serial),
      validAfter: certificate.validAfterSeconds * 1000,
      validBefore: certificate.validBeforeSeconds * 1000,
      authorityFingerprint: signer,
    },
  })
}

const again = (node: FleetNode, what: string): StepOutcome => ({
  kind: 'retry',
  from: 'PUSH_SYNC',
  diagnosis: runCause('VERIFY_MISMATCH', {
    sentence: `${node.name} does not show the host certificate that was installed: ${what} It is delivered again.`,
    short: 'host certificate not shown',
  }),
})
