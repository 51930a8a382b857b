import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { validityAt } from '../../core/ca/validity.ts'
import { diagnoseConnection } from '../../core/diagnose/connection.ts'
import type { ConnectEvidence, LoginProbes } from '../../core/diagnose/evidence.ts'
import { diagnoseNodeFacts, type NodeFacts, nodeFactsCommand, parseNodeFacts } from '../../core/diagnose/nodeFacts.ts'
import { refineRefusal } from '../../core/diagnose/storageAndRevocation.ts'
import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate, Revocation } from '../../shared/model/certificate.ts'
import { Diagnosis, type DoctorReport, type DoctorStep } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CertificateIdentity, Doctor, Identities, NodeIdentity, StaticKeyIdentity } from '../ports.ts'
import { clockSkewFrom } from './clockSkew.ts'
import { runCommand } from './command.ts'
import { connectSsh, type SshConnection } from './connection.ts'
import { withDeadline } from './deadline.ts'
import { presentedBy, presentedCertificate } from './failure.ts'
import { AttemptFailed, AttemptTrace } from './transport.ts'

/** What the doctor's other certificates are for. The signing side decides what they may do. */
export type LoginVariant = 'principal-is-user' | 'wide-validity'

interface DoctorDependencies {
  readonly identities: Pick<Identities, 'ensure'>
  /** A certificate for one login that can only run `date +%s`, through the audited signing pipeline. */
  readonly probeIdentity: (
    node: FleetNode,
    variant: LoginVariant,
    options: { readonly requestedBy: string },
  ) => Promise<CertificateIdentity>
  readonly clock: Clock
  /** From the issue log: null while the certificate counts. */
  readonly revocationOf: (certificate: IssuedCertificate) => Promise<Revocation | null>
  /** For each login and each command. Default 10 s. */
  readonly stepTimeoutMs?: number
}

interface Examination {
  readonly node: FleetNode
  readonly requestedBy: string
  readonly steps: DoctorStep[]
  diagnosis: Diagnosis | null
}

type StepResult = Omit<DoctorStep, 'name' | 'durationMs'>

/**
 * Looks at everything between us and work on a node, in order, changing nothing there. Each step says what it saw; the
 * first thing that is wrong becomes the one cause, and what cannot be looked at after it is marked skipped.
 */
export function createDoctor(dependencies: DoctorDependencies): Doctor {
  return {
    examine: async (node, { requestedBy }): Promise<DoctorReport> => {
      const examination: Examination = { node, requestedBy, steps: [], diagnosis: null }
      await new Examiner({ stepTimeoutMs: 10_000, ...dependencies }, examination).run()
      return { nodeName: node.name, steps: examination.steps, diagnosis: examination.diagnosis }
    },
  }
}

const ok = (detail: string, evidence: readonly string[] = []): StepResult => ({
  status: 'ok',
  detail,
  evidence: [...evidence],
})
const failed = (diagnosis: Diagnosis): StepResult => ({
  status: 'failed',
  detail: diagnosis.sentence,
  evidence: diagnosis.evidence,
})
const skipped = (detail: string): StepResult => ({ status: 'skipped', detail, evidence: [] })

class Examiner {
  readonly #dependencies: Required<DoctorDependencies>
  readonly #examination: Examination

  constructor(dependencies: Required<DoctorDependencies>, examination: Examination) {
    this.#dependencies = dependencies
    this.#examination = examination
  }

  async run(): Promise<void> {
    const identity = await this.#ownIdentity()
    await this.#step('address', () => this.#resolve())
    const connection = identity === null || this.#found ? null : await this.#login(identity)
    try {
      await this.#lookInside(connection)
    } finally {
      connection?.destroy()
    }
  }

