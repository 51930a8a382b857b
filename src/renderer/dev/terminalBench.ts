/*
 * The page of bench/terminal.bench.ts: the product's own screen and session at the end of a WebSocket, and the same
 * screen fed without acknowledgements. Never part of the product's build.
 */
import '@xterm/xterm/css/xterm.css'
import '../styles/tokens.css'
import type { TerminalId } from '../../shared/model/ids.ts'
import type { EngineLink, TerminalDuplex } from '../api/link.ts'
import { createDuplex } from '../api/links/duplex.ts'
import { createSubscribable } from '../api/subscribable.ts'
import { TerminalScreen } from '../features/terminal/terminalScreen.ts'
import { TerminalSession } from '../features/terminal/terminalSession.ts'

export interface TerminalMeasurement {
  /** From the start of the program until the screen had taken in its last byte. */
  readonly wallMs: number
  readonly receivedBytes: number
  /** Most output that had arrived and was not yet taken in. */
  readonly mostWaitingBytes: number
  /** The last lines on the screen. */
  readonly tail: string
}

declare global {
  interface Window {
    measure?: (way: 'ours' | 'plain') => Promise<TerminalMeasurement>
  }
}

async function openSocket(path: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${location.host}${path}`)
  socket.binaryType = 'arraybuffer'
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  return socket
}

async function openDuplex(): Promise<TerminalDuplex> {
  const socket = await openSocket('/ours')
  const feed = createDuplex({ send: (frame) => socket.send(frame), close: () => socket.close() })
  socket.addEventListener('message', (event) => feed.receive(new Uint8Array(event.data as ArrayBuffer)))
  socket.addEventListener('close', feed.closed)
  return feed.duplex
}

/** Counts what has come and what the screen has taken in. */
class Gauge {
  receivedBytes = 0
  mostWaitingBytes = 0
  #consumedBytes = 0

  received(sizeBytes: number): void {
    this.receivedBytes += sizeBytes
    this.mostWaitingBytes = Math.max(this.mostWaitingBytes, this.receivedBytes - this.#consumedBytes)
  }

  consumed(sizeBytes: number): void {
    this.#consumedBytes += sizeBytes
  }
}

function newScreen(onInput: (text: string) => void = () => {}): TerminalScreen {
  const ignore = (): void => {}
  const screen = new TerminalScreen({
    onInput,
    onResize: ignore,
    openLink: ignore,
    onSearchKey: ignore,
    onDockKey: ignore,
    copyText: ignore,
  })
  screen.mount(document.getElementById('terminal') as HTMLElement)
  return screen
}

async function measureOurs(gauge: Gauge): Promise<{ readonly wallMs: number; readonly screen: TerminalScreen }> {
  const screen = newScreen()
  const link = {
    client: { terminals: {} },
    openTerminal: openDuplex,
    status: createSubscribable('live'),
  } as unknown as EngineLink
  const session = new TerminalSession(
    link,
    { node: 'bench', nodeName: 'bench', terminalId: 'bench' as TerminalId },
    {
      get size() {
        return screen.size
      },
      write: (bytes, consumed) => {
        gauge.received(bytes.length)
        screen.write(bytes, () => {
          gauge.consumed(bytes.length)
          consumed()
        })
      },
      note: () => {},
      reset: () => {},
      leaveProgram: () => {},
    },
  )
  await session.start()
  const startedMs = performance.now()
  const ended = new Promise<void>((resolve) =>
    session.state.subscribe(() => session.state.get().status === 'exited' && resolve()),
  )
  session.input('\r')
  await ended
  await new Promise<void>((resolve) => screen.write('', resolve))
  return { wallMs: performance.now() - startedMs, screen }
}

async function measurePlain(gauge: Gauge): Promise<{ readonly wallMs: number; readonly screen: TerminalScreen }> {
  const screen = newScreen()
  const socket = await openSocket('/plain')
  const ended = new Promise((resolve) => socket.addEventListener('close', resolve))
  socket.addEventListener('message', (event) => {
    const bytes = new Uint8Array(event.data as ArrayBuffer)
    gauge.received(bytes.length)
    screen.write(bytes, () => gauge.consumed(bytes.length))
  })
  const startedMs = performance.now()
  socket.send('\r')
  await ended
  await new Promise<void>((resolve) => screen.write('', resolve))
  return { wallMs: performance.now() - startedMs, screen }
}

window.measure = async (way) => {
  const gauge = new Gauge()
  const { wallMs, screen } = await (way === 'ours' ? measureOurs(gauge) : measurePlain(gauge))
  const { receivedBytes, mostWaitingBytes } = gauge
  return { wallMs, receivedBytes, mostWaitingBytes, tail: screen.text().slice(-40) }
}
