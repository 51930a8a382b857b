import { type IncomingMessage, request as requestOverHttp } from 'node:http'
import { type RequestOptions, request as requestOverTls } from 'node:https'
import type { Clock } from '../../../platform/clock.ts'
import { AppError } from '../../../shared/errors.ts'
import { type CallSubject, connectionFailure, statusFailure, timeoutFailure } from './apiFailure.ts'
import type { ClusterAccess } from './clusterAccess.ts'
import { deadline } from './timing.ts'

export interface ApiCall {
  readonly method: 'GET' | 'PATCH'
  /** Below the address of the API server, without a query. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly accept?: string
  /** Sent as a JSON merge patch (RFC 7396). */
  readonly patch?: unknown
  /** E.g. `read the ConfigMap default/service-registry`. */
  readonly aim: string
}

export interface CallOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** A ConfigMap holds 1 MiB at most; as JSON in JSON, with managed fields, it is several times that. */
const largestAnswerBytes = 32 * 1024 * 1024

/**
 * One call to an API server.
 *
 * @returns the answer as JSON
 * @throws AppError REGISTRY_SOURCE_UNREACHABLE, REGISTRY_SOURCE_REFUSED, NOT_FOUND, CONFLICT with `data.status`; CANCELED
 */
export async function callApi(access: ClusterAccess, call: ApiCall, options: CallOptions): Promise<unknown> {
  const { clock, timeoutMs, signal } = options
  const subject = subjectOf(access, call)
  const credentials = await credentialsFor(access, signal)
  const limit = deadline(clock, timeoutMs, { parent: signal })
  try {
    const response = await open(access, call, { credentials, signal: limit.signal })
    const text = await readWhole(response, subject)
    return parseJson(text, subject)
  } catch (thrown) {
    if (signal.aborted) throw canceled()
    throw limit.expired() ? timeoutFailure(timeoutMs, subject) : connectionFailure(thrown, subject)
  } finally {
    limit.cancel()
  }
}

/**
 * A call whose answer is one JSON object a line, for as long as it is open.
 *
 * @param options.timeoutMs for the answer to begin
 * @param options.openMs for all of it: a stream that is open for longer has nobody at its other end any more
 * @throws AppError as {@link callApi}. A stream that ends between two lines just ends.
 */
export async function* streamApi(
  access: ClusterAccess,
  call: ApiCall,
  options: CallOptions & { readonly openMs: number },
): AsyncGenerator<unknown> {
  const { clock, timeoutMs, openMs, signal } = options
  const subject = subjectOf(access, call)
  const credentials = await credentialsFor(access, signal)
  const life = deadline(clock, openMs, { parent: signal })
  const start = deadline(clock, timeoutMs, { parent: life.signal })
  try {
    const response = await open(access, call, { credentials, signal: start.signal })
    const unlink = linkEnd(life.signal, response)
    start.cancel()
    try {
      for await (const line of linesOf(response, subject)) yield parseJson(line, subject)
    } finally {
      unlink()
      response.destroy()
    }
  } catch (thrown) {
    if (signal.aborted) throw canceled()
    if (start.expired()) throw timeoutFailure(timeoutMs, subject)
    throw life.expired() ? timeoutFailure(openMs, subject) : connectionFailure(thrown, subject)
  } finally {
    start.cancel()
    life.cancel()
  }
}

function linkEnd(signal: AbortSignal, response: IncomingMessage): () => void {
  const end = (): void => void response.destroy(new Error('ended by us'))
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  return () => signal.removeEventListener('abort', end)
}

function subjectOf(access: ClusterAccess, { aim }: ApiCall): CallSubject {
  return { server: access.server.origin, aim }
}

/** Before the clock of the call runs: a credential plugin has its own time, since it may have to ask somebody itself. */
async function credentialsFor(access: ClusterAccess, signal: AbortSignal): Promise<RequestOptions> {
  try {
    return await access.requestOptions(signal)
  } catch (thrown) {
    throw signal.aborted ? canceled() : thrown
  }
}

interface Sending {
  readonly credentials: RequestOptions
  readonly signal: AbortSignal
}

/** Resolves with an answer that says yes. */
async function open(access: ClusterAccess, call: ApiCall, sending: Sending): Promise<IncomingMessage> {
  const response = await send(access.server, call, sending)
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return response
  const said = await readWhole(response, subjectOf(access, call))
  if (status === 401) access.forget()
  throw statusFailure(status, access.redact(messageIn(said)), subjectOf(access, call))
}

function send(server: URL, call: ApiCall, { credentials, signal }: Sending): Promise<IncomingMessage> {
  const body = call.patch === undefined ? undefined : JSON.stringify(call.patch)
  const request = server.protocol === 'https:' ? requestOverTls : requestOverHttp
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const sent = request(urlOf(server, call), {
      ...credentials,
      method: call.method,
      signal,
      headers: {
        ...credentials.headers,
        accept: call.accept ?? 'application/json',
        'user-agent': 'lockstep',
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/merge-patch+json', 'content-length': Buffer.byteLength(body) }),
      },
    })
    sent.once('response', resolve)
    sent.once('error', reject)
    sent.end(body)
  })
}

/** The address of a cluster may have a path of its own, as behind a gateway of many clusters. */
function urlOf(server: URL, { path, query }: ApiCall): URL {
  const url = new URL(server)
  url.pathname = `${server.pathname.replace(/\/+$/, '')}${path}`
  url.search = new URLSearchParams(query).toString()
  return url
}

async function readWhole(response: IncomingMessage, subject: CallSubject): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > largestAnswerBytes) throw tooLarge(subject)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What is behind the last line break was cut off, and is no line. */
async function* linesOf(response: IncomingMessage, subject: CallSubject): AsyncGenerator<string> {
  let parts: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    let from = 0
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, at)]).toString('utf8')
      parts = []
      sizeBytes = 0
      from = at + 1
      if (line.trim() !== '') yield line
    }
    parts.push(chunk.subarray(from))
    sizeBytes += chunk.length - from
    if (sizeBytes > largestAnswerBytes) throw tooLarge(subject)
  }
}

function parseJson(text: string, { server, aim }: CallSubject): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError(
      'REGISTRY_SOURCE_UNREACHABLE',
      `Cannot ${aim}: what ${server} answered is not JSON. Is it a Kubernetes API server?`,
    )
  }
}

function tooLarge({ server, aim }: CallSubject): AppError {
  return new AppError(
    'REGISTRY_SOURCE_UNREACHABLE',
    `Cannot ${aim}: ${server} answered with more than ${largestAnswerBytes} bytes.`,
  )
}

function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown }
    return typeof message === 'string' ? message : ''
  } catch {
    return ''
  }
}

function canceled(): AppError {
  return new AppError('CANCELED', 'the call was ended')
}
