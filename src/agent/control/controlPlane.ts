import type { z } from 'zod'
import {
  agentApiPaths,
  ClientCertificateResponse,
  DeliveriesResponse,
  type DeliveryReport,
  DeliveryResponse,
  type HeartbeatRequest,
  HeartbeatResponse,
  LogResponse,
  type RegisterRequest,
  RegisterResponse,
  SshCertificateResponse,
  type StateRequest,
  StateResponse,
} from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import { type ControlPlaneRequest, type ControlPlaneTrust, callControlPlane } from './request.ts'

export interface ControlPlaneOptions {
  readonly url: string
  readonly timeoutMs: number
  /** Read for every request, so that new roots and certificates count at once. */
  readonly trust: () => ControlPlaneTrust
}

interface CallOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** The REST contract of agents as calls. All of them throw what {@link callControlPlane} throws. */
export class ControlPlane {
  readonly #options: ControlPlaneOptions

  constructor(options: ControlPlaneOptions) {
    this.#options = options
  }

  get url(): string {
    return this.#options.url
  }

  heartbeat(body: HeartbeatRequest, options: CallOptions = {}): Promise<HeartbeatResponse> {
    return this.#call({ method: 'POST', path: agentApiPaths.heartbeat, body }, HeartbeatResponse, options)
  }

  renewClientCertificate(certificateRequest: string): Promise<ClientCertificateResponse> {
    const call = { method: 'POST', path: agentApiPaths.clientCertificate, body: { certificateRequest } } as const
    return this.#call(call, ClientCertificateResponse, {})
  }

  sshCertificate(
    body: { readonly publicKey: string; readonly minValidSeconds: number },
    options: CallOptions = {},
  ): Promise<SshCertificateResponse> {
    return this.#call({ method: 'POST', path: agentApiPaths.sshCertificate, body }, SshCertificateResponse, options)
  }

  /** Same key, same run, however often it is sent (S0.60, S0.88). */
  register(key: string, body: RegisterRequest, options: CallOptions = {}): Promise<RegisterResponse> {
    return this.#call({ method: 'PUT', path: agentApiPaths.registration(key), body }, RegisterResponse, options)
  }

  deliveries(options: CallOptions = {}): Promise<DeliveriesResponse> {
    return this.#call({ method: 'GET', path: agentApiPaths.deliveries }, DeliveriesResponse, options)
  }

  /** Same key, same run. */
  reportDelivery(key: string, body: DeliveryReport, options: CallOptions = {}): Promise<DeliveryResponse> {
    return this.#call({ method: 'PUT', path: agentApiPaths.delivery(key), body }, DeliveryResponse, options)
  }

  putState(runId: string, body: StateRequest, options: CallOptions = {}): Promise<StateResponse> {
    return this.#call({ method: 'PUT', path: agentApiPaths.state(runId), body }, StateResponse, options)
  }

  putLog(runId: string, offset: number, body: Uint8Array, options: CallOptions = {}): Promise<LogResponse> {
    const path = `${agentApiPaths.log(runId)}?offset=${offset}`
    return this.#call({ method: 'PUT', path, body }, LogResponse, options)
  }

  async #call<T>(call: Omit<ControlPlaneRequest, 'timeoutMs'>, schema: z.ZodType<T>, options: CallOptions): Promise<T> {
    const { url, timeoutMs, trust } = this.#options
    const { content } = await callControlPlane(url, trust(), { timeoutMs, ...call, ...options })
    const answer = schema.safeParse(content)
    if (answer.success) return answer.data
    throw new AppError(
      'AGENT_VERSION_UNSUPPORTED',
      `${url} answered ${call.path} in a form this agent does not know: upgrade the older of the two.`,
    )
  }
}
