import { createRouterClient } from '@orpc/server'
import { RPCHandler } from '@orpc/server/message-port'
import type { MessagePortMain } from 'electron'
import { localCaller, operatorHeader } from '../daemon/caller.ts'
import { helloOf } from '../daemon/hello.ts'
import { type HostVault, hostVault, provideDemoPassphrase } from '../daemon/passphrase.ts'
import { parseTarget } from '../daemon/remote/target.ts'
import { localOperator, openRemoteSocket } from '../daemon/remote/tunnel.ts'
import { type SocketServer, serveSocket } from '../daemon/socketServer.ts'
import { createDemoFleet } from '../demo/demoFleet.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { systemClock } from '../platform/clock.ts'
import { readConfig } from '../platform/config.ts'
import { acquireHomeLock, type HomeLock } from '../platform/homeLock.ts'
import { receivedKeyVault } from '../platform/keyVault.ts'
import { createLogging, type Logging } from '../platform/logger.ts'
import { type HomePaths, homePaths, prepareHome } from '../platform/paths.ts'
import type { ControlPlane } from '../shared/controlPlane.ts'
import { AppError, assertNever, type ErrorCode, toAppError } from '../shared/errors.ts'
import type { TerminalId } from '../shared/model/ids.ts'
import { connectDaemon, type DaemonBridge } from './daemonBridge.ts'
import { type FromEngine, ToEngine, type VaultMaterial } from './engineMessages.ts'
import { duplexOverPort } from './portDuplex.ts'

/*
 * Entry of the utility process. It owns the home and runs the engine, or, when a daemon owns the home, passes messages
 * between the windows and that daemon.
 */

/** Trying again cannot help: a person has to change something first. */
const permanentCodes: readonly ErrorCode[] = [
  'INVALID_INPUT',
  'HOME_NOT_WRITABLE',
  'HOME_PATH_TOO_LONG',
  'DATABASE_CORRUPT',
  'DATABASE_NEWER',
  'VAULT_TAMPERED',
  'VAULT_BACKEND_REFUSED',
  'VAULT_LOCKED',
]

type StartMessage = Extract<ToEngine, { kind: 'start' }>

interface Served {
  readonly owner: 'desktop' | 'daemon' | 'remote'
  openEnginePort(port: MessagePortMain): void
  openTerminalPort(port: MessagePortMain, terminalId: TerminalId): void
  wake(): void
  stop(): Promise<void>
}

const tell = (message: FromEngine): void => process.parentPort.postMessage(message)
const caller = localCaller('desktop')
const vaultArrived = Promise.withResolvers<VaultMaterial>()
let served: Served | null = null

