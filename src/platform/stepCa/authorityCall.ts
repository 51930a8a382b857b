import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { AppError } from '../../shared/errors.ts'
import { explainCallFailure, type RefusalReason, refused, unusable } from './callFailure.ts'

/** Where a step-ca answers: `https://name:port`, without a slash at the end. */
export type AuthorityUrl = string

export interface CallOptions {
  /** For the whole exchange, from connecting to the last byte. Default 10,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

interface AuthorityCall extends CallOptions {
  /** Below `https://name:port`, such as `/1.0/ssh/sign`. */
  readonly path: string
  /** Sent as JSON with POST; without it the call is a GET. */
  readonly body?: unknown
  /** The only root that counts, PEM. Null talks to whoever answers: for content that proves itself. */
  readonly rootPem: string | null
}

export interface AuthorityAnswer {
  readonly status: number
  readonly content: unknown
  /** Its clock when it answered, in epoch milliseconds; null when it did not say. */
  readonly dateMs: number | null
}

const defaultTimeoutMs = 10_000
/** A hundred provisioners with templates are far below this. */
const largestAnswerBytes = 1_048_576

/** @throws AppError INVALID_INPUT for anything but `https://name[:port]` */
export function parseAuthorityUrl(text: string): AuthorityUrl {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : null
  const plain = url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === ''
  if (url === null || url.protocol !== 'https:' || url.hostname === '' || url.password !== '' || !plain) {
    throw new AppError('INVALID_INPUT', 'the address of a step-ca looks like https://ca.internal:9000')
  }
  return url.origin
}

/**
 * One request to a step-ca, over a connection of its own that is closed afterwards.
 *
 * @throws AppError AUTHORITY_UNREACHABLE (no usable answer in time), AUTHORITY_ROOT_MISMATCH (its certificate is not
 *   from the root), AUTHORITY_REFUSED (it said no), CANCELED
 */
export async function callAuthority(url: AuthorityUrl, call: AuthorityCall): Promise<AuthorityAnswer> {
  const answer = await exchange(url, call)
  if (answer.status >= 200 && answer.status < 300) return answer
  if (isRefusal(answer.status)) throw refused(url, refusalReason(answer.status), messageIn(answer.content), answer)
  throw unusable(url, `it answered ${call.path} with status ${answer.status}`)
}

async function exchange(url: AuthorityUrl, call: AuthorityCall): Promise<AuthorityAnswer> {
  const timeoutMs = call.timeoutMs ?? defaultTimeoutMs
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), timeoutMs)
  const signals = call.signal === undefined ? [deadline.signal] : [deadline.signal, call.signal]
  try {
    const response = await send(url, call, AbortSignal.any(signals))
    const text = await readBounded(url, response)
    return { status: response.statusCode ?? 0, content: parseJson(url, text), dateMs: dateOf(response) }
  } catch (thrown) {
    const canceled = call.signal?.aborted === true
    throw explainCallFailure(url, thrown, { canceled, timedOut: deadline.signal.aborted, timeoutMs })
  } finally {
    clearTimeout(timer)
  }
}

function send(url: AuthorityUrl, call: AuthorityCall, signal: AbortSignal): Promise<IncomingMessage> {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body)
  const trust = call.rootPem === null ? { rejectUnauthorized: false } : { rejectUnauthorized: true, ca: [call.rootPem] }
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const sent = request(`${url}${call.path}`, {
      ...trust,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      minVersion: 'TLSv1.2',
      // No shared agent: its sockets would outlive the call, and its sessions the pin.
      agent: false,
      signal,
    })
    sent.once('response', resolve)
    sent.once('error', reject)
    sent.end(body)
  })
}

async function readBounded(url: AuthorityUrl, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > largestAnswerBytes) throw unusable(url, `its answer is larger than ${largestAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(url: AuthorityUrl, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unusable(url, 'its answer is not JSON')
  }
}

function dateOf(response: IncomingMessage): number | null {
  const dateMs = Date.parse(response.headers.date ?? '')
  return Number.isNaN(dateMs) ? null : dateMs
}

/** 501 is how step-ca says that SSH is off; the other 5xx may pass. */
function isRefusal(status: number): boolean {
  return (status >= 400 && status < 500 && status !== 408 && status !== 429) || status === 501
}

function refusalReason(status: number): RefusalReason {
  if (status === 401) return 'not-authorized'
  if (status === 404) return 'not-found'
  return status === 501 ? 'not-enabled' : 'forbidden'
}

function messageIn(content: unknown): string {
  const message = typeof content === 'object' && content !== null && 'message' in content ? content.message : ''
  return typeof message === 'string' ? message : ''
}
