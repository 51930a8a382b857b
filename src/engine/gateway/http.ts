import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError, type ErrorCode } from '../../shared/errors.ts'

/** What a handler answers; null: the body is empty. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const statuses: Partial<Record<ErrorCode, number>> = {
  INVALID_INPUT: 400,
  CERTIFICATE_INVALID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  JOIN_TOKEN_REFUSED: 403,
  CERTIFICATE_POLICY_REFUSED: 403,
  NOT_FOUND: 404,
  UNSUPPORTED: 405,
  TIMED_OUT: 408,
  CANCELED: 408,
  CONFLICT: 409,
  PRECONDITION_FAILED: 409,
  PAYLOAD_TOO_LARGE: 413,
  AGENT_VERSION_UNSUPPORTED: 426,
  RATE_LIMITED: 429,
  // What follows is our trouble, not that of who asked: it may be tried again as it is.
  ENGINE_UNAVAILABLE: 503,
  VAULT_LOCKED: 503,
  AUTHORITY_UNREACHABLE: 503,
  LOCAL_DISK_FULL: 507,
}

export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 500
}

/** What leaves of an error: of those we did not foresee nothing but that there was one. */
export function errorAnswer(error: AppError): Answer {
  const status = statusOf(error.code)
  const body =
    error.code === 'INTERNAL'
      ? { code: 'INTERNAL', message: 'The gateway failed. Its log says why; try again later.' }
      : error.toBody()
  const { retry } = error
  const headers: Record<string, string> = {}
  if (retry?.kind === 'after') headers['retry-after'] = String(Math.max(1, Math.ceil(retry.delayMs / 1000)))
  if (typeof error.data?.allow === 'string') headers.allow = error.data.allow
  if (status === 426) headers.upgrade = 'lockstep-agent'
  return { status, body: { error: body }, headers }
}

const tooLarge = (limitBytes: number): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', `The body is larger than ${limitBytes} bytes. Send less at a time.`, {
    data: { limitBytes },
  })

/** The whole body. @throws PAYLOAD_TOO_LARGE as soon as it is certain, CANCELED when the other side goes */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes)
  const pieces: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += piece.length
      if (sizeBytes > limitBytes) throw tooLarge(limitBytes)
      pieces.push(piece)
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('CANCELED', 'the other side went before its request was complete', { cause: error })
  }
  return Buffer.concat(pieces)
}

/** @throws INVALID_INPUT; the content is not quoted, it may hold a secret */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new AppError('INVALID_INPUT', 'The body is not JSON.', { cause })
  }
}

export function send(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(text)
}
