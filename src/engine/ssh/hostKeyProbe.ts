import type { Socket } from 'node:net'
import { diagnoseConnection, printable } from '../../core/diagnose/connection.ts'
import type { Clock } from '../../platform/clock.ts'
import { fingerprintOf, keyTypeOf } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import type { OfferedHostKey } from '../../shared/model/node.ts'
import type { HostKeyProbe } from '../ports.ts'
import { timeoutReason } from './connection.ts'
import { withDeadline } from './deadline.ts'
import { hostKeyAlgorithmsOf, hostKeyTypes } from './hostKeys.ts'
import { AttemptFailed, AttemptTrace, openClient, type SshTarget } from './transport.ts'

/** Never a login: the connection ends when the key exchange is done, before any user name is sent. */
const nobody = 'nobody'

/**
 * Looks at the host keys of an address, one connection for each key type. A key is reported only when the server has
 * signed the exchange with it.
 */
export function createHostKeyProbe(clock: Clock): HostKeyProbe {
  return {
    probe: (target, { timeoutMs }) =>
      withDeadline({ clock, timeoutMs, signals: [] }, async (signal) => {
        const offered: OfferedHostKey[] = []
        let firstFailure: AttemptFailed | undefined
        for (const keyType of hostKeyTypes) {
          const result = await offerOf(target, { keyType, clock, signal }).catch((thrown: unknown) =>
            attemptFailed(thrown),
          )
          if (!(result instanceof AttemptFailed)) offered.push(result)
          else if (!isMissingKeyType(result)) firstFailure ??= result
          if (firstFailure !== undefined) break
        }
        if (offered.length > 0) return offered
        throw probeFailed(target, firstFailure)
      }),
  }
}

function attemptFailed(thrown: unknown): AttemptFailed {
  if (thrown instanceof AttemptFailed) return thrown
  throw thrown
}

/** The server is there and speaks SSH, it only has no key of this type. */
function isMissingKeyType(failure: AttemptFailed): boolean {
  const { stage, message = '' } = failure.evidence
  return stage === 'handshake' && /no matching|host key/i.test(message)
}

function probeFailed(target: SshTarget, failure: AttemptFailed | undefined): AppError {
  if (failure === undefined)
    return new AppError(
      'NOT_AN_SSH_SERVER',
      `${target.address} port ${target.port} offers no host key of a type we know (${hostKeyTypes.join(', ')}).`,
    )
  const diagnosis = diagnoseConnection({ name: target.address, ...target, user: nobody }, failure.evidence)
  return new AppError(diagnosis.code, diagnosis.sentence, { data: { diagnosis } })
}

interface OfferOptions {
  readonly keyType: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

function offerOf(target: SshTarget, { keyType, clock, signal }: OfferOptions): Promise<OfferedHostKey> {
  const trace = new AttemptTrace()
  return new Promise((resolve, reject) => {
    let offered: Buffer | undefined
    let firstError: unknown
    const { client, socket } = openClient(target, {
      trace,
      username: nobody,
      hostKeyAlgorithms: hostKeyAlgorithmsOf(keyType),
      acceptHostKey: (blob) => {
        offered = Buffer.from(blob)
        return true
      },
      authHandler: () => false,
    })
    const fail = (error: unknown): void => {
      end(socket)
      reject(new AttemptFailed(trace.evidence(error, clock.nowMs())))
    }
    const end = (open: Socket): void => {
      signal.removeEventListener('abort', onAbort)
      open.destroy()
    }
    const onAbort = (): void => {
      trace.timedOut = signal.reason === timeoutReason
      fail(undefined)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    client.on('error', (error) => {
      firstError ??= error
    })
    client.once('handshake', () => {
      end(socket)
      if (offered === undefined) return fail(new Error('no host key was offered'))
      resolve(describe(offered, trace.banner ?? ''))
    })
    client.once('close', () => fail(firstError ?? new Error('the server closed the connection')))
    if (signal.aborted) onAbort()
  })
}

function describe(blob: Buffer, banner: string): OfferedHostKey {
  return {
    keyType: keyTypeOf(blob),
    publicKey: blob.toString('base64'),
    fingerprint: fingerprintOf(blob),
    banner: printable(banner),
  }
}
