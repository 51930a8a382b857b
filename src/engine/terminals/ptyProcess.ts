import type { IPty } from 'node-pty'
import { spawn } from 'node-pty'
import type { Clock, Timer } from '../../platform/clock.ts'
import type { TerminalSize } from '../../shared/model/terminal.ts'

/** What runs in a terminal. */
export interface TerminalCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

export interface PtyProcess {
  /** Also the id of its process group: it leads a session of its own. */
  readonly pid: number
  readonly paused: boolean
  write(bytes: Uint8Array): void
  resize(size: TerminalSize): void
  pause(): void
  resume(): void
}

export interface PtyListeners {
  readonly onOutput: (bytes: Uint8Array) => void
  /** After the last output. A signal comes as 128 plus its number, as a shell would report it. */
  readonly onExit: (exitCode: number) => void
}

/** The part of node-pty 1.1's inside that the drain guard needs. */
interface ReadSocket {
  readonly readableEnded: boolean
  readonly closed: boolean
  destroy(error?: Error | null): unknown
}

const quietAfterExitMs = 200

/**
 * node-pty throws away what is still unread 200 ms after the program has exited, which cuts the tail of a flood off
 * while the reader is paused. This holds that back until the output has ended, or is quiet while we are reading.
 */
function guardTail(pty: IPty, clock: Clock, isPaused: () => boolean, lastOutputMs: () => number): () => void {
  const socket = (pty as unknown as { readonly _socket?: ReadSocket })._socket
  if (socket === undefined) return () => {}
  const destroy = socket.destroy.bind(socket)
  let timer: Timer | null = null
  const check = (): void => {
    const quietMs = clock.monotonicMs() - lastOutputMs()
    if (!isPaused() && quietMs >= quietAfterExitMs) destroy()
    else timer = clock.setTimer(quietAfterExitMs, check)
  }
  socket.destroy = (error) => {
    if (error != null || socket.readableEnded || socket.closed) return destroy(error)
    if (timer === null) timer = clock.setTimer(quietAfterExitMs, check)
    return socket
  }
  return () => timer?.cancel()
}

/** Starts a program on a pseudo-terminal. Throws when it cannot be started. */
export function startPty(
  command: TerminalCommand,
  size: TerminalSize,
  options: { readonly clock: Clock } & PtyListeners,
): PtyProcess {
  const pty = spawn(command.file, [...command.args], {
    cols: size.columns,
    rows: size.rows,
    cwd: '/',
    env: { ...command.environment },
    name: 'xterm-256color',
    encoding: null,
  })
  let paused = false
  let lastOutputMs = options.clock.monotonicMs()
  const release = guardTail(
    pty,
    options.clock,
    () => paused,
    () => lastOutputMs,
  )
  pty.onData((data) => {
    lastOutputMs = options.clock.monotonicMs()
    options.onOutput(data as unknown as Uint8Array)
  })
  pty.onExit(({ exitCode, signal }) => {
    release()
    options.onExit(signal === undefined || signal === 0 ? exitCode : 128 + signal)
  })
  return {
    pid: pty.pid,
    get paused() {
      return paused
    },
    write: (bytes) => pty.write(Buffer.from(bytes)),
    resize: (next) => pty.resize(next.columns, next.rows),
    pause: () => {
      paused = true
      pty.pause()
    },
    resume: () => {
      paused = false
      lastOutputMs = options.clock.monotonicMs()
      pty.resume()
    },
  }
}
