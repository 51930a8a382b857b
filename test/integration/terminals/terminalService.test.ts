import { afterEach, describe, expect, it } from 'vitest'
import type { TerminalService } from '../../../src/engine/terminals/terminalService.ts'
import type { TerminalId } from '../../../src/shared/model/ids.ts'
import { terminalWindow } from '../../../src/shared/model/terminal.ts'
import { encodeTerminalFrame } from '../../../src/shared/terminalFrames.ts'
import { caller, localService, node, size, TestWindow, until } from './harness.ts'

const started: TerminalService[] = []

async function open(script: string): Promise<{ service: TerminalService; id: TerminalId }> {
  const service = localService(script)
  started.push(service)
  const terminal = await service.open({ node, size, caller })
  return { service, id: terminal.id }
}

afterEach(async () => {
  for (const service of started.splice(0)) await service.stop()
})

describe('terminal service', () => {
  it('U14 delivers two million lines to the last one, never holding more than the window', async () => {
    const { service, id } = await open('stty -echo; echo go; read line; seq 1 2000000')
    const window = new TestWindow()
    service.attach(id, window)
    await until('the shell is ready', () => window.tail.includes('go\r\n'))
    const before = window.receivedBytes
    window.type('\r')
    await until('the exit frame', () => window.exitCode !== null, 120_000)
    // 12,888,896 digits, and the terminal ends each of the lines with CR LF.
    expect(window.receivedBytes - before).toBe(12_888_896 + 2 * 2_000_000)
    expect(window.tail.endsWith('1999999\r\n2000000\r\n')).toBe(true)
    expect(window.mostUnacknowledgedBytes).toBeLessThan(2 * terminalWindow.highBytes)
    expect(window.exitCode).toBe(0)
  }, 130_000)

  it('U14 pauses above 256 KiB unacknowledged, resumes below 64 KiB and still delivers the tail', async () => {
    const { service, id } = await open('seq 1 100000')
    const window = new TestWindow({ acknowledges: false })
    service.attach(id, window)
    await until('the pty is held', () => window.receivedBytes > terminalWindow.highBytes)
    const heldAt = window.receivedBytes
    await untilQuiet(() => window.receivedBytes)
    expect(window.receivedBytes - heldAt).toBeLessThan(256 * 1024)
    expect(window.exitCode).toBeNull()
    window.acknowledge(window.receivedBytes - terminalWindow.lowBytes - 1)
    const beforeLowMark = window.receivedBytes
    await untilQuiet(() => window.receivedBytes)
    expect(window.receivedBytes).toBe(beforeLowMark)
    window.acknowledges = true
    window.acknowledge(terminalWindow.lowBytes + 1)
    await until('the exit frame', () => window.exitCode !== null)
    expect(window.tail.endsWith('99999\r\n100000\r\n')).toBe(true)
  })

  it('keeps the tail when the program ends while the window is behind', async () => {
    const { service, id } = await open('seq 1 42000')
    const window = new TestWindow({ acknowledges: false })
    service.attach(id, window)
    await until('the window is behind', () => window.receivedBytes > terminalWindow.highBytes)
    await untilQuiet(() => window.receivedBytes, 400)
    window.acknowledges = true
    window.acknowledge(window.receivedBytes)
    await until('the exit frame', () => window.exitCode !== null)
    expect(window.tail.endsWith('41999\r\n42000\r\n')).toBe(true)
  })

  it('lets the slowest window govern, and a vanished one stall nobody', async () => {
    const { service, id } = await open('seq 1 200000')
    const quick = new TestWindow()
    const slow = new TestWindow({ acknowledges: false })
    service.attach(id, quick)
    service.attach(id, slow)
    await until('the slow window is behind', () => slow.receivedBytes > terminalWindow.highBytes)
    await untilQuiet(() => quick.receivedBytes)
    expect(quick.exitCode).toBeNull()
    slow.vanish()
    await until('the exit frame', () => quick.exitCode !== null)
    expect(quick.tail.endsWith('200000\r\n')).toBe(true)
  })

  it('F41 sends the replay to a window that attaches again, also after the exit', async () => {
    const { service, id } = await open('echo ready; read line; echo "got $line"; exit 3')
    const first = new TestWindow()
    service.attach(id, first)
    await until('the prompt', () => first.tail.includes('ready'))
    first.vanish()
    const second = new TestWindow()
    service.attach(id, second)
    expect(second.tail).toContain('ready')
    second.type('hello\r')
    await until('the exit frame', () => second.exitCode !== null)
    expect(second.tail).toContain('got hello')
    const third = new TestWindow()
    service.attach(id, third)
    expect(third.tail).toContain('got hello')
    expect(third.exitCode).toBe(3)
    expect(service.list()).toMatchObject([{ id, status: 'exited', exitCode: 3 }])
  })

  it('runs on with nobody watching, keeping the newest output only', async () => {
    const { service, id } = await open('seq 1 300000')
    await until('it has ended', () => service.list()[0]?.status === 'exited')
    const window = new TestWindow()
    service.attach(id, window)
    expect(window.receivedBytes).toBeLessThanOrEqual(256 * 1024)
    expect(window.tail.endsWith('300000\r\n')).toBe(true)
  })

  it('resizes the terminal', async () => {
    const { service, id } = await open('read line; stty size; sleep 60')
    const window = new TestWindow()
    service.attach(id, window)
    window.sendRaw(encodeTerminalFrame({ kind: 'resize', columns: 132, rows: 43 }))
    window.type('\r')
    await until('the size', () => window.tail.includes('43 132'))
  })

  it.each([
    ['an empty frame', new Uint8Array()],
    ['an unknown type', new Uint8Array([9, 0, 0, 0, 0])],
    ['a short acknowledgement', new Uint8Array([1, 0])],
    ['an acknowledgement of bytes never sent', encodeTerminalFrame({ kind: 'acknowledge', sizeBytes: 1_000_000 })],
    ['a size of nothing', encodeTerminalFrame({ kind: 'resize', columns: 0, rows: 0 })],
    ['an exit code from a window', encodeTerminalFrame({ kind: 'exit', exitCode: 0 })],
    ['too much input at once', encodeTerminalFrame({ kind: 'data', bytes: new Uint8Array(64 * 1024 + 1) })],
  ])('closes the channel on %s', async (_name, bytes) => {
    const { service, id } = await open('sleep 60')
    const window = new TestWindow()
    service.attach(id, window)
    window.sendRaw(bytes)
    expect(window.closed).toBe(true)
    expect(service.list()[0]?.status).toBe('open')
  })

  it('closes the channel of a terminal it does not know', () => {
    const service = localService('true')
    const window = new TestWindow()
    service.attach('019abcde-0000-7000-8000-0000000000ff' as TerminalId, window)
    expect(window.closed).toBe(true)
  })

  it('F23 ends a program that ignores the polite signal, with its children', async () => {
    const { service, id } = await open('trap "" HUP TERM; sleep 600 & echo "child $!"; wait; wait; sleep 600')
    const window = new TestWindow()
    service.attach(id, window)
    await until('the child', () => /child \d+\r\n/.test(window.tail))
    const child = Number(/child (\d+)/.exec(window.tail)?.[1])
    await service.close(id)
    expect(service.list()).toEqual([])
    expect(window.closed).toBe(true)
    await until('the child is gone', () => !isAlive(child))
  })

  it('stop ends all terminals and refuses new ones', async () => {
    const { service } = await open('sleep 600')
    await service.open({ node, size, caller })
    await service.stop()
    expect(service.list()).toEqual([])
    await expect(service.open({ node, size, caller })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  })

  it('says so when the program cannot be closed twice', async () => {
    const { service, id } = await open('sleep 600')
    await service.close(id)
    await expect(service.close(id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Resolves when a figure has stopped growing: the flow is held. */
async function untilQuiet(read: () => number, quietMs = 150): Promise<void> {
  let last = read()
  let sinceMs = performance.now()
  await until('it is quiet', () => {
    const now = read()
    if (now !== last) {
      last = now
      sinceMs = performance.now()
    }
    return performance.now() - sinceMs > quietMs
  })
}
