import { createDemoFleet } from '../demo/demoFleet.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { systemClock } from '../platform/clock.ts'
import { Config, readConfig } from '../platform/config.ts'
import { acquireHomeLock, type HomeLock } from '../platform/homeLock.ts'
import { writeToJournal } from '../platform/journal.ts'
import { createLogging, type Logging } from '../platform/logger.ts'
import { type HomePaths, prepareHome } from '../platform/paths.ts'
import type { EngineHost } from '../shared/model/system.ts'
import { hostVault, type PassphraseSource } from './passphrase.ts'

export interface OwnedEngineOptions {
  readonly home: HomePaths
  readonly host: EngineHost
  readonly passphrase: PassphraseSource
  readonly version: string
  readonly configOverrides?: Partial<Config>
  /** Lines for journald on standard error, beside the log file. */
  readonly journal?: boolean
}

/** An engine in this process, together with the home it owns. */
export interface OwnedEngine {
  readonly engine: Engine
  readonly logging: Logging
  readonly config: Config
  /** Stops the engine and gives the home back. Safe to repeat. */
  close(): Promise<void>
}

/**
 * Takes the home and makes its engine; the engine does no work before `engine.start()`.
 *
 * @throws AppError HOME_IN_USE with the owner, HOME_NOT_WRITABLE, HOME_PATH_TOO_LONG, DATABASE_CORRUPT, …
 */
export async function openOwnedEngine(options: OwnedEngineOptions): Promise<OwnedEngine> {
  const { home } = options
  await prepareHome(home)
  const lock = await acquireHomeLock(home.lockFile, { nowMs: systemClock.nowMs() })
  try {
    return await withLock(options, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function withLock(options: OwnedEngineOptions, lock: HomeLock): Promise<OwnedEngine> {
  const { home, host, version } = options
  const config = Config.parse({ ...(await readConfig(home.configFile)), ...options.configOverrides })
  const logging = createLogging({
    level: config.logLevel,
    file: home.engineLogFile,
    sinks: options.journal ? [writeToJournal] : [],
  })
  const engine = await createEngine({
    home,
    host,
    version,
    config,
    logger: logging.logger,
    demo: createDemoFleet({ directory: home.demoDirectory }),
    ...hostVault(home, options.passphrase),
  })
  const closeOnce = async (): Promise<void> => {
    try {
      await engine.stop()
    } finally {
      logging.close()
      lock.release()
    }
  }
  let closing: Promise<void> | null = null
  return {
    engine,
    logging,
    config,
    close: () => {
      closing ??= closeOnce()
      return closing
    },
  }
}