  get #found(): boolean {
    return this.#examination.diagnosis !== null
  }

  async #step(name: string, look: () => Promise<StepResult>): Promise<void> {
    const startedMs = this.#dependencies.clock.monotonicMs()
    const result = await look()
    const durationMs = Math.round(this.#dependencies.clock.monotonicMs() - startedMs)
    this.#examination.steps.push({ name, durationMs, ...result })
  }

  #conclude(diagnosis: Diagnosis): StepResult {
    this.#examination.diagnosis ??= diagnosis
    return failed(diagnosis)
  }

  #concludeAttempt(identity: NodeIdentity, evidence: ConnectEvidence): StepResult {
    return this.#conclude(diagnoseConnection(this.#examination.node, { ...evidence, ...presentedBy(identity) }))
  }

  async #ownIdentity(): Promise<NodeIdentity | null> {
    const { node } = this.#examination
    const { identities, clock } = this.#dependencies
    let identity: NodeIdentity | null = null
    await this.#step(node.login.kind === 'certificate' ? 'certificate' : 'static key', async () => {
      try {
        identity = await identities.ensure(node, 'automation', { reason: 'doctor' })
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown
        return this.#conclude(ourFault(thrown))
      }
      if (identity.kind === 'static-key') return staticKeyResult(identity)
      const { serial, principals, validBefore } = identity.certificate
      const minutes = Math.round((validBefore - clock.nowMs()) / 60_000)
      const state = validityAt(identity.certificate, clock.nowMs())
      return ok(
        `certificate ${serial} for ${principals.join(', ')} is ${state === 'valid' ? `valid for ${minutes} more minutes` : state}`,
      )
    })
    return identity
  }

  async #resolve(): Promise<StepResult> {
    const { node } = this.#examination
    if (isIP(node.address.replace(/%.*$/, '')) !== 0) return ok(`${node.address} is an IP address`)
    try {
      const addresses = await lookup(node.address, { all: true })
      return ok(`${node.address} is ${addresses.map((found) => found.address).join(', ')}`)
    } catch (thrown) {
      const errno = (thrown as NodeJS.ErrnoException).code ?? 'ENOTFOUND'
      return this.#conclude(
        diagnoseConnection(node, { stage: 'resolve', nowMs: this.#dependencies.clock.nowMs(), errno }),
      )
    }
  }

  /** Connect, identification, host key and login are one conversation with the server; its stages become steps. */
  async #login(identity: NodeIdentity): Promise<SshConnection | null> {
    const startedMs = this.#dependencies.clock.monotonicMs()
    const trace = new AttemptTrace()
    const attempt = await this.#attempt(identity, trace)
    const durationMs = Math.round(this.#dependencies.clock.monotonicMs() - startedMs)
    if (!(attempt instanceof AttemptFailed)) {
      for (const name of connectSteps) this.#push(name, durationMs, ok(this.#stageDetail(name, trace)))
      return attempt
    }
    const failedStep = stepOfStage(attempt.evidence)
    for (const name of connectSteps) {
      if (name === failedStep) break
      this.#push(name, durationMs, ok(this.#stageDetail(name, trace)))
    }
    if (failedStep === 'login' && identity.kind === 'certificate')
      await this.#explainRefusal(identity, attempt.evidence)
    else this.#push(failedStep, durationMs, this.#concludeAttempt(identity, attempt.evidence))
    return null
  }

  #push(name: string, durationMs: number, result: StepResult): void {
    this.#examination.steps.push({ name, durationMs, ...result })
  }

  #stageDetail(step: ConnectStep, trace: AttemptTrace): string {
    const { node } = this.#examination
    const details: Record<ConnectStep, string> = {
      connect: `${node.address} answers on port ${node.port}`,
      'ssh server': `identifies itself as ${trace.banner ?? 'nothing'}`,
      'host key': 'is the accepted one',
      login: `${node.user} was let in`,
    }
    return details[step]
  }

  #attempt(identity: NodeIdentity, trace: AttemptTrace): Promise<SshConnection | AttemptFailed> {
    const { node } = this.#examination
    const { clock, stepTimeoutMs } = this.#dependencies
    const connecting = withDeadline({ clock, timeoutMs: stepTimeoutMs, signals: [] }, (signal) =>
      connectSsh(node, { user: node.user, pins: node.hostKeys, identity, clock, signal, trace }),
    )
    return connecting.catch((thrown: unknown) => {
      if (thrown instanceof AttemptFailed) return thrown
      throw thrown
    })
  }

  /** sshd says the same for every reason, so two other certificates are tried: who gets in tells why we did not. */
  async #explainRefusal(identity: CertificateIdentity, evidence: ConnectEvidence): Promise<void> {
    const wide = await this.#tryVariant('wide-validity')
    const asUser =
      wide.outcome === 'accepted' || this.#examination.node.user === this.#examination.node.principal
        ? notTried
        : await this.#tryVariant('principal-is-user')
    const probes: LoginProbes = { wideValidity: wide.outcome, principalIsUser: asUser.outcome }
    const skew = wide.clockSkewMs ?? asUser.clockSkewMs
    const certificate = presentedCertificate(identity.certificate)
    const refusal = diagnoseConnection(this.#examination.node, {
      ...evidence,
      certificate,
      probes,
      ...(skew === null ? {} : { clockSkewMs: skew }),
    })
    const revocation = await this.#dependencies.revocationOf(identity.certificate)
    const diagnosis = refineRefusal(this.#examination.node, refusal, { certificate, revocation })
    await this.#step('login', async () => this.#conclude(diagnosis))
    if (asUser.outcome !== 'not-tried')
      this.#push(`login as principal ${this.#examination.node.user}`, asUser.durationMs, variantResult(asUser))
    this.#push('login with a wide validity', wide.durationMs, variantResult(wide))
  }

  async #tryVariant(variant: LoginVariant): Promise<VariantOutcome> {
    const { node, requestedBy } = this.#examination
    const { clock, probeIdentity, stepTimeoutMs } = this.#dependencies
    const startedMs = clock.monotonicMs()
    const took = (): number => Math.round(clock.monotonicMs() - startedMs)
    const identity = await probeIdentity(node, variant, { requestedBy })
    const attempt = await this.#attempt(identity, new AttemptTrace())
    if (attempt instanceof AttemptFailed) return { outcome: 'refused', clockSkewMs: null, durationMs: took() }
    try {
      const sentAt = clock.nowMs()
      // Whatever is asked for, the certificate's forced command tells the time and nothing else.
      const result = await withDeadline({ clock, timeoutMs: stepTimeoutMs, signals: [] }, (signal) =>
        runCommand(attempt, 'date +%s', { signal }),
      )
      return {
        outcome: 'accepted',
        clockSkewMs: clockSkewFrom(result, { sentAt, receivedAt: clock.nowMs() }),
        durationMs: took(),
      }
    } catch {
      return { outcome: 'accepted', clockSkewMs: null, durationMs: took() }
    } finally {
      attempt.destroy()
    }
  }

  async #lookInside(connection: SshConnection | null): Promise<void> {
    const facts = connection === null ? null : await this.#askNode(connection)
    for (const name of insideSteps) {
      if (facts === null) this.#push(name, 0, skipped('not looked at: we did not get that far'))
      else this.#push(name, facts.durationMs, insideResult(name, facts.facts))
    }
    if (facts === null || this.#found) return
    this.#examination.diagnosis = diagnoseNodeFacts(this.#examination.node, facts.facts)
  }

  async #askNode(
    connection: SshConnection,
  ): Promise<{ readonly facts: NodeFacts; readonly durationMs: number } | null> {
    const { clock, stepTimeoutMs } = this.#dependencies
    const { node } = this.#examination
    const startedMs = clock.monotonicMs()
    const sentAt = clock.nowMs()
    try {
      const result = await withDeadline({ clock, timeoutMs: stepTimeoutMs, signals: [] }, (signal) =>
        runCommand(connection, nodeFactsCommand, { signal }),
      )
      const facts = parseNodeFacts(Buffer.from(result.stdout).toString('utf8'))
      const durationMs = Math.round(clock.monotonicMs() - startedMs)
      if (facts === null) {
        this.#push(
          'shell',
          durationMs,
          this.#conclude(
            diagnoseConnection(node, {
              stage: 'channel',
              nowMs: clock.nowMs(),
              message: 'the shell did not run our command',
            }),
          ),
        )
        return null
      }
      const clockSkewMs = clockSkewFrom(
        { exitCode: 0, stdout: Buffer.from(String(facts.clockSeconds ?? '')) },
        { sentAt, receivedAt: clock.nowMs() },
      )
      return { facts: { ...facts, clockSkewMs }, durationMs }
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown)
      this.#push(
        'shell',
        Math.round(clock.monotonicMs() - startedMs),
        this.#conclude(diagnoseConnection(node, { stage: 'command', nowMs: clock.nowMs(), message })),
      )
      return null
    }
  }
}

