import { z } from 'zod'
import {
  agentApiLimits,
  agentApiPaths,
  ClientCertificateRequest,
  ClientCertificateResponse,
  DeliveriesResponse,
  DeliveryReport,
  DeliveryResponse,
  EnrollRequest,
  EnrollResponse,
  HeartbeatRequest,
  HeartbeatResponse,
  LogResponse,
  RegisterRequest,
  RegisterResponse,
  RootsResponse,
  SshCertificateRequest,
  SshCertificateResponse,
  StateRequest,
  StateResponse,
} from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import { IdempotencyKey, RunId } from '../../shared/model/ids.ts'
import type { AgentAccess } from '../fleet/agentAccess.ts'
import type { AgentEnrollment } from '../fleet/agentEnrollment.ts'
import type { RootCertificate } from '../ports.ts'
import type { AgentRuns } from '../runs/agentRuns.ts'
import type { PulledRuns } from '../runs/pulledRuns.ts'
import type { Expense } from './agentBudget.ts'
import type { Answer } from './http.ts'

/** What the routes call. */
export interface GatewayServices {
  readonly enrollment: AgentEnrollment
  readonly access: AgentAccess
  readonly runs: AgentRuns
  readonly pulled: PulledRuns
  readonly roots: () => Promise<readonly RootCertificate[]>
}

/** One request, its body read but not judged. */
export interface Call {
  readonly from: string
  readonly parameters: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Bytes where the route takes bytes, parsed JSON where it takes JSON, undefined where it takes nothing. */
  readonly body: unknown
}

/** A request whose client certificate was proven and compared with the store. */
export interface AgentCall extends Call {
  readonly agent: Agent
  readonly serial: string
}

interface RouteDescription {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** As OpenAPI writes it. */
  readonly path: string
  readonly summary: string
  readonly request: z.ZodType | 'bytes' | null
  readonly query?: z.ZodObject
  /** What it uses up beside a request. */
  readonly expense?: Expense
  /** By status, besides the errors that every route has. */
  readonly responses: Readonly<Record<number, z.ZodType>>
}

/**
 * A route is for agents unless it says that it is public: then anybody who reaches the port may call it, with or
 * without a certificate.
 */
export type Route = RouteDescription &
  (
    | { readonly access: 'public'; readonly handle: (call: Call) => Promise<Answer> }
    | { readonly access: 'agent'; readonly handle: (call: AgentCall) => Promise<Answer> }
  )

const LogQuery = z.object({ offset: z.string().regex(/^\d{1,15}$/, 'a number of bytes') })

const ok = (body: unknown): Answer => ({ status: 200, body })
const anyJson = z.record(z.string(), z.unknown())

/** Everything the gateway serves. `describe` makes the document at {@link agentApiPaths.openApi}. */
export function createRoutes(services: GatewayServices, describe: () => unknown): readonly Route[] {
  return [
    ...publicRoutes(services, describe),
    ...agentRoutes(services),
    ...pullRoutes(services),
    ...runRoutes(services),
  ]
}

function publicRoutes({ enrollment, roots }: GatewayServices, describe: () => unknown): readonly Route[] {
  return [
    {
      method: 'GET',
      path: agentApiPaths.health,
      access: 'public',
      summary: 'Whether the gateway answers',
      request: null,
      responses: { 200: z.object({ status: z.literal('ok') }) },
      handle: async () => ok({ status: 'ok' }),
    },
    {
      method: 'GET',
      path: agentApiPaths.openApi,
      access: 'public',
      summary: 'This document',
      request: null,
      responses: { 200: anyJson },
      handle: async () => ok(describe()),
    },
    {
      method: 'GET',
      path: agentApiPaths.roots,
      access: 'public',
      summary: 'The root certificates; compare their SHA-256 with the pin of the join token',
      request: null,
      responses: { 200: RootsResponse },
      handle: async () => ok({ roots: (await roots()).map((root) => root.pem) }),
    },
    {
      method: 'POST',
      path: agentApiPaths.enroll,
      access: 'public',
      summary: 'Become an agent, with a join token that serves once',
      request: EnrollRequest,
      responses: { 201: EnrollResponse },
      handle: async ({ body, from }) => ({
        status: 201,
        body: await enrollment.enroll(parsed(EnrollRequest, body), from),
      }),
    },
  ]
}

