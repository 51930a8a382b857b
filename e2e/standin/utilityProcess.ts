import { type ChildProcess, fork as forkNode } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { tellTest } from './control.ts'
import type { MessagePortMain } from './messagePort.ts'
import { record } from './recorder.ts'

/** What crosses the pipe to `utilityEntry.ts`; `ports` are numbers that stand for handed-over ports. */
export type UtilityWire =
  | { readonly kind: 'message'; readonly data: unknown; readonly ports: readonly number[] }
  | { readonly kind: 'port'; readonly port: number; readonly data: unknown }
  | { readonly kind: 'close'; readonly port: number }

interface ForkOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly execArgv?: readonly string[]
  readonly serviceName?: string
  readonly stdio?: 'inherit' | 'pipe' | 'ignore'
}

class UtilityProcess extends EventEmitter {
  readonly #child: ChildProcess
  readonly #ports = new Map<number, MessagePortMain>()
  #nextPort = 0

  constructor(modulePath: string, args: readonly string[], options: ForkOptions) {
    super()
    const entry = fileURLToPath(new URL('./utilityEntry.ts', import.meta.url))
    const output = options.stdio ?? 'inherit'
    this.#child = forkNode(entry, [modulePath, ...args], {
      execArgv: [...(options.execArgv ?? []), '--disable-warning=ExperimentalWarning'],
      env: options.env ?? process.env,
      serialization: 'advanced',
      stdio: ['ignore', output, output, 'ipc'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    this.#child.once('spawn', () => this.emit('spawn'))
    this.#child.on('message', (message: UtilityWire) => this.#receive(message))
    this.#child.once('exit', (code, signal) => this.#exited(code ?? (signal === 'SIGKILL' ? 9 : 15)))
    this.#child.on('error', (error) => console.error('[standin] utility process', error.message))
    if (this.#child.pid !== undefined)
      tellTest({ standin: 'utility', pid: this.#child.pid, serviceName: options.serviceName ?? '' })
  }

  get pid(): number | undefined {
    return this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }

  get stdout(): NodeJS.ReadableStream | null {
    return this.#child.stdout
  }

  get stderr(): NodeJS.ReadableStream | null {
    return this.#child.stderr
  }

  postMessage(data: unknown, transfer: readonly MessagePortMain[] = []): void {
    this.#send({ kind: 'message', data, ports: transfer.map((port) => this.#adopt(port)) })
  }

  kill(): boolean {
    return this.#child.kill()
  }

  #adopt(port: MessagePortMain): number {
    const id = this.#nextPort++
    this.#ports.set(id, port)
    port.handOver({
      deliver: (data) => this.#send({ kind: 'port', port: id, data }),
      disconnect: () => {
        if (this.#ports.delete(id)) this.#send({ kind: 'close', port: id })
      },
    })
    return id
  }

  #send(message: UtilityWire): void {
    if (this.#child.connected) this.#child.send(message)
  }

  #receive(message: UtilityWire): void {
    if (message.kind === 'message') this.emit('message', message.data)
    else if (message.kind === 'port') this.#ports.get(message.port)?.fromRemote(message.data)
    else this.#closePort(message.port)
  }

  #closePort(id: number): void {
    const port = this.#ports.get(id)
    this.#ports.delete(id)
    port?.close()
  }

  #exited(code: number): void {
    for (const id of [...this.#ports.keys()]) this.#closePort(id)
    this.emit('exit', code)
  }
}

/** Every argument and environment name is recorded: a test proves that no secret travels that way. */
export const utilityProcess = {
  fork(modulePath: string, args: readonly string[] = [], options: ForkOptions = {}): UtilityProcess {
    record('utilityProcess.fork', modulePath, args, options)
    return new UtilityProcess(modulePath, args, options)
  },
}
