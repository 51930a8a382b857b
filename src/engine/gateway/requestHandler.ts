import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { type Bucket, takeFromBucket, waitForBucket } from '../../core/fleet/bucket.ts'
import type { Clock } from '../../platform/clock.ts'
import type { LogFields, Logger } from '../../platform/logger.ts'
import { agentVersionHeader } from '../../shared/agentApi/index.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import type { AgentId } from '../../shared/model/ids.ts'
import { serialOf } from '../fleet/agentCredentials.ts'
import { AgentBudget } from './agentBudget.ts'
import { type Answer, errorAnswer, parseJson, readBody, send } from './http.ts'
import { identityOf } from './identity.ts'
import { describeRoutes } from './openApi.ts'
import { type AgentCall, createRoutes, type GatewayServices, limitOf, type Route } from './routes.ts'
import { checkAgentVersion } from './version.ts'

export interface RequestHandlerDependencies {
  readonly services: GatewayServices
  /** Of this engine. */
  readonly version: string
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: Logger
  /** A connection has proven to be this agent's. */
  readonly onIdentified: (socket: TLSSocket, agentId: AgentId) => void
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

interface Match {
  readonly route: Route
  readonly parameters: Readonly<Record<string, string>>
}

/** After a refusal the rest of a body is read for this long and thrown away, so that the answer is seen. */
const drainMs = 1_000

/** Refusals cost who is refused nothing: what is more than this is no line of the log unless somebody looks closer. */
const refusalLines = { most: 500, perSecond: 1 }

/** Finds the route, proves who asks, reads, answers. Nothing that goes wrong in here leaves but as an error body. */
export function createRequestHandler(dependencies: RequestHandlerDependencies): RequestHandler {
  const { services, version, clock, logger, onIdentified } = dependencies
  const budget = new AgentBudget(clock)
  let refusals: Bucket | null = null
  const routes: readonly Route[] = createRoutes(services, () => description)
  const description = describeRoutes(routes)

  return async (request, response) => {
    const socket = request.socket as TLSSocket
    const from = addressOf(socket)
    const facts: Record<string, unknown> = { from, method: request.method }
    let answer: Answer
    try {
      answer = await answerTo(request, socket, facts)
    } catch (thrown) {
      const error = toAppError(thrown)
      answer = errorAnswer(error)
      const { code, message } = error
      if (answer.status >= 500) logger.error({ ...facts, err: error }, 'a request of an agent failed')
      else logRefusal({ ...facts, code, message, status: answer.status })
      closeAfter(request, response, answer.status)
    }
    send(response, answer)
    logger.debug({ ...facts, status: answer.status }, 'request of an agent')
  }

  function logRefusal(facts: LogFields): void {
    const nowMs = clock.monotonicMs()
    const isTooMuch = waitForBucket(refusals, refusalLines, nowMs) > 0
    if (!isTooMuch) refusals = takeFromBucket(refusals, refusalLines, { amount: 1, nowMs })
    logger[isTooMuch ? 'debug' : 'info'](facts, 'a request of an agent was refused')
  }

  async function answerTo(
    request: IncomingMessage,
    socket: TLSSocket,
    facts: Record<string, unknown>,
  ): Promise<Answer> {
    const url = urlOf(request)
    const { route, parameters } = findRoute(routes, request.method ?? '', url.pathname)
    facts.route = route.path
    const from = addressOf(socket)
    const call = async (used: (sizeBytes: number) => void = () => undefined) => ({
      from,
      parameters,
      query: url.searchParams,
      body: await bodyOf(request, route, used),
    })
    const checkVersion = () => checkAgentVersion(request.headers[agentVersionHeader], version)
    if (route.access === 'public') {
      if (route.request !== null) checkVersion()
      return route.handle(await call())
    }
    const { agent, serial } = await prove(socket, from)
    facts.agentId = agent.id
    onIdentified(socket, agent.id)
    checkVersion()
    const body = route.request === 'bytes' ? ('logBytes' as const) : ('jsonBytes' as const)
    return budget.spend(agent.id, { expense: route.expense ?? null, body }, async (used) =>
      route.handle({ ...(await call(used)), agent, serial }),
    )
  }

  /** For every request anew: what was revoked a moment ago does not count any more. */
  async function prove(socket: TLSSocket, from: string): Promise<Pick<AgentCall, 'agent' | 'serial'>> {
    const { agentId, certificate } = identityOf(socket)
    const serial = serialOf(certificate)
    const validBefore = certificate.validToDate.getTime()
    return { agent: await services.access.authenticate({ agentId, serial, validBefore, from }), serial }
  }
}

/** An IPv4 client of a port for both is written as what it is. */
const addressOf = ({ remoteAddress = 'unknown' }: TLSSocket): string => remoteAddress.replace(/^::ffff:(?=\d+\.)/, '')

function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'https://gateway')
  } catch (cause) {
    throw new AppError('INVALID_INPUT', 'The address of the request does not read.', { cause })
  }
}

function findRoute(routes: readonly Route[], method: string, path: string): Match {
  const matches = routes.flatMap((route) => {
    const parameters = parametersOf(route.path, path)
    return parameters === null ? [] : [{ route, parameters }]
  })
  const match = matches.find(({ route }) => route.method === method)
  if (match !== undefined) return match
  if (matches.length === 0) throw new AppError('NOT_FOUND', 'There is nothing at this address.')
  const allow = matches.map(({ route }) => route.method).join(', ')
  throw new AppError('UNSUPPORTED', `This address takes ${allow} only.`, { data: { allow } })
}

/** Null when the path is not of this form. */
function parametersOf(template: string, path: string): Readonly<Record<string, string>> | null {
  const [wanted, given] = [template.split('/'), path.split('/')]
  if (wanted.length !== given.length) return null
  const parameters: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? ''
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined && part !== value) return null
    if (name !== undefined) parameters[name] = decoded(value)
  }
  return parameters
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // No name of ours looks like this: what it is compared with will say so.
    return text
  }
}

async function bodyOf(request: IncomingMessage, route: Route, used: (sizeBytes: number) => void): Promise<unknown> {
  if (route.request === null) return undefined
  const bytes = await readBody(request, limitOf(route))
  used(bytes.length)
  return route.request === 'bytes' ? bytes : parseJson(bytes)
}

/** Who was refused starts anew; and nobody gets to send the rest of a body that is not wanted. */
function closeAfter(request: IncomingMessage, response: ServerResponse, status: number): void {
  if (status !== 401 && request.complete) return
  // Ends the connection by itself once the request is complete.
  response.setHeader('connection', 'close')
  response.once('finish', () => {
    if (request.complete) return
    request.resume()
    const timer = setTimeout(() => request.socket.destroy(), drainMs)
    request.socket.once('close', () => clearTimeout(timer))
  })
}
