import { hostname } from 'node:os'
import { createRouterClient } from '@orpc/server'
import { HomeLockOwner } from '../platform/homeLock.ts'
import type { HomePaths } from '../platform/paths.ts'
import type { EngineClient } from '../shared/contract/index.ts'
import { AppError } from '../shared/errors.ts'
import { localCaller } from './caller.ts'
import { helloOf } from './hello.ts'
import { type OwnedEngine, openOwnedEngine } from './ownedEngine.ts'
import type { PassphraseSource } from './passphrase.ts'
import { connectSocket } from './socketClient.ts'
import { serveSocket } from './socketServer.ts'

export interface ConnectOptions {
  readonly home: HomePaths
  /** What to do when nobody owns the home. */
  readonly whenUnowned: 'embed' | 'fail'
  /** An embedded engine also works on runs; without it it answers and registers only. It never reconciles by itself. */
  readonly work: boolean
  readonly passphrase: PassphraseSource
  readonly version: string
}

export interface EngineConnection {
  readonly client: EngineClient
  readonly owner: 'daemon' | 'embedded'
  close(): Promise<void>
}

/** So long a home that is just being taken or given back is looked at again: on a busy machine either takes its time. */
const waitMs = 30_000
const pauseMs = 125
/** Others that use our engine may end what they are at; a command that takes longer asks again elsewhere. */
const guestsMs = 5_000

/**
 * The engine of a home: the one that owns it (daemon, desktop app, another command), or one of our own for as long as
 * this command takes.
 *
 * @throws AppError ENGINE_UNAVAILABLE, HOME_IN_USE and what opening a home may throw
 */
export async function connectEngine(options: ConnectOptions): Promise<EngineConnection> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const served = await connectSocket(options.home)
    if (served !== null) return { ...served, owner: 'daemon' }
    if (options.whenUnowned === 'fail') throw unavailable(options.home)
    const owned = await takeHome(options)
    if (owned !== null) return embed(owned, options)
    if (performance.now() > deadline) return embed(await openHere(options), options)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

const openHere = (options: ConnectOptions): Promise<OwnedEngine> => openOwnedEngine({ ...options, host: 'cli' })

/** @returns null when somebody owns the home who does not listen yet, or no longer */
async function takeHome(options: ConnectOptions): Promise<OwnedEngine | null> {
  try {
    return await openHere(options)
  } catch (error) {
    if (error instanceof AppError && error.code === 'HOME_IN_USE' && isOfThisHost(error.data?.owner)) return null
    throw error
  }
}

/** One elsewhere has no socket that we could reach. */
function isOfThisHost(owner: unknown): boolean {
  const read = HomeLockOwner.safeParse(owner)
  return read.success && read.data.hostname === hostname()
}

/** Other commands that come meanwhile find our socket, so that two at once do not shut each other out. */
async function embed(owned: OwnedEngine, { home, work, version }: ConnectOptions): Promise<EngineConnection> {
  try {
    const socket = await serveSocket(owned.engine, {
      path: home.engineSocket,
      hello: helloOf({ version, home: home.home }),
    })
    // A command does what it was asked, for as long as it takes: looking after the fleet is a daemon's work.
    if (work) await owned.engine.start({ watch: false })
    return {
      client: createRouterClient(owned.engine.router, { context: { caller: localCaller('embedded') } }),
      owner: 'embedded',
      close: async () => {
        await socket.leave(guestsMs)
        await socket.close()
        await owned.close()
      },
    }
  } catch (error) {
    await owned.close()
    throw error
  }
}

function unavailable(home: HomePaths): AppError {
  return new AppError(
    'ENGINE_UNAVAILABLE',
    `No engine serves ${home.home}. Start one with "lockstep serve", or open the desktop app.`,
    {
      data: { home: home.home },
    },
  )
}
