import { describe, expect, it } from 'vitest'
import type { TerminalId } from '../../../shared/model/ids.ts'
import type { Terminal } from '../../../shared/model/terminal.ts'
import { decodeTerminalFrame, encodeTerminalFrame, type TerminalFrame } from '../../../shared/terminalFrames.ts'
import type { TerminalDuplex } from '../../api/link.ts'
import { createDuplex, type DuplexFeed } from '../../api/links/duplex.ts'
import { createSubscribable } from '../../api/subscribable.ts'
import { TerminalSession } from './terminalSession.ts'

/** An engine that opens terminals in name only; the test plays the program. */
class FakeTerminals {
  readonly sent: TerminalFrame[] = []
  readonly closed: string[] = []
  readonly running = new Map<string, Terminal>()
  feed: DuplexFeed | null = null
  channels = 0
  refuse: Error | null = null

  readonly link = {
    client: {
      terminals: {
        open: async () => {
          if (this.refuse !== null) throw this.refuse
          const terminal = {
            id: `t${this.running.size + this.closed.length + 1}`,
            status: 'open',
          } as unknown as Terminal
          this.running.set(terminal.id, terminal)
          return terminal
        },
        list: async () => [...this.running.values()],
        close: async ({ terminalId }: { terminalId: string }) => {
          this.closed.push(terminalId)
          this.running.delete(terminalId)
        },
      },
    },
    status: createSubscribable('live'),
    openTerminal: async (): Promise<TerminalDuplex> => {
      this.channels += 1
      this.feed = createDuplex({
        send: (bytes) => {
          const frame = decodeTerminalFrame(bytes)
          if (frame !== null) this.sent.push(frame)
        },
        close: () => {},
      })
      return this.feed.duplex
    },
  }

  say(text: string): void {
    this.feed?.receive(encodeTerminalFrame({ kind: 'data', bytes: new TextEncoder().encode(text) }))
  }

  exit(exitCode: number): void {
    this.feed?.receive(encodeTerminalFrame({ kind: 'exit', exitCode }))
  }
}

class FakeScreen {
  readonly size = { columns: 80, rows: 24 }
  readonly notes: string[] = []
  readonly pending: (() => void)[] = []
  text = ''
  resets = 0

  write(bytes: Uint8Array, consumed: () => void): void {
    this.text += new TextDecoder().decode(bytes)
    this.pending.push(consumed)
  }
  note(text: string): void {
    this.notes.push(text)
  }
  reset(): void {
    this.resets += 1
  }
  leaveProgram(): void {}
}

type Link = ConstructorParameters<typeof TerminalSession>[0]

function setUp(terminalId: string | null = null) {
  const engine = new FakeTerminals()
  const screen = new FakeScreen()
  const target = { node: 'n1', nodeName: 'worker-01', terminalId: terminalId as TerminalId | null }
  const session = new TerminalSession(engine.link as unknown as Link, target, screen)
  return { engine, screen, session }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

describe('terminal session', () => {
  it('sends what was typed before the channel was there, whole and in order', async () => {
    const { engine, session } = setUp()
    session.input('echo ')
    session.input('hello\r')
    await session.start()
    session.input('exit\r')
    const typed = engine.sent.flatMap((frame) => (frame.kind === 'data' ? [new TextDecoder().decode(frame.bytes)] : []))
    expect(typed).toEqual(['echo hello\r', 'exit\r'])
  })

  it('U14 acknowledges what the screen has taken in, and not before', async () => {
    const { engine, screen, session } = setUp()
    await session.start()
    engine.say('hello')
    expect(engine.sent.filter((frame) => frame.kind === 'acknowledge')).toEqual([])
    screen.pending[0]?.()
    expect(engine.sent.at(-1)).toEqual({ kind: 'acknowledge', sizeBytes: 5 })
  })

  it('says its size when it attaches, and sends a long paste in pieces the engine takes', async () => {
    const { engine, session } = setUp()
    await session.start()
    expect(engine.sent[0]).toEqual({ kind: 'resize', columns: 80, rows: 24 })
    session.input('x'.repeat(50_000))
    const pieces = engine.sent.filter((frame) => frame.kind === 'data').map((frame) => frame.bytes.length)
    expect(pieces.reduce((sum, size) => sum + size, 0)).toBe(50_000)
    expect(Math.max(...pieces)).toBeLessThanOrEqual(16 * 1024)
  })

  it('F41 connects again in place on Enter after the end, keeping what is on screen', async () => {
    const { engine, screen, session } = setUp()
    await session.start()
    engine.say('bye')
    engine.exit(3)
    expect(session.state.get()).toEqual({ status: 'exited', exitCode: 3 })
    session.input('ls')
    expect(engine.channels).toBe(1)
    session.input('\r')
    await until('open again', () => session.state.get().status === 'open')
    expect(screen.resets).toBe(0)
    expect(screen.text).toBe('bye')
    expect(engine.closed).toEqual(['t1'])
    expect(session.terminalId).not.toBe('t1')
  })

  it('attaches again when only the channel broke, starting from a clean screen for the replay', async () => {
    const { engine, screen, session } = setUp()
    await session.start()
    engine.feed?.closed()
    await until('attached again', () => engine.channels === 2)
    expect(session.state.get().status).toBe('open')
    expect(screen.resets).toBe(1)
    expect(session.terminalId).toBe('t1')
  })

  it('says that the session ended when the engine no longer has it', async () => {
    const { engine, screen, session } = setUp()
    await session.start()
    engine.running.clear()
    engine.feed?.closed()
    await until('ended', () => session.state.get().status === 'ended')
    expect(screen.notes.at(-1)).toContain('The engine was restarted')
  })

  it('shows why a terminal could not be opened, and tries again on Enter', async () => {
    const { engine, screen, session } = setUp()
    engine.refuse = new Error('socket closed')
    await session.start()
    expect(session.state.get()).toMatchObject({ status: 'ended', error: { code: 'ENGINE_UNAVAILABLE' } })
    expect(screen.notes.at(-1)).toContain('Enter: try again')
    engine.refuse = null
    session.input('\r')
    await until('open', () => session.state.get().status === 'open')
  })

  it('attaches to a terminal that runs already, as after a reload', async () => {
    const { engine, session } = setUp('t9')
    await session.start()
    expect(session.state.get().status).toBe('open')
    expect(engine.running.size).toBe(0)
    expect(engine.channels).toBe(1)
  })

  it('does not answer the questions in a replay a second time, as if somebody had typed that', async () => {
    const { engine, screen, session } = setUp('t9')
    await session.start()
    engine.say('vim asked: \u001b[c')
    session.input('\u001b[?1;2c')
    session.input('\u001b[24;80R')
    session.input('\u001b[A')
    screen.pending[0]?.()
    session.input('\u001b[?1;2c')
    const typed = engine.sent.flatMap((frame) => (frame.kind === 'data' ? [new TextDecoder().decode(frame.bytes)] : []))
    expect(typed).toEqual(['\u001b[A', '\u001b[?1;2c'])
  })

  it('ends the terminal on the node when its pane is closed, and leaves it when the page goes', async () => {
    const first = setUp()
    await first.session.start()
    first.session.dispose()
    expect(first.engine.closed).toEqual([])
    const second = setUp()
    await second.session.start()
    second.session.close()
    expect(second.engine.closed).toEqual(['t1'])
  })
})
