import type { TerminalDuplex } from '../../../src/engine/terminals/duplex.ts'
import { createTerminalService, type TerminalService } from '../../../src/engine/terminals/terminalService.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { decodeTerminalFrame, encodeTerminalFrame } from '../../../src/shared/terminalFrames.ts'

export const caller = { operator: 'tester@here', via: 'embedded' } as const
export const size = { columns: 80, rows: 24 } as const
export const node = { id: '019abcde-0000-7000-8000-000000000001', name: 'worker-01' } as unknown as FleetNode

/** A service whose terminals run `script` in a local shell instead of `ssh`. */
export function localService(script: string): TerminalService {
  const unused = (): never => {
    throw new Error('a local terminal needs no identity')
  }
  return createTerminalService({
    openSsh: { prepare: unused },
    identities: { ensure: unused },
    clock: systemClock,
    ids: createIdSource(systemClock),
    logger: { warn: () => {} },
    command: async () => ({
      file: '/bin/sh',
      args: ['-c', script],
      environment: { PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'xterm-256color' },
    }),
  })
}

/** A window in this process: what it received, and acknowledgements as the test wants them. */
export class TestWindow implements TerminalDuplex {
  receivedBytes = 0
  mostUnacknowledgedBytes = 0
  exitCode: number | null = null
  closed = false
  acknowledges: boolean
  #tail = ''
  #acknowledgedBytes = 0
  #message: (bytes: Uint8Array) => void = () => {}
  #close: () => void = () => {}

  constructor(options: { readonly acknowledges?: boolean } = {}) {
    this.acknowledges = options.acknowledges ?? true
  }

  /** The last 64 KiB as text. */
  get tail(): string {
    return this.#tail
  }

  send(bytes: Uint8Array): void {
    const frame = decodeTerminalFrame(bytes)
    if (frame?.kind === 'exit') this.exitCode = frame.exitCode
    if (frame?.kind !== 'data') return
    this.receivedBytes += frame.bytes.length
    this.mostUnacknowledgedBytes = Math.max(this.mostUnacknowledgedBytes, this.receivedBytes - this.#acknowledgedBytes)
    this.#tail = (this.#tail + Buffer.from(frame.bytes).toString('utf8')).slice(-65_536)
    const sizeBytes = frame.bytes.length
    if (this.acknowledges) setImmediate(() => this.acknowledge(sizeBytes))
  }

  onMessage(listener: (bytes: Uint8Array) => void): void {
    this.#message = listener
  }

  onClose(listener: () => void): void {
    this.#close = listener
  }

  close(): void {
    this.closed = true
  }

  acknowledge(sizeBytes: number): void {
    this.#acknowledgedBytes += sizeBytes
    this.#message(encodeTerminalFrame({ kind: 'acknowledge', sizeBytes }))
  }

  type(text: string): void {
    this.#message(encodeTerminalFrame({ kind: 'data', bytes: Buffer.from(text) }))
  }

  sendRaw(bytes: Uint8Array): void {
    this.#message(bytes)
  }

  /** The window is gone without a word, as after a crash of its page. */
  vanish(): void {
    this.#close()
  }
}

/** Waits for a state; fails with `what` when it does not come. */
export async function until(what: string, condition: () => boolean, deadlineMs = 60_000): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