function agentRoutes({ access }: GatewayServices): readonly Route[] {
  return [
    {
      method: 'POST',
      path: agentApiPaths.heartbeat,
      access: 'agent',
      expense: 'heartbeat',
      summary: 'Say what the agent does; learn the time, the roots to trust and whether to renew',
      request: HeartbeatRequest,
      responses: { 200: HeartbeatResponse },
      handle: async ({ agent, body, from }) => ok(await access.heartbeat(agent, parsed(HeartbeatRequest, body), from)),
    },
    {
      method: 'POST',
      path: agentApiPaths.clientCertificate,
      access: 'agent',
      expense: 'certificate',
      summary: 'A new client certificate; the old one counts until the new one was used',
      request: ClientCertificateRequest,
      responses: { 200: ClientCertificateResponse },
      handle: async ({ agent, serial, body }) => {
        const { certificateRequest } = parsed(ClientCertificateRequest, body)
        return ok(await access.renewClientCertificate(agent, certificateRequest, serial))
      },
    },
    {
      method: 'POST',
      path: agentApiPaths.sshCertificate,
      access: 'agent',
      expense: 'certificate',
      summary: 'An SSH certificate over the key the agent enrolled with',
      request: SshCertificateRequest,
      responses: { 200: SshCertificateResponse },
      handle: async ({ agent, body }) => ok(await access.certifySshKey(agent, parsed(SshCertificateRequest, body))),
    },
  ]
}

function pullRoutes({ pulled }: GatewayServices): readonly Route[] {
  return [
    {
      method: 'GET',
      path: agentApiPaths.deliveries,
      access: 'agent',
      summary:
        'What the registry has for the machine of this agent: whole texts, with what they have to be read back as',
      request: null,
      responses: { 200: DeliveriesResponse },
      handle: async ({ agent }) => ok(await pulled.deliveriesFor(agent)),
    },
    {
      method: 'PUT',
      path: '/v1/sync/deliveries/{key}',
      access: 'agent',
      expense: 'registration',
      summary: 'What became of one of them, under a key of the agent: same key, same run',
      request: DeliveryReport,
      responses: { 200: DeliveryResponse, 201: DeliveryResponse },
      handle: async ({ agent, parameters, body }) => {
        const key = parsed(IdempotencyKey, parameters.key, 'key')
        const { runId, isNew } = await pulled.report(agent, key, parsed(DeliveryReport, body))
        return { status: isNew ? 201 : 200, body: { runId } }
      },
    },
  ]
}

function runRoutes({ runs }: GatewayServices): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/sync/registrations/{key}',
      access: 'agent',
      expense: 'registration',
      summary: 'Register a run under a key of the agent: same key, same run',
      request: RegisterRequest,
      responses: { 200: RegisterResponse, 201: RegisterResponse },
      handle: async ({ agent, parameters, body }) => {
        const key = parsed(IdempotencyKey, parameters.key, 'key')
        const { response, isNew } = await runs.register(agent, key, parsed(RegisterRequest, body))
        return { status: isNew ? 201 : 200, body: response }
      },
    },
    {
      method: 'PUT',
      path: '/v1/sync/runs/{runId}/state',
      access: 'agent',
      summary: 'What became of a run; an older sequence than known is ignored',
      request: StateRequest,
      responses: { 200: StateResponse },
      handle: async ({ agent, parameters, body }) =>
        ok(await runs.report(agent, runIdOf(parameters), parsed(StateRequest, body))),
    },
    {
      method: 'PUT',
      path: '/v1/sync/runs/{runId}/log',
      access: 'agent',
      summary: 'A piece of the log of a run; what is there already is skipped, after a gap nothing is taken',
      request: 'bytes',
      query: LogQuery,
      responses: { 200: LogResponse },
      handle: async ({ agent, parameters, query, body }) => {
        const { offset } = parsed(LogQuery, Object.fromEntries(query))
        return ok(
          await runs.appendLog(agent, runIdOf(parameters), { offset: Number(offset), bytes: body as Uint8Array }),
        )
      },
    },
  ]
}

/** Nobody has proven anything there yet, and what has to be said is short. */
const publicBodyBytes = 32_768

/** Of the body a route takes. */
export function limitOf({ request, access }: Pick<Route, 'request' | 'access'>): number {
  if (access === 'public') return publicBodyBytes
  return request === 'bytes' ? agentApiLimits.logChunkBytes : agentApiLimits.bodyBytes
}

function runIdOf({ runId }: Readonly<Record<string, string>>): RunId {
  const id = RunId.safeParse(runId)
  if (id.success) return id.data
  throw new AppError('NOT_FOUND', 'There is no such run.')
}

const mostFlaws = 20

/** @throws INVALID_INPUT naming the fields; what stood in them is not repeated */
function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, name = ''): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const fields = result.error.issues.slice(0, mostFlaws).map((issue) => ({
    field: [name, ...issue.path.map(String)].filter((part) => part !== '').join('.'),
    message: issue.message,
  }))
  const words = fields.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ')
  throw new AppError('INVALID_INPUT', `What was sent does not read. ${words}`, { data: { fields } })
}
