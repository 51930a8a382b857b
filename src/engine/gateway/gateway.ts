import type { Clock, Timer } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { toAppError } from '../../shared/errors.ts'
import { GatewaySettings, type GatewayStatus } from '../../shared/model/agent.ts'
import type { Gateway, RootCertificate, Store, StoreTransaction, X509Authority } from '../ports.ts'
import { defaultLimits, type Listener, type ListenerLimits, openListener } from './listener.ts'
import type { GatewayServices } from './routes.ts'

export interface GatewayDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly x509: X509Authority
  readonly services: Omit<GatewayServices, 'roots'>
  /** Of this engine; agents of a later major version are refused. */
  readonly version: string
  readonly logger: Logger
  readonly limits?: Partial<ListenerLimits>
}

const settingsKey = 'gateway.settings'
/** How often a port that was taken is tried again, and the age of the server certificate looked at. */
const tickMs = 30_000

interface Open {
  readonly settings: GatewaySettings
  readonly listener: Listener
  validBefore: number
  /** Wall clock from which on the certificate is renewed. */
  renewAt: number
  roots: readonly RootCertificate[]
}

/** The door for agents. Switching, reloading and retrying happen one after the other. */
export function createGateway(dependencies: GatewayDependencies): Gateway {
  const { store, clock, x509, services, version, logger } = dependencies
  const limits = { ...defaultLimits, ...dependencies.limits }
  let settings: GatewaySettings | null = null
  let settingsRead = false
  let open: Open | null = null
  let problem: string | null = null
  let timer: Timer | null = null
  let unsubscribe: (() => void) | null = null
  let queue: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work)
    queue = result.catch(() => undefined)
    return result
  }

  async function makeCertificates(wanted: GatewaySettings) {
    const issuedAt = clock.nowMs()
    const roots = await x509.roots()
    const server = await x509.issueServer({ names: wanted.names, requestedBy: 'gateway' })
    const renewAt = issuedAt + ((server.validBefore - issuedAt) * 2) / 3
    return {
      roots,
      renewAt,
      validBefore: server.validBefore,
      certificates: {
        certificate: server.certificatePem,
        privateKey: server.privateKeyPem,
        roots: roots.map((root) => root.pem),
      },
    }
  }

  /** What cannot be opened is a problem to show, never an exception: the engine runs on. */
  async function tryOpen(wanted: GatewaySettings): Promise<void> {
    const before = problem
    try {
      const { certificates, ...made } = await makeCertificates(wanted)
      const { address, port } = wanted
      const known = { ...services, roots: async () => open?.roots ?? x509.roots() }
      const listener = await openListener({
        address,
        port,
        certificates,
        limits,
        clock,
        logger,
        version,
        services: known,
      })
      open = { settings: wanted, listener, ...made }
      problem = null
      logger.info({ address, port: listener.port, names: wanted.names }, 'the gateway listens')
    } catch (error) {
      problem = problemOf(error, wanted)
      logger.warn({ err: toAppError(error), problem }, 'the gateway does not listen')
    }
    if (before !== problem || open !== null) await announce()
  }

  async function shut(): Promise<void> {
    const closing = open
    open = null
    await closing?.listener.close()
  }

  const announce = (): Promise<void> =>
    store.transact((transaction) => transaction.announce({ kind: 'gateway.changed' }))

  async function remember(wanted: GatewaySettings | null, operator: string): Promise<void> {
    const at = clock.nowMs()
    const action = wanted === null ? 'gateway.disable' : 'gateway.enable'
    await store.transact(async (transaction: StoreTransaction) => {
      await transaction.setSetting(settingsKey, wanted === null ? '' : JSON.stringify(wanted))
      await transaction.appendAudit([{ at, actor: operator, action, subject: 'gateway', detail: { ...wanted } }])
      await transaction.announce({ kind: 'gateway.changed' })
    })
    settings = wanted
    settingsRead = true
  }

  async function reload(): Promise<void> {
    if (open === null) return
    const { certificates, ...made } = await makeCertificates(open.settings)
    open.listener.takeCertificates(certificates)
    open = { ...open, ...made }
    logger.info({ validBefore: made.validBefore }, 'the gateway has a new certificate')
    await announce()
  }

  async function tick(): Promise<void> {
    if (settings !== null && open === null) await tryOpen(settings)
    else if (open !== null && clock.nowMs() >= open.renewAt) await reload()
  }

  const later = (error: unknown): void =>
    logger.warn({ err: toAppError(error) }, 'the gateway could not be looked after and is tried again')

  function arm(): void {
    timer = clock.setTimer(
      tickMs,
      () =>
        void inTurn(tick)
          .catch(later)
          .then(() => timer !== null && arm()),
      { unref: true },
    )
  }

  /** Also for an engine that never listens, because it lives for one command only. */
  async function readOnce(): Promise<void> {
    if (settingsRead) return
    const stored = await readSettings(store)
    // Somebody may have switched it meanwhile.
    if (!settingsRead) settings = stored
    settingsRead = true
  }

  async function status(): Promise<GatewayStatus> {
    await readOnce()
    const [name] = open?.settings.names ?? []
    return {
      settings,
      listening: open !== null,
      port: open?.listener.port ?? null,
      url: open === null || name === undefined ? null : `https://${inUrl(name)}:${open.listener.port}`,
      problem: settings === null ? null : problem,
      rootFingerprint: open?.roots[0]?.fingerprint ?? null,
      certificateValidBefore: open?.validBefore ?? null,
      openConnections: open?.listener.openConnections() ?? 0,
    }
  }

  return {
    start: () =>
      inTurn(async () => {
        unsubscribe ??= store.onCommitted((events) => {
          const rotated = events.some(
            ({ change }) => change.kind === 'authority.changed' && change.authority === 'x509',
          )
          if (rotated) inTurn(reload).catch(later)
        })
        await readOnce()
        if (settings !== null && open === null) await tryOpen(settings)
        if (timer === null) arm()
      }),
    stop: async () => {
      timer?.cancel()
      timer = null
      unsubscribe?.()
      unsubscribe = null
      await inTurn(shut)
    },
    status,
    enable: (wanted, operator) =>
      inTurn(async () => {
        await remember(wanted, operator)
        await shut()
        await tryOpen(wanted)
        return status()
      }),
    disable: (operator) =>
      inTurn(async () => {
        await remember(null, operator)
        await shut()
        problem = null
        return status()
      }),
    reloadCertificates: () => inTurn(reload),
    disconnect: (agentId) => open?.listener.disconnect(agentId),
  }
}

async function readSettings(store: Store): Promise<GatewaySettings | null> {
  const text = await store.getSetting(settingsKey)
  return text === null || text === '' ? null : GatewaySettings.parse(JSON.parse(text))
}

const inUrl = (name: string): string => (name.includes(':') ? `[${name}]` : name)

function problemOf(thrown: unknown, { address, port }: GatewaySettings): string {
  switch ((thrown as NodeJS.ErrnoException | null)?.code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${address} is taken by another program. Choose another port, or end that program.`
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${address} (now). Choose one of its own.`
    case 'EACCES':
      return `Port ${port} may not be opened by this user. Choose one from 1024 on.`
    default:
      return toAppError(thrown).message
  }
}
