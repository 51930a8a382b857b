import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Bucket, takeFromBucket, waitForBucket } from '../../core/fleet/bucket.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { AppError } from '../../shared/errors.ts'
import type { RegistryWebhook, Store } from '../ports.ts'
import type { ValueVault } from './sealedValues.ts'

export interface RegistryWebhookDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly vault: ValueVault
  /** Looks at all sources; what has changed is read from them, never taken from the call. */
  readonly refreshAll: () => Promise<void>
}

const webhookPath = '/hooks/registry'
const setting = 'registry.webhook'
const context = 'registry/webhook'

/** A call only makes us look, so more of them bring nothing. */
const rule = { most: 30, perSecond: 1 }

/** Lets whoever knows the secret say that a source has changed (S1F.2). A repeated call does no harm. */
export function createRegistryWebhook(dependencies: RegistryWebhookDependencies): RegistryWebhook {
  const { store, clock, logger, vault, refreshAll } = dependencies
  let bucket: Bucket | null = null
  /** What is in the settings, opened: asking the vault for every call would let anybody keep it busy. */
  let opened: { readonly sealed: string; readonly secret: Buffer } | null = null

  const sealedSecret = async (): Promise<string | null> => (await store.getSetting(setting)) || null

  async function write(sealed: string, action: string, operator: string): Promise<void> {
    await store.transact(async (transaction) => {
      await transaction.setSetting(setting, sealed)
      await transaction.announce({ kind: 'sources.changed' })
      await transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action, subject: 'webhook', detail: { path: webhookPath } },
      ])
    })
  }

  async function secret(): Promise<Buffer | null> {
    const sealed = await sealedSecret()
    if (sealed === null) return null
    if (opened?.sealed !== sealed) {
      // A vault that stays shut costs much to ask, and anybody may make us ask it.
      takeOne()
      opened = { sealed, secret: await vault.unseal(sealed, context) }
    }
    return opened.secret
  }

  function takeOne(): void {
    const nowMs = clock.monotonicMs()
    const delayMs = waitForBucket(bucket, rule, nowMs)
    if (delayMs > 0)
      throw new AppError('RATE_LIMITED', 'The webhook is called too often.', { retry: { kind: 'after', delayMs } })
    bucket = takeFromBucket(bucket, rule, { amount: 1, nowMs })
  }

  return {
    describe: async () => ({ enabled: (await sealedSecret()) !== null, path: webhookPath }),
    enable: async (operator) => {
      const fresh = randomBytes(32).toString('base64url')
      await write(await vault.seal(Buffer.from(fresh, 'utf8'), context), 'webhook.enable', operator)
      return { path: webhookPath, secret: fresh }
    },
    disable: async (operator) => {
      opened?.secret.fill(0)
      opened = null
      await write('', 'webhook.disable', operator)
    },
    receive: async ({ body, signature }) => {
      const key = await secret()
      if (key === null || !fits(signature, createHmac('sha256', key).update(body).digest())) throw refused()
      // After the signature: nobody without the secret uses up what those who have it may do.
      takeOne()
      logger.info({}, 'webhook called, looking at the sources...')
      refreshAll().catch((error: unknown) => logger.warn({ err: error }, 'the sources could not be looked at'))
    },
  }
}

/** The same answer whether it is off or the signature is wrong. */
function refused(): AppError {
  const message =
    'The webhook is off, or the signature is not one of its secret. See "lockstep registry webhook status".'
  return new AppError('WEBHOOK_REFUSED', message)
}

function fits(signature: string | null, expected: Buffer): boolean {
  const given = /^sha256=([0-9a-fA-F]{64})$/.exec(signature ?? '')?.[1]
  return given !== undefined && timingSafeEqual(Buffer.from(given, 'hex'), expected)
}
