import type { EngineConnection } from '../daemon/connect.ts'
import type { PassphraseSource } from '../daemon/passphrase.ts'
import type { HomePaths } from '../platform/paths.ts'
import type { EngineClient } from '../shared/contract/index.ts'
import type { ExitCode } from './exitCodes.ts'
import type { Output } from './output/output.ts'

export interface EngineNeeds {
  /** An embedded engine also works on runs; see `connectEngine`. */
  readonly work?: boolean
  readonly whenUnowned?: 'embed' | 'fail'
}

/** What a command has at hand. */
export interface CliContext {
  readonly home: HomePaths
  readonly output: Output
  readonly version: string
  readonly passphrase: PassphraseSource
  /** Aborts at Ctrl-C, at SIGTERM, and when nobody reads our output any more. */
  readonly signal: AbortSignal
  /** Asks a yes-or-no question; null where no person is at the terminal. */
  readonly confirm: ((question: string) => Promise<boolean>) | null
  /** Connects for as long as `work` takes. */
  withEngine<T>(
    needs: EngineNeeds,
    work: (client: EngineClient, connection: EngineConnection) => Promise<T>,
  ): Promise<T>
  connect(needs: EngineNeeds): Promise<EngineConnection>
}

/** Nothing means 0. */
export type Work = (context: CliContext) => Promise<ExitCode> | Promise<void>

/** Given to every command: does its work, or in a test only notes that the command line was understood. */
export type Runner = (work: Work) => Promise<void>