const connectSteps = ['connect', 'ssh server', 'host key', 'login'] as const
type ConnectStep = (typeof connectSteps)[number]

function stepOfStage(evidence: ConnectEvidence): ConnectStep {
  if (evidence.hostKey !== undefined) return 'host key'
  if (evidence.stage === 'resolve' || evidence.stage === 'connect') return 'connect'
  return evidence.stage === 'banner' || evidence.stage === 'handshake' ? 'ssh server' : 'login'
}

interface VariantOutcome {
  readonly outcome: LoginProbes['wideValidity']
  readonly clockSkewMs: number | null
  readonly durationMs: number
}

const notTried: VariantOutcome = { outcome: 'not-tried', clockSkewMs: null, durationMs: 0 }

function variantResult({ outcome, clockSkewMs }: VariantOutcome): StepResult {
  if (outcome !== 'accepted') return { status: 'warning', detail: 'refused too', evidence: [] }
  return ok(
    clockSkewMs === null
      ? 'accepted'
      : `accepted; the clock of the node is ${Math.round(clockSkewMs / 1000)} s from ours`,
  )
}

const insideSteps = ['clock', 'disk', 'home directory', 'rsync'] as const

function insideResult(step: (typeof insideSteps)[number], facts: NodeFacts): StepResult {
  if (step === 'clock') return clockResult(facts.clockSkewMs)
  if (step === 'disk') return diskResult(facts)
  if (step === 'home directory')
    return facts.homeWritable
      ? ok(`${facts.home} can be written`)
      : { status: 'failed', detail: `${facts.home} cannot be written`, evidence: [] }
  return facts.rsync === null
    ? { status: 'warning', detail: 'rsync is not installed; directory trees need it', evidence: [] }
    : ok(facts.rsync)
}

