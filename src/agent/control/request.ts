import type { IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { AgentApiError, agentVersionHeader } from '../../shared/agentApi/index.ts'
import { AppError, ErrorCode } from '../../shared/errors.ts'
import { agentVersion } from '../version.ts'

/** Who we are, and whom we believe. PEM. */
export interface ControlPlaneTrust {
  /** Null: talk to whoever answers, for content that proves itself. */
  readonly roots: readonly string[] | null
  readonly client: { readonly certificate: string; readonly key: string } | null
}

export interface ControlPlaneRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Path and query. */
  readonly path: string
  /** Bytes go as they are, everything else as JSON. */
  readonly body?: unknown
  /** For the whole exchange, from connecting to the last byte. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface ControlPlaneAnswer {
  readonly status: number
  readonly content: unknown
}

/** Of whoever has proven itself: ten thousand services are several megabytes of routes. */
const largestAnswerBytes = 64 * 1024 * 1024
/** Of anybody who answers. */
const largestUnprovenBytes = 4 * 1024 * 1024

/**
 * One request to the control plane, over a connection of its own with TLS 1.3.
 *
 * @throws AppError GATEWAY_UNREACHABLE, TIMED_OUT, UNAUTHORIZED, AUTHORITY_ROOT_MISMATCH, PAYLOAD_TOO_LARGE,
 *   RATE_LIMITED, AGENT_VERSION_UNSUPPORTED, GATEWAY_REFUSED, CANCELED
 */
export async function callControlPlane(
  url: string,
  trust: ControlPlaneTrust,
  call: ControlPlaneRequest,
): Promise<ControlPlaneAnswer> {
  const deadline = AbortSignal.timeout(call.timeoutMs)
  const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal])
  try {
    const answer = await exchange(new URL(call.path, url), trust, { ...call, signal })
    if (answer.status >= 200 && answer.status < 300) return answer
    throw refusal(url, answer)
  } catch (error) {
    if (error instanceof AppError) throw error
    if (call.signal?.aborted === true) throw new AppError('CANCELED', 'the request to the control plane was canceled')
    if (deadline.aborted) {
      const seconds = Math.round(call.timeoutMs / 1000)
      throw new AppError('TIMED_OUT', `${url} did not answer within ${seconds} s. It is tried again later.`)
    }
    throw connectionFailure(url, error)
  }
}

type Sending = ControlPlaneRequest & { readonly signal: AbortSignal }

function exchange(url: URL, trust: ControlPlaneTrust, call: Sending): Promise<ControlPlaneAnswer> {
  const isBytes = call.body instanceof Uint8Array
  const body = call.body === undefined || isBytes ? call.body : JSON.stringify(call.body)
  const options: RequestOptions = {
    method: call.method,
    signal: call.signal,
    // Each request proves both sides anew: nothing is resumed from a session of before a revocation.
    agent: false,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: trust.roots !== null,
    ...(trust.roots === null ? {} : { ca: [...trust.roots] }),
    ...(trust.client === null ? {} : { cert: trust.client.certificate, key: trust.client.key }),
    headers: {
      [agentVersionHeader]: agentVersion,
      accept: 'application/json',
      ...(body === undefined
        ? {}
        : {
            'content-type': isBytes ? 'application/octet-stream' : 'application/json',
            'content-length': Buffer.byteLength(body as string | Uint8Array),
          }),
    },
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      readAnswer(response, trust.roots === null ? largestUnprovenBytes : largestAnswerBytes).then(resolve, reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function readAnswer(response: IncomingMessage, mostBytes: number): Promise<ControlPlaneAnswer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > mostBytes) throw new Error('the answer is too long')
    pieces.push(piece)
  }
  return { status: response.statusCode ?? 0, content: parsed(Buffer.concat(pieces).toString('utf8')) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  408: 'TIMED_OUT',
  413: 'PAYLOAD_TOO_LARGE',
  426: 'AGENT_VERSION_UNSUPPORTED',
  429: 'RATE_LIMITED',
}

function refusal(url: string, { status, content }: ControlPlaneAnswer): AppError {
  const said = AgentApiError.safeParse(content)
  const body = said.success ? said.data.error : null
  const code = codeOfStatus[status] ?? body?.code ?? (status >= 500 ? 'GATEWAY_UNREACHABLE' : 'GATEWAY_REFUSED')
  // What failed in there is temporary for us, whatever name it has there.
  const known = status >= 500 ? 'GATEWAY_UNREACHABLE' : code
  return new AppError(known, `${sentenceFor(known, url, status)}${body === null ? '' : ` It said: ${body.message}`}`, {
    data: { status },
  })
}

function sentenceFor(code: ErrorCode, url: string, status: number): string {
  switch (code) {
    case 'UNAUTHORIZED':
    case 'FORBIDDEN':
      return `${url} refused the certificate of this agent: enroll again with a new join token (lockstep-agent enroll).`
    case 'PAYLOAD_TOO_LARGE':
      return `${url} refused the request as too large.`
    case 'AGENT_VERSION_UNSUPPORTED':
      return `${url} and this agent (${agentVersion}) do not understand each other: upgrade the older of the two.`
    case 'GATEWAY_UNREACHABLE':
      return `${url} answered with ${status}. It is tried again later.`
    default:
      return `${url} refused the request (${status}).`
  }
}

const certificateAlerts =
  /alert (?:certificate required|bad certificate|certificate (?:expired|revoked|unknown)|unknown ca)/i
const untrusted = [
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]

function connectionFailure(url: string, thrown: unknown): AppError {
  const { code = '', message = '' } = thrown as NodeJS.ErrnoException
  if (certificateAlerts.test(message) || /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|CERTIFICATE_EXPIRED/.test(code)) {
    return new AppError('UNAUTHORIZED', sentenceFor('UNAUTHORIZED', url, 0), { cause: thrown })
  }
  if (untrusted.includes(code)) {
    return new AppError(
      'AUTHORITY_ROOT_MISMATCH',
      `What answers at ${url} is not signed by the root this agent was enrolled with. Nothing was sent. Enroll again, or look who answers there.`,
      { data: { reason: code } },
    )
  }
  if (code.startsWith('CERT_') || code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new AppError(
      'GATEWAY_UNREACHABLE',
      `The certificate of ${url} is not usable (${code}): compare its names and this machine's clock.`,
      { data: { reason: code } },
    )
  }
  return new AppError(
    'GATEWAY_UNREACHABLE',
    `${url} cannot be reached (${code || message}). It is tried again later.`,
    {
      data: { reason: code },
    },
  )
}

/** The code of anything thrown here. */
export function codeOf(thrown: unknown): ErrorCode {
  return thrown instanceof AppError ? ErrorCode.parse(thrown.code) : 'INTERNAL'
}
