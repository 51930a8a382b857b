import { withLogin } from '../../../core/fleet/observe.ts'
import type { Run, RunProof } from '../../../shared/model/run.ts'
import type { LoginProof, NodeChannels, SshPool } from '../../ports.ts'
import type { NodeLesson, StepContext } from '../executor.ts'

/** For one login; a hanging node holds no slot (S1.78). */
const connectTimeoutMs = 15_000

/** A clock further off than this is worth a word: certificates, and what rsync sends, depend on it. */
const tolerableSkewMs = 60_000

/** Resolves the name, reaches the node and logs in, without rsync (S0.64, S0.65, S1.71). */
export async function login({ sshPool }: { readonly sshPool: SshPool }, context: StepContext): Promise<LoginProof> {
  const { node, signal } = context
  return ofThisRun(sshPool, context, await sshPool.login(node, { timeoutMs: connectTimeoutMs, signal }))
}

/** The same by the shell that stands open to the node: it starts no program there, which a login does. */
export async function loginByChannel(
  { sshPool, channels }: { readonly sshPool: SshPool; readonly channels: NodeChannels },
  context: StepContext,
): Promise<LoginProof> {
  const { node, signal } = context
  const options = { timeoutMs: connectTimeoutMs, signal, askClock: true }
  return ofThisRun(sshPool, context, (await channels.exchange(node, [], options)).login)
}

async function ofThisRun(
  sshPool: SshPool,
  { node, run, signal, log }: StepContext,
  proven: LoginProof,
): Promise<LoginProof> {
  const options = { timeoutMs: connectTimeoutMs, signal }
  let proof = proven
  if (!isOfRun(proof, run)) {
    // The open connection was made with an earlier certificate or key: the one of this run has to prove itself.
    proof = await sshPool.login(node, { ...options, fresh: true })
  }
  const means = proof.staticKey === null ? `certificate ${proof.certificateSerial}` : `static key ${proof.staticKey}`
  log(`logged in to ${node.user}@${node.address}:${node.port} with ${means}`)
  return proof
}

/** Was it made with what this run logs in with? */
export function isOfRun(proof: LoginProof, { certificateSerial, staticKey }: Run): boolean {
  if (staticKey !== undefined) return proof.staticKey === staticKey
  return certificateSerial === null || proof.certificateSerial === certificateSerial
}

/** What a proof says about the login it was read back with. */
export const provenWith = ({ certificateSerial, staticKey }: Run): Pick<RunProof, 'certificateSerial' | 'staticKey'> =>
  staticKey === undefined ? { certificateSerial } : { certificateSerial: null, staticKey }

/** That the node let us in, with which certificate, and what its clock says. */
export function lessonOf(proof: LoginProof, { run }: StepContext): NodeLesson {
  return (node) => {
    const seen = withLogin(node, { at: proof.at, clockSkewMs: proof.clockSkewMs, certificate: null })
    const certificate = seen.certificate
    const accepted =
      certificate !== null &&
      certificate.serial === proof.certificateSerial &&
      certificate.serial === run.certificateSerial
    return accepted ? { ...seen, certificate: { ...certificate, acceptedAt: proof.at } } : seen
  }
}

/** The measured seconds, when they are many. */
export function clockWarning({ clockSkewMs }: LoginProof, { node, log }: StepContext): Run['warnings'] {
  if (clockSkewMs === null || Math.abs(clockSkewMs) <= tolerableSkewMs) return []
  const seconds = Math.round(clockSkewMs / 1000)
  const message = `The clock of ${node.name} is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}. Set it: certificates and file times depend on it.`
  log(message)
  return [{ code: 'CLOCK_SKEW', message, evidence: [`skew ${clockSkewMs} ms`] }]
}
