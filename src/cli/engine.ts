import { setTimeout as sleep } from 'node:timers/promises'
import type { EngineConnection } from '../daemon/connect.ts'
import type { PassphraseSource } from '../daemon/passphrase.ts'
import { type RemoteTarget, targetWords } from '../daemon/remote/target.ts'
import { connectSocket } from '../daemon/socketClient.ts'
import type { HomePaths } from '../platform/paths.ts'
import type { EngineClient } from '../shared/contract/index.ts'
import { AppError } from '../shared/errors.ts'
import type { EngineNeeds } from './context.ts'
import { toCallError } from './errors.ts'

export interface EngineAccess {
  readonly home: HomePaths
  readonly version: string
  readonly passphrase: PassphraseSource
  readonly signal: AbortSignal
  /** Another machine's control plane; null: the one of this home. */
  readonly remote: RemoteTarget | null
}

const shortCommandWaitMs = 30_000
const pauseMs = 100

/**
 * The engine of the home. Another command that only asks something owns it for a moment and would take its engine away
 * while we use it: that one is waited for.
 *
 * @throws AppError as `connectEngine`; HOME_IN_USE when another command does not end
 */
export async function connect(access: EngineAccess, needs: EngineNeeds): Promise<EngineConnection> {
  const deadline = performance.now() + shortCommandWaitMs
  for (;;) {
    access.signal.throwIfAborted()
    const connection = await open(access, needs)
    if (connection.owner === 'embedded' || (await outlivesUs(connection.client))) return connection
    await connection.close()
    if (performance.now() > deadline) {
      throw new AppError(
        'HOME_IN_USE',
        `Another command uses ${access.remote === null ? access.home.home : targetWords(access.remote)}. Try again when it has ended.`,
      )
    }
    await sleep(pauseMs, undefined, { signal: access.signal })
  }
}

/** Beside a daemon nothing of the engine itself is loaded, which halves the time a command takes. */
async function open(access: EngineAccess, needs: EngineNeeds): Promise<EngineConnection> {
  const { home, passphrase, version, remote } = access
  if (remote !== null) return openRemote(remote, version)
  const served = await connectSocket(home)
  if (served !== null) return { ...served, owner: 'daemon' }
  const { connectEngine } = await import('../daemon/connect.ts')
  const { whenUnowned = 'embed', work = false } = needs
  return connectEngine({ home, whenUnowned, work, passphrase, version })
}

/** One login for each connection of a command: ssh ends with it. */
async function openRemote(remote: RemoteTarget, version: string): Promise<EngineConnection> {
  const { localOperator, openRemoteSocket } = await import('../daemon/remote/tunnel.ts')
  const { socketPath, hello, close } = await openRemoteSocket(remote, { version })
  try {
    const place = { engineSocket: socketPath, home: hello.home }
    const served = await connectSocket(place, { operator: localOperator() })
    if (served === null)
      throw new AppError('ENGINE_UNAVAILABLE', `${targetWords(remote)} went away again. Try once more.`)
    return {
      client: served.client,
      owner: 'daemon',
      close: async () => {
        await served.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** An engine of another command that works on runs lasts; it has a next reconcile, one that only answers has none. */
async function outlivesUs(client: EngineClient): Promise<boolean> {
  try {
    const status = await client.system.status()
    return status.host !== 'cli' || status.reconcile.nextAt !== null
  } catch {
    return false
  }
}

/** Resolves like `work`, unless the person interrupts: then at once, and the connection is closed properly. */
export async function withEngine<T>(
  access: EngineAccess,
  needs: EngineNeeds,
  work: (client: EngineClient, connection: EngineConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect(access, needs)
  const interrupted = Promise.withResolvers<never>()
  const interrupt = (): void => interrupted.reject(access.signal.reason)
  access.signal.addEventListener('abort', interrupt, { once: true })
  try {
    return await Promise.race([work(connection.client, connection), interrupted.promise])
  } catch (thrown) {
    throw toCallError(thrown)
  } finally {
    access.signal.removeEventListener('abort', interrupt)
    await connection.close()
  }
}
