import { hostname } from 'node:os'
import { agentSpecOf, pulledKinds } from '../../core/agent/config.ts'
import { reportedLock } from '../../core/agent/lock.ts'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import type { HeartbeatResponse } from '../../shared/agentApi/index.ts'
import type { AgentActivity } from '../../shared/model/agent.ts'
import type { AgentSetup } from '../config.ts'
import { holderFacts, lockSelf, readLock } from '../lockFile.ts'
import { spooledReports } from '../run/spool.ts'
import { agentVersion } from '../version.ts'
import { makeCertificateRequest, readClientKey } from './certificateRequest.ts'
import { ControlPlane } from './controlPlane.ts'
import {
  checkClientCertificate,
  type Enrollment,
  isClientCertificateOld,
  loadEnrollment,
  rootFingerprint,
  writeRoots,
} from './enrollment.ts'

export interface SessionOptions {
  readonly setup: AgentSetup
  readonly clock: Clock
  readonly logger: Logger
}

/** The control plane as this agent knows it: its roots and our certificate, kept up to date by heartbeats. */
export class Session {
  readonly controlPlane: ControlPlane
  readonly #options: SessionOptions
  #enrollment: Enrollment

  private constructor(options: SessionOptions, enrollment: Enrollment) {
    const { config } = options.setup
    this.#options = options
    this.#enrollment = enrollment
    this.controlPlane = new ControlPlane({
      url: config.control_plane.url ?? enrollment.url,
      timeoutMs: config.control_plane.request_timeout_seconds * 1000,
      trust: () => ({
        roots: this.#enrollment.roots,
        client: { certificate: this.#enrollment.clientCertificate, key: this.#enrollment.clientKey },
      }),
    })
  }

  /** @throws AppError PRECONDITION_FAILED when this machine is not enrolled */
  static async open(options: SessionOptions): Promise<Session> {
    return new Session(options, await loadEnrollment(options.setup.layout))
  }

  get enrollment(): Enrollment {
    return this.#enrollment
  }

  /**
   * Says that we live and what we do, and takes what comes back: new roots first, then, when it is time, a new client
   * certificate.
   */
  async heartbeat(activity: AgentActivity): Promise<void> {
    const { answer } = await this.say(activity)
    await this.#takeRoots(answer.roots)
    const old = isClientCertificateOld(this.#enrollment.clientCertificate, this.#options.clock.nowMs())
    if (answer.renewClientCertificate || old) await this.#renewClientCertificate()
  }

  /** A heartbeat that changes nothing here. `clockSkewMs`: clock of the control plane minus ours. */
  async say(activity: AgentActivity): Promise<{ readonly answer: HeartbeatResponse; readonly clockSkewMs: number }> {
    const { setup, clock } = this.#options
    const found = await readLock(setup.config.lock_file)
    const sentAt = clock.nowMs()
    const answer = await this.controlPlane.heartbeat({
      sentAt,
      version: agentVersion,
      activity,
      // Which run it is for does not matter here: a lock of this very process is ours.
      lock: reportedLock(found, lockSelf(found.status === 'held' ? [found.content.run_id] : []), holderFacts(found)),
      spooledReports: await spooledReports(setup.state.spool),
      trustedRoots: this.#enrollment.roots.map(rootFingerprint),
      spec: agentSpecOf(setup.config),
      pulls: pulledKinds(setup.config.deliveries),
    })
    return { answer, clockSkewMs: answer.now - Math.round((sentAt + clock.nowMs()) / 2) }
  }

  /** On disk before they count: a crash in between must not leave an agent that trusts nobody. */
  async #takeRoots(roots: readonly string[]): Promise<void> {
    const known = this.#enrollment.roots.map(rootFingerprint).sort().join()
    if (roots.length === 0 || fingerprints(roots) === known) return
    const written = await writeRoots(this.#options.setup.layout, roots)
    this.#enrollment = { ...this.#enrollment, roots: written }
    this.#options.logger.info({ roots: written.length }, 'the control plane has other roots now; they are trusted')
  }

  async #renewClientCertificate(): Promise<void> {
    const { layout } = this.#options.setup
    const key = await readClientKey(layout.clientKey)
    const request = await makeCertificateRequest(key, hostname())
    const { clientCertificate, roots } = await this.controlPlane.renewClientCertificate(request)
    checkClientCertificate(clientCertificate, key.publicKey)
    await writeFileAtomic(layout.clientCertificate, clientCertificate, { mode: 0o644 })
    this.#enrollment = { ...this.#enrollment, clientCertificate }
    this.#options.logger.info({}, 'the client certificate was renewed')
    await this.#takeRoots(roots)
  }
}

function fingerprints(roots: readonly string[]): string {
  try {
    return roots.map(rootFingerprint).sort().join()
  } catch {
    return 'not certificates'
  }
}
