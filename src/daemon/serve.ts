import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createRouterClient } from '@orpc/server'
import type { Engine } from '../engine/engine.ts'
import { logFleet } from '../engine/metrics/fleetLog.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { HomePaths } from '../platform/paths.ts'
import { createAuth } from './auth.ts'
import { localCaller } from './caller.ts'
import { createEngineChannels } from './engineChannels.ts'
import { helloOf } from './hello.ts'
import { serveHttp } from './httpServer.ts'
import { createObservation, type ObservationServer, serveObservation } from './observation.ts'
import { type OwnedEngine, openOwnedEngine } from './ownedEngine.ts'
import { type PassphraseSource, provideDemoPassphrase } from './passphrase.ts'
import { serveSocket } from './socketServer.ts'

export interface ServeOptions {
  readonly home: HomePaths
  /** Of the console on loopback; 0 takes any free one. */
  readonly port: number
  readonly passphrase: PassphraseSource
  readonly configOverrides?: Partial<Config>
  readonly version: string
  /** Brings a demo fleet of this size up before anything is served. */
  readonly demoNodes?: number
  /** See {@link OwnedEngineOptions}. */
  readonly journal?: boolean
}

export interface RunningDaemon {
  readonly url: string
  /** Of figures and probes without a session; null when only the socket has them. */
  readonly metricsUrl: string | null
  /** Good once, for fifteen minutes. */
  newLoginLink(): string
  stop(): Promise<void>
  /** Resolves when `stop` is done, whoever called it. */
  readonly stopped: Promise<void>
}

/** The built console, seen from a bundle, a chunk of it, or the sources. */
function consoleDirectory(): string {
  const here = import.meta.dirname
  const built = [
    join(here, '..', 'renderer'),
    join(here, '..', '..', 'renderer'),
    join(here, '..', '..', 'out', 'renderer'),
  ]
  const candidates = built.filter((directory) => basename(dirname(directory)) === 'out')
  return (
    candidates.find((directory) => existsSync(join(directory, 'index.html'))) ??
    join(here, '..', '..', 'out', 'renderer')
  )
}

const cookieNameFor = (home: HomePaths): string =>
  `lockstep_${createHash('sha256').update(home.home).digest('hex').slice(0, 8)}`

/**
 * The daemon: one engine that owns the home, reachable over the unix socket in it and, for browsers, over loopback.
 *
 * @throws AppError HOME_IN_USE, ADDRESS_IN_USE, and what `openOwnedEngine` throws; then nothing keeps running
 */
export async function serve(options: ServeOptions): Promise<RunningDaemon> {
  const { home, version } = options
  if (options.demoNodes !== undefined) await provideDemoPassphrase(home)
  const owned = await openOwnedEngine({
    home,
    host: 'daemon',
    version,
    passphrase: options.passphrase,
    journal: options.journal ?? false,
    ...(options.configOverrides === undefined ? {} : { configOverrides: options.configOverrides }),
  })
  try {
    return await serveOwned(owned, options)
  } catch (error) {
    await owned.close()
    throw error
  }
}

async function serveOwned(owned: OwnedEngine, options: ServeOptions): Promise<RunningDaemon> {
  const { home, port, demoNodes, version } = options
  const { engine, logging, config } = owned
  const auth = await createAuth({
    sessionsFile: join(home.keysDirectory, 'sessions.json'),
    clock: systemClock,
    logger: logging.logger,
  })
  // The port first: when it is taken, no run has begun.
  const http = await serveHttp({
    port,
    consoleDirectory: consoleDirectory(),
    cookieName: cookieNameFor(home),
    auth,
    channels: createEngineChannels(engine, () => localCaller('web')),
    webhook: engine.webhook,
  })
  const newLoginLink = (): string => `${http.url}/login?token=${auth.newToken()}`
  const observation = await createObservation(engine, { version, fromTheStart: config.metrics !== null })
  const stopLog = logFleet(engine.measures, logging.logger)
  const hello = helloOf({ version, home: home.home })
  const socket = await serveSocket(engine, { path: home.engineSocket, hello, newLoginLink, observation })
  let figures: ObservationServer | null = null
  const closeDoors = async (): Promise<void> => {
    await figures?.close()
    await http.close()
    await socket.close()
    observation.stop()
    stopLog()
  }
  const stopped = Promise.withResolvers<void>()
  const stopOnce = async (): Promise<void> => {
    await closeDoors()
    await auth.saved()
    await owned.close()
  }
  let stopping: Promise<void> | null = null
  const stop = (): Promise<void> => {
    stopping ??= stopOnce()
    stopping.then(stopped.resolve, stopped.reject)
    return stopping
  }
  try {
    if (config.metrics !== null) figures = await serveObservation(observation, config.metrics)
    await engine.start()
    if (demoNodes !== undefined) await bringUpDemo(engine, demoNodes)
  } catch (error) {
    await closeDoors()
    throw error
  }
  return { url: http.url, metricsUrl: figures?.url ?? null, newLoginLink, stop, stopped: stopped.promise }
}

/** A first look should find a fleet in step, so the new nodes are synced at once. */
async function bringUpDemo(engine: Engine, nodes: number): Promise<void> {
  const client = createRouterClient(engine.router, { context: { caller: localCaller('embedded') } })
  await client.demo.up({ nodes })
  await client.system.reconcile()
}
