import type { Clock, Timer } from '../platform/clock.ts'
import type { ControlPlane } from '../shared/controlPlane.ts'
import type { EngineState, EngineStateReport } from '../shared/desktopBridge.ts'
import { AppError, type ErrorBody } from '../shared/errors.ts'
import type { TerminalId } from '../shared/model/ids.ts'
import { FromEngine, type ToEngine, type VaultMaterial } from './engineMessages.ts'
import { nextRestartDelay } from './restartPolicy.ts'

/** A utility process, as far as it is used. */
export interface EngineProcessHandle<Port> {
  postMessage(message: ToEngine, ports?: Port[]): void
  onMessage(listener: (message: unknown) => void): void
  /** Called once. */
  onExit(listener: (exitCode: number) => void): void
  kill(): void
}

export interface EngineHostOptions<Port> {
  readonly home: string
  readonly version: string
  /** Size of the demo fleet to bring up; null for none. */
  readonly demoNodes: number | null
  /** Another machine's control plane to begin with; null: this machine's own. */
  readonly remote: ControlPlane | null
  readonly clock: Clock
  fork(): EngineProcessHandle<Port>
  createChannel(): { readonly near: Port; readonly far: Port }
  obtainVault(): Promise<VaultMaterial>
  onState(report: EngineStateReport): void
}

/** What a window asks a port for. */
export type PortTarget = { readonly kind: 'engine' } | { readonly kind: 'terminal'; readonly terminalId: TerminalId }

/** How long what is under way may take to end before another control plane is connected to. */
const switchTimeoutMs = 10_000

/** A window that waits longer than this is told to ask again. */
const portWaitMs = 10_000

interface PortWaiter<Port> {
  readonly target: PortTarget
  readonly resolve: (port: Port) => void
  readonly reject: (error: AppError) => void
  readonly timer: Timer
}

/**
 * Keeps one engine process alive and brokers ports to it. Whether the engine is inside that process or the process only
 * passes messages on to a daemon that owns the home, nobody else in the app knows.
 */
export class EngineHost<Port> {
  readonly #options: EngineHostOptions<Port>
  readonly #waiters = new Set<PortWaiter<Port>>()
  #process: EngineProcessHandle<Port> | null = null
  #report: EngineStateReport
  #switching: (() => void) | null = null
  #failuresAt: number[] = []
  #restartTimer: Timer | null = null
  #stopping: (() => void) | null = null
  /** Once: a fleet that was taken down since does not come back with a restart. */
  #demoNodes: number | null

  constructor(options: EngineHostOptions<Port>) {
    this.#options = options
    this.#demoNodes = options.demoNodes
    this.#report = { state: 'starting', owner: 'desktop', remote: options.remote, error: null }
  }

  get report(): EngineStateReport {
    return this.#report
  }

