import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRouterClient } from '@orpc/server'
import { DemoFleet } from '../../src/demo/demoFleet.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { Config } from '../../src/platform/config.ts'
import { receivedKeyVault } from '../../src/platform/keyVault.ts'
import { createLogging } from '../../src/platform/logger.ts'
import { type HomePaths, homePaths, prepareHome } from '../../src/platform/paths.ts'
import type { EngineClient } from '../../src/shared/contract/index.ts'
import type { FleetNode } from '../../src/shared/model/node.ts'
import type { Run } from '../../src/shared/model/run.ts'
import { waitFor } from './waitFor.ts'

export interface TestEngine {
  readonly home: HomePaths
  readonly client: EngineClient
  readonly demo: DemoFleet
  readonly engine: Engine
  /** Everything logged so far, one JSON line each. */
  readonly logLines: readonly string[]
  /** Stops this engine and starts another one on the same home. */
  restart(): Promise<TestEngine>
  /** Stops the engine and the demo fleet and removes the home. */
  dispose(): Promise<void>
  node(name: string): Promise<FleetNode>
  /** The newest run of the node, once it satisfies `accept`. */
  runOf(name: string, accept: (run: Run) => boolean): Promise<Run>
}

const operator = { operator: 'tester@here', via: 'embedded' } as const
/** For a test that opens the home itself before its engine does. */
export const testVaultKey: Uint8Array = Buffer.alloc(32, 7)

/** A real engine on a home of its own, with the demo fleet as its nodes. */
export async function startTestEngine(
  options: { readonly config?: Partial<Config>; readonly homeDirectory?: string } = {},
): Promise<TestEngine> {
  const directory = options.homeDirectory ?? (await mkdtemp(join(tmpdir(), 'ls-engine-')))
  const home = homePaths(directory)
  await prepareHome(home)
  const demo = new DemoFleet({ directory: home.demoDirectory })
  const logLines: string[] = []
  const logging = createLogging({ level: 'debug', sinks: [(line) => logLines.push(line)] })
  const engine = await createEngine({
    home,
    host: 'test',
    keyVault: receivedKeyVault(Buffer.from(testVaultKey)),
    logger: logging.logger,
    version: '0.0.0-test',
    config: { ...Config.parse({}), retryDelayMs: 50, ...options.config },
    demo,
  })
  await engine.start()
  const client: EngineClient = createRouterClient(engine.router, { context: { caller: operator } })
  const stop = async (): Promise<void> => {
    await engine.stop()
    logging.close()
  }
  return {
    home,
    client,
    demo,
    engine,
    logLines,
    restart: async () => {
      await stop()
      return startTestEngine({ ...options, homeDirectory: directory })
    },
    dispose: async () => {
      await stop()
      await demo.down()
      await rm(directory, { recursive: true, force: true })
    },
    node: (name) => client.nodes.get({ node: name }),
    runOf: (name, accept) =>
      waitFor(
        `a run of ${name}`,
        async () => {
          const newest = (await client.runs.list({ node: name, limit: 1 })).runs[0]
          if (newest !== undefined && accept(newest)) return newest
          throw new Error(
            newest === undefined ? 'no run' : `${newest.status} in ${newest.state}: ${newest.failure?.sentence ?? ''}`,
          )
        },
        { timeoutMs: 30_000 },
      ),
  }
}
