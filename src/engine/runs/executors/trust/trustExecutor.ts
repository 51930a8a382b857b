import { runCause } from '../../../../core/run/causes.ts'
import { fileNotReadWhole } from '../../../../core/sshd/causes.ts'
import { configLine } from '../../../../core/sshd/effective.ts'
import { sshdFilePath } from '../../../../core/sshd/paths.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { Authorities, ProbeIdentities, TrustedKey } from '../../../ports.ts'
import type { RemoteFile } from '../../../sshd/inspect.ts'
import { foreignKeys, keysForNode, renderTrustFile } from '../../../sshd/trustFile.ts'
import type { PlanExecutor, StepContext, StepOutcome } from '../../executor.ts'
import {
  asOutcome,
  fileOf,
  look,
  lookAt,
  nothingToCleanUp,
  preflightSshd,
  probeTimeoutMs,
  proven,
  proveOwnLogin,
  pushSshd,
  Refused,
  readBack,
  type SshdDelivery,
  type SshdDependencies,
  sshdLock,
  stopSshd,
} from '../sshd/steps.ts'

export interface TrustDependencies extends SshdDependencies {
  readonly authorities: Authorities
  readonly probes: ProbeIdentities
}

type TrustContext = StepContext<PlanOf<'trust'>>

const option = 'TrustedUserCAKeys'

/**
 * The authorities that a node trusts for users (S0.18, S0.21). The file is ours alone: where it holds a key that
 * neither we wrote nor want there, nothing is done until a person has decided about that key. A set that would lock
 * ourselves out is never delivered.
 */
export function createTrustExecutor(dependencies: TrustDependencies): PlanExecutor<null, PlanOf<'trust'>> {
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

async function deliveryOf({ authorities }: TrustDependencies, { node, plan }: TrustContext) {
  const keys = keysForNode(node, await authorities.trustedUserKeys())
  const delivery: SshdDelivery = {
    path: sshdFilePath(node.sshd, plan.spec.file),
    content: Buffer.from(renderTrustFile(keys)),
    section: 'trust',
    lines: (path) => [configLine(option, path)],
    readAtStart: false,
  }
  return { keys, delivery }
}

async function preflight(dependencies: TrustDependencies, context: TrustContext): Promise<StepOutcome> {
  return asOutcome(async () => {
    const { keys, delivery } = await deliveryOf(dependencies, context)
    await refuseLockout(dependencies, context, keys)
    return preflightSshd(
      dependencies,
      context,
      async (facts) => refuseForeignKeys(context, fileOf(facts), keys),
      lookAt(delivery),
    )
  })
}

async function push(dependencies: TrustDependencies, context: TrustContext): Promise<StepOutcome> {
  const { keys, delivery } = await deliveryOf(dependencies, context)
  await refuseLockout(dependencies, context, keys)
  refuseForeignKeys(context, fileOf(await look(dependencies, context, lookAt(delivery))), keys)
  return pushSshd(dependencies, context, delivery)
}

/** Whoever signs our own certificates now must be among the trusted. */
async function refuseLockout(
  { identities }: TrustDependencies,
  { node }: TrustContext,
  keys: readonly TrustedKey[],
): Promise<void> {
  const identity = await identities.ensure(node, 'automation', { reason: 'who signs our certificates?' })
  // A static key gets in whatever the node trusts; with this plan it may move to certificates later.
  if (identity.kind === 'static-key') return
  const { certificate } = identity
  if (keys.some(({ fingerprint }) => fingerprint === certificate.authorityFingerprint)) return
  throw new Refused(
    runCause('PRECONDITION_FAILED', {
      sentence: `The keys that ${node.name} would trust do not include the authority that signs our certificates, so we would lock ourselves out. Nothing was delivered.`,
      short: 'would lock us out',
      evidence: [
        `signs now: ${certificate.authorityFingerprint}`,
        ...keys.map(({ fingerprint }) => `trusted: ${fingerprint}`),
      ],
    }),
  )
}

function refuseForeignKeys({ node }: TrustContext, file: RemoteFile, keys: readonly TrustedKey[]): void {
  const { path, status, content, listing } = file
  if (status !== 'missing' && content === null) throw new Refused(fileNotReadWhole(node, path, [listing]))
  const foreign = foreignKeys(content ?? '', keys)
  if (foreign.length === 0) return
  throw new Refused(
    runCause('PRECONDITION_FAILED', {
      sentence: `${path} on ${node.name} holds ${foreign.length === 1 ? 'a key' : `${foreign.length} keys`} that Lockstep did not put there, and would lose. Remove ${foreign.length === 1 ? 'it' : 'them'} there if nobody logs in with ${foreign.length === 1 ? 'it' : 'them'}, or name another file in the plan.`,
      short: 'foreign keys there',
      evidence: foreign,
      nextAction: { kind: 'open-terminal', label: 'Open a terminal' },
    }),
  )
}

async function verify(dependencies: TrustDependencies, context: TrustContext): Promise<StepOutcome> {
  const { keys, delivery } = await deliveryOf(dependencies, context)
  const back = await readBack(dependencies, context, { ...delivery, option })
  if ('kind' in back) return back
  await proveOwnLogin(dependencies, context.node, context.signal)
  const loggedInWith = await logInWithEach(dependencies, context, keys)
  return proven(dependencies, context, {
    digest: back.digest,
    verify: { mode: 'trust', authorities: keys.map(({ fingerprint }) => fingerprint), loggedInWith },
  })
}

/** Of every embedded authority in the set. Others are read back only: we cannot make them sign for a probe. */
async function logInWithEach(
  { authorities, probes, loginProbe }: TrustDependencies,
  { node, signal, log }: TrustContext,
  keys: readonly TrustedKey[],
): Promise<string[]> {
  const ours = (await authorities.list())
    .filter(({ kind }) => kind === 'ssh-user')
    .flatMap(({ fingerprint, rotation }) => [fingerprint, rotation?.oldFingerprint, rotation?.newFingerprint])
  const wanted = keys.map(({ fingerprint }) => fingerprint).filter((fingerprint) => ours.includes(fingerprint))
  for (const fingerprint of wanted) {
    const identity = await probes.signedBy(node, fingerprint)
    const attempt = await loginProbe.attempt(node, identity, { timeoutMs: probeTimeoutMs, signal })
    if (attempt.status === 'refused') throw new Refused(attempt.diagnosis)
    log(`a certificate of ${fingerprint} was let in`)
  }
  return wanted
}