async function serve({ home, version, demoNodes, remote }: StartMessage): Promise<Served> {
  if (remote !== null) return serveRemote(remote, version)
  const paths = homePaths(home)
  await prepareHome(paths)
  const lock = await acquireHomeLock(paths.lockFile, { nowMs: systemClock.nowMs() }).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'HOME_IN_USE') return null
    throw error
  })
  if (lock === null) return serveDaemon(await connectDaemon(paths.engineSocket))
  try {
    return await serveEngine({ paths, lock, version, demoNodes })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Nothing of this machine is touched: the home here belongs to whoever else works with it. */
async function serveRemote({ name, home }: ControlPlane, version: string): Promise<Served> {
  const socket = await openRemoteSocket(parseTarget(name, home), { version })
  try {
    const bridge = await connectDaemon(socket.socketPath, { headers: { [operatorHeader]: localOperator() } })
    socket.onEnded(() => process.exit(1))
    const served = serveDaemon(bridge)
    return {
      ...served,
      owner: 'remote',
      stop: async () => {
        await served.stop()
        await socket.close()
      },
    }
  } catch (error) {
    await socket.close()
    throw error
  }
}

function serveDaemon(bridge: DaemonBridge): Served {
  // The daemon is gone: start over, the home may be ours now.
  bridge.onClosed(() => process.exit(1))
  return {
    owner: 'daemon',
    openEnginePort: (port) => bridge.relay('/rpc', port),
    openTerminalPort: (port, terminalId) => bridge.relay(`/terminal/${terminalId}`, port),
    wake: () => undefined,
    stop: async () => bridge.close(),
  }
}

interface EngineOptions {
  readonly paths: HomePaths
  readonly lock: HomeLock
  readonly version: string
  readonly demoNodes: number | null
}

async function serveEngine({ paths, lock, version, demoNodes }: EngineOptions): Promise<Served> {
  tell({ kind: 'needVault' })
  const vault = await openVault(await vaultArrived.promise, paths, demoNodes !== null)
  const config = await readConfig(paths.configFile)
  const logging = createLogging({ level: config.logLevel, file: paths.engineLogFile })
  const engine = await createEngine({
    home: paths,
    config,
    host: 'desktop',
    logger: logging.logger,
    version,
    demo: createDemoFleet({ directory: paths.demoDirectory }),
    ...vault,
  })
  await engine.start()
  if (demoNodes !== null) bringUpDemo(engine, { demoNodes, logging })
  const socket = await serveSocket(engine, { path: paths.engineSocket, hello: helloOf({ version, home: paths.home }) })
  return servedEngine(engine, { lock, logging, socket })
}

/** The window need not wait for it: the fleet appears on the map as it comes up, and is synced at once. */
function bringUpDemo(
  engine: Engine,
  { demoNodes, logging }: { readonly demoNodes: number; readonly logging: Logging },
): void {
  const client = createRouterClient(engine.router, { context: { caller } })
  client.demo
    .up({ nodes: demoNodes })
    .then(() => client.system.reconcile())
    .catch((err: unknown) => {
      logging.logger.error({ err }, 'the demo fleet did not come up')
    })
}

interface Owned {
  readonly lock: HomeLock
  readonly logging: Logging
  readonly socket: SocketServer
}

function servedEngine(engine: Engine, { lock, logging, socket }: Owned): Served {
  const handler = new RPCHandler(engine.router)
  return {
    owner: 'desktop',
    openEnginePort: (port) => {
      handler.upgrade(port, { context: { caller } })
      port.start()
    },
    openTerminalPort: (port, terminalId) => engine.attachTerminal(terminalId, duplexOverPort(port)),
    wake: () => engine.wake(),
    stop: async () => {
      await socket.close()
      await engine.stop()
      lock.release()
      logging.close()
    },
  }
}

/** Where the keyring protects nothing a window brings the passphrase, through the contract; a demo asks nobody. */
async function openVault(material: VaultMaterial, paths: HomePaths, isDemo: boolean): Promise<HostVault> {
  switch (material.kind) {
    case 'key':
      return { keyVault: receivedKeyVault(material.bytes, { description: material.description }) }
    case 'passphrase':
      if (isDemo) await provideDemoPassphrase(paths)
      return hostVault(paths, {})
    case 'refused':
      throw new AppError(material.error.code, material.error.message, { data: material.error.data ?? {} })
    default:
      return assertNever(material)
  }
}

const mayHelpToTryAgain = ({ code, retry }: AppError): boolean =>
  code === 'CONTROL_PLANE_UNREACHABLE' ? retry !== undefined : !permanentCodes.includes(code)

async function start(message: StartMessage): Promise<void> {
  try {
    served = await serve(message)
    tell({ kind: 'running', owner: served.owner })
  } catch (thrown) {
    const error = toAppError(thrown)
    tell({ kind: 'failed', error: error.toBody(), retry: mayHelpToTryAgain(error) })
    setTimeout(() => process.exit(1), exitDelayMs)
  }
}

/** A message on the way out is lost when the process ends in the same moment. */
const exitDelayMs = 100

async function stop(): Promise<void> {
  await served?.stop()
  process.exit(0)
}

function receive(input: unknown, port: MessagePortMain | undefined): void {
  const message = ToEngine.parse(input)
  if (message.kind === 'start') void start(message)
  else if (message.kind === 'vault') vaultArrived.resolve(message.material)
  else if (message.kind === 'wake') served?.wake()
  else if (message.kind === 'stop') void stop()
  else connect(message, port)
}

/** A port that comes too early or too late is closed, so that its window asks again. */
function connect(
  message: Extract<ToEngine, { kind: 'enginePort' | 'terminalPort' }>,
  port: MessagePortMain | undefined,
): void {
  if (port === undefined) return
  if (served === null) port.close()
  else if (message.kind === 'enginePort') served.openEnginePort(port)
  else served.openTerminalPort(port, message.terminalId)
}

process.parentPort.on('message', ({ data, ports }) => receive(data, ports[0]))