function clockResult(clockSkewMs: number | null): StepResult {
  if (clockSkewMs === null) return { status: 'warning', detail: 'the clock could not be read', evidence: [] }
  const seconds = Math.round(clockSkewMs / 1000)
  if (Math.abs(seconds) < 30) return ok(seconds === 0 ? 'agrees with ours' : `${seconds} s from ours`)
  return {
    status: 'warning',
    detail: `${seconds} s from ours; set it by NTP before certificates are refused`,
    evidence: [],
  }
}

function diskResult(facts: NodeFacts): StepResult {
  if (facts.diskFreeBytes === null) return { status: 'warning', detail: 'free space could not be read', evidence: [] }
  const mebibytes = Math.floor(facts.diskFreeBytes / 1024 ** 2)
  return {
    status: mebibytes < 64 ? 'warning' : 'ok',
    detail: `${mebibytes} MiB free where ${facts.home} lies`,
    evidence: [],
  }
}

/** It works, and that it works for whoever has the file is worth a warning. */
const staticKeyResult = ({ fingerprint, keyFile }: StaticKeyIdentity): StepResult => ({
  status: 'warning',
  detail: `static key ${fingerprint} from ${keyFile}: it does not end, and revoking certificates does not stop it`,
  evidence: [],
})

/** The certificate could not be made, or the key not read, here; the node is not to blame. */
function ourFault(error: AppError): Diagnosis {
  const carried = Diagnosis.safeParse(error.data?.diagnosis)
  if (carried.success) return carried.data
  return {
    code: error.code,
    sentence: error.message,
    short: 'no certificate',
    evidence: [],
    nextAction: { kind: 'none', label: 'See the message' },
    transient: false,
  }
}
