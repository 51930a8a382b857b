import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Engine } from '../engine/engine.ts'
import { commonHeaders } from '../platform/consolePage.ts'
import { type ErrorCode, toAppError } from '../shared/errors.ts'

/** Where the webhook of registry sources listens (S1F.2); the engine says the same to whoever asks for it. */
export const webhookPath = '/hooks/registry'

const mostBytes = 1024 * 1024
/** A caller that sends its body this slowly is none that we wait for. */
const mostMs = 10_000

/**
 * A call without a session: its signature is all it has. What it says is not read; 202 means that the sources are being
 * looked at.
 */
export async function receiveWebhook(
  request: IncomingMessage,
  response: ServerResponse,
  webhook: Engine['webhook'],
): Promise<void> {
  response.writeHead(await statusOf(request, webhook), { ...commonHeaders, connection: 'close' }).end()
}

async function statusOf(request: IncomingMessage, webhook: Engine['webhook']): Promise<number> {
  if (request.method !== 'POST') return 405
  const body = await readBody(request)
  if (body === null) return 413
  const header = request.headers['x-lockstep-signature']
  try {
    await webhook.receive({ body, signature: typeof header === 'string' ? header : null })
    return 202
  } catch (thrown) {
    return refusals[toAppError(thrown).code] ?? 503
  }
}

const refusals: Partial<Record<ErrorCode, number>> = { WEBHOOK_REFUSED: 403, RATE_LIMITED: 429 }

/** Null: too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  request.setTimeout(mostMs, () => request.destroy())
  // Kept open, so that the caller hears why.
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sizeBytes += part.length
    if (sizeBytes > mostBytes) return null
    parts.push(part)
  }
  return Buffer.concat(parts)
}