  start(): void {
    this.#restartTimer?.cancel()
    this.#restartTimer = null
    const child = this.#options.fork()
    this.#process = child
    child.onMessage((message) => this.#receive(child, message))
    child.onExit((exitCode) => this.#exited(child, exitCode))
    const { home, version } = this.#options
    child.postMessage({ kind: 'start', home, version, demoNodes: this.#demoNodes, remote: this.#report.remote })
  }

  /** After `failed`, or when somebody is tired of waiting. */
  restart(): void {
    if (this.#process !== null || this.#stopping !== null) return
    this.#failuresAt = []
    this.#setState('starting', null)
    this.start()
  }

  /** Leaves the present engine, own or not, and takes another machine's; null: this machine's own. */
  connectTo(remote: ControlPlane | null): void {
    if (this.#stopping !== null) return
    this.#restartTimer?.cancel()
    this.#failuresAt = []
    this.#report = { ...this.#report, remote }
    this.#setState('restarting', null)
    const child = this.#process
    // Whoever is on the way out already starts with the newest wish.
    if (this.#switching !== null) return
    if (child === null) {
      this.start()
      return
    }
    const timer = this.#options.clock.setTimer(switchTimeoutMs, () => child.kill())
    this.#switching = () => {
      timer.cancel()
      this.#switching = null
      this.start()
    }
    child.postMessage({ kind: 'stop' })
  }

  /** @throws AppError ENGINE_UNAVAILABLE when it has failed, or does not come up in time */
  openPort(target: PortTarget): Promise<Port> {
    if (this.#report.state === 'running') return Promise.resolve(this.#connect(target))
    if (this.#report.state === 'failed') return Promise.reject(this.#unavailable())
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.setTimer(portWaitMs, () => {
        this.#waiters.delete(waiter)
        reject(this.#unavailable())
      })
      const waiter = { target, resolve, reject, timer }
      this.#waiters.add(waiter)
    })
  }

  wake(): void {
    if (this.#report.state === 'running') this.#process?.postMessage({ kind: 'wake' })
  }

  /**
   * Lets the engine finish what must not be cut, at most `timeoutMs`; then it is killed, and recovery does the rest at
   * the next start.
   */
  async stop(options: { readonly timeoutMs: number }): Promise<void> {
    this.#restartTimer?.cancel()
    const child = this.#process
    if (child === null) return
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(options.timeoutMs, () => child.kill())
      this.#stopping = () => {
        timer.cancel()
        resolve()
      }
      child.postMessage({ kind: 'stop' })
    })
  }

  #receive(child: EngineProcessHandle<Port>, input: unknown): void {
    const parsed = FromEngine.safeParse(input)
    if (!parsed.success || child !== this.#process || this.#switching !== null) return
    const message = parsed.data
    if (message.kind === 'needVault') void this.#answerVault(child)
    else if (message.kind === 'running') this.#running(message.owner)
    else this.#setState(message.retry ? this.#report.state : 'failed', message.error)
  }

  async #answerVault(child: EngineProcessHandle<Port>): Promise<void> {
    const material = await this.#options.obtainVault()
    if (child === this.#process) child.postMessage({ kind: 'vault', material })
    if (material.kind === 'key') material.bytes.fill(0)
  }

  #running(owner: EngineStateReport['owner']): void {
    this.#demoNodes = null
    this.#report = { ...this.#report, state: 'running', owner, error: null }
    this.#options.onState(this.#report)
    for (const waiter of this.#waiters) {
      waiter.timer.cancel()
      waiter.resolve(this.#connect(waiter.target))
    }
    this.#waiters.clear()
  }

  #connect(target: PortTarget): Port {
    const { near, far } = this.#options.createChannel()
    const message: ToEngine =
      target.kind === 'engine' ? { kind: 'enginePort' } : { kind: 'terminalPort', terminalId: target.terminalId }
    this.#process?.postMessage(message, [far])
    return near
  }

  #exited(child: EngineProcessHandle<Port>, exitCode: number): void {
    if (child !== this.#process) return
    this.#process = null
    if (this.#stopping !== null) this.#stopping()
    else if (this.#switching !== null) this.#switching()
    else if (this.#report.state === 'failed') this.#rejectWaiters()
    else this.#restartLater(exitCode)
  }

  #restartLater(exitCode: number): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#failuresAt = [...this.#failuresAt.slice(-20), nowMs]
    const delayMs = nextRestartDelay(this.#failuresAt, nowMs, { everlasting: this.#report.remote !== null })
    const error = this.#report.error ?? died(exitCode)
    this.#setState(delayMs === null ? 'failed' : 'restarting', error)
    if (delayMs === null) this.#rejectWaiters()
    else this.#restartTimer = this.#options.clock.setTimer(delayMs, () => this.start())
  }

  #setState(state: EngineState, error: ErrorBody | null): void {
    this.#report = { ...this.#report, state, error }
    this.#options.onState(this.#report)
  }

  #rejectWaiters(): void {
    for (const waiter of this.#waiters) {
      waiter.timer.cancel()
      waiter.reject(this.#unavailable())
    }
    this.#waiters.clear()
  }

  #unavailable(): AppError {
    return new AppError('ENGINE_UNAVAILABLE', this.#report.error?.message ?? 'The engine is still starting.')
  }
}

function died(exitCode: number): ErrorBody {
  return new AppError('ENGINE_UNAVAILABLE', `The engine ended unexpectedly (exit code ${exitCode}).`, {
    data: { exitCode },
  }).toBody()
}
