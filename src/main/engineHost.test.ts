import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../test/fakes/manualClock.ts'
import type { EngineStateReport } from '../shared/desktopBridge.ts'
import type { TerminalId } from '../shared/model/ids.ts'
import { EngineHost, type EngineProcessHandle } from './engineHost.ts'
import type { ToEngine, VaultMaterial } from './engineMessages.ts'
import { restartLimit } from './restartPolicy.ts'

class FakeProcess implements EngineProcessHandle<string> {
  readonly received: { readonly message: ToEngine; readonly ports: readonly string[] }[] = []
  killed = false
  #message: (message: unknown) => void = () => undefined
  #exit: (exitCode: number) => void = () => undefined

  postMessage(message: ToEngine, ports: string[] = []): void {
    // As the real pipe does: what the sender wipes later must have been copied.
    this.received.push({ message: structuredClone(message), ports })
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#message = listener
  }

  onExit(listener: (exitCode: number) => void): void {
    this.#exit = listener
  }

  kill(): void {
    this.killed = true
    this.#exit(15)
  }

  say(message: unknown): void {
    this.#message(message)
  }

  die(exitCode = 9): void {
    this.#exit(exitCode)
  }

  kinds(): string[] {
    return this.received.map(({ message }) => message.kind)
  }
}

function setUp(material: VaultMaterial = { kind: 'passphrase' }) {
  const processes: FakeProcess[] = []
  const reports: EngineStateReport[] = []
  const clock = createManualClock()
  let channels = 0
  const host = new EngineHost<string>({
    home: '/home/x',
    version: '1.2.3',
    demoNodes: null,
    remote: null,
    clock,
    fork: () => {
      const created = new FakeProcess()
      processes.push(created)
      return created
    },
    createChannel: () => {
      channels += 1
      return { near: `near${channels}`, far: `far${channels}` }
    },
    obtainVault: async () => material,
    onState: (report) => reports.push(report),
  })
  const newest = (): FakeProcess => processes.at(-1) as FakeProcess
  const run = (): void => newest().say({ kind: 'running', owner: 'desktop' })
  host.start()
  return { host, processes, reports, clock, newest, run }
}

describe('EngineHost', () => {
  it('hands the key over only when asked, over the pipe, and wipes its own copy', async () => {
    const bytes = new Uint8Array([1, 2, 3])
    const { newest } = setUp({ kind: 'key', bytes, description: 'keyring' })
    expect(newest().kinds()).toEqual(['start'])
    newest().say({ kind: 'needVault' })
    await expect.poll(() => newest().kinds()).toEqual(['start', 'vault'])
    expect(newest().received[1]?.message).toEqual({
      kind: 'vault',
      material: { kind: 'key', bytes: new Uint8Array([1, 2, 3]), description: 'keyring' },
    })
    await expect.poll(() => [...bytes]).toEqual([0, 0, 0])
  })

  it('gives one port to each window and each terminal', async () => {
    const { host, newest, run } = setUp()
    run()
    const terminalId = '01890a5d-ac96-774b-bcce-b302099a8057' as TerminalId
    expect(await host.openPort({ kind: 'engine' })).toBe('near1')
    expect(await host.openPort({ kind: 'terminal', terminalId })).toBe('near2')
    expect(newest().received.slice(1)).toEqual([
      { message: { kind: 'enginePort' }, ports: ['far1'] },
      { message: { kind: 'terminalPort', terminalId }, ports: ['far2'] },
    ])
  })

  it('lets a window wait while the engine starts, but not for ever', async () => {
    const { host, clock, run } = setUp()
    const served = host.openPort({ kind: 'engine' })
    run()
    expect(await served).toBe('near1')

    const other = setUp()
    const late = other.host.openPort({ kind: 'engine' })
    other.clock.advance(60_000)
    await expect(late).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    expect(clock.pendingTimerCount).toBe(0)
  })

  it('starts a dead engine again and tells the windows', () => {
    const { processes, reports, clock, newest, run } = setUp()
    run()
    newest().die()
    expect(reports.at(-1)).toMatchObject({ state: 'restarting', error: { code: 'ENGINE_UNAVAILABLE' } })
    expect(processes).toHaveLength(1)
    clock.advance(250)
    expect(processes).toHaveLength(2)
    run()
    expect(reports.at(-1)).toEqual({ state: 'running', owner: 'desktop', remote: null, error: null })
  })

  it('gives up after too many deaths, until a person asks', async () => {
    const { host, processes, reports, clock, newest, run } = setUp()
    for (let death = 0; death <= restartLimit.failures; death += 1) {
      newest().die()
      clock.advance(8_000)
    }
    expect(reports.at(-1)?.state).toBe('failed')
    expect(processes).toHaveLength(restartLimit.failures + 1)
    await expect(host.openPort({ kind: 'engine' })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    host.restart()
    run()
    expect(reports.at(-1)?.state).toBe('running')
  })

  it('does not try again what cannot get better by itself', () => {
    const { processes, reports, clock, newest } = setUp()
    const error = { code: 'DATABASE_NEWER', message: 'Made by a newer version.' }
    newest().say({ kind: 'failed', error, retry: false })
    newest().die(1)
    clock.advance(120_000)
    expect(reports.at(-1)).toEqual({ state: 'failed', owner: 'desktop', remote: null, error })
    expect(processes).toHaveLength(1)
  })

  it('says that a daemon owns the home', () => {
    const { reports, newest } = setUp()
    newest().say({ kind: 'running', owner: 'daemon' })
    expect(reports.at(-1)).toEqual({ state: 'running', owner: 'daemon', remote: null, error: null })
  })

  it('ignores what is no message, and a process that was replaced', () => {
    const { reports, clock, newest, processes, run } = setUp()
    newest().say({ kind: 'running', owner: 'somebody' })
    newest().say('running')
    expect(reports).toEqual([])
    newest().die()
    clock.advance(250)
    processes[0]?.say({ kind: 'running', owner: 'desktop' })
    expect(reports.at(-1)?.state).toBe('restarting')
    run()
  })

  it('waits for the engine to come to rest when the app quits, within a bound', async () => {
    const calm = setUp()
    calm.run()
    const stopped = calm.host.stop({ timeoutMs: 5_000 })
    expect(calm.newest().kinds().at(-1)).toBe('stop')
    calm.newest().die(0)
    await stopped
    expect(calm.newest().killed).toBe(false)
    expect(calm.processes).toHaveLength(1)

    const stuck = setUp()
    stuck.run()
    const killed = stuck.host.stop({ timeoutMs: 5_000 })
    stuck.clock.advance(5_000)
    await killed
    expect(stuck.newest().killed).toBe(true)
  })

  it('wakes the engine after sleep', () => {
    const { host, newest, run } = setUp()
    host.wake()
    run()
    host.wake()
    expect(newest().kinds()).toEqual(['start', 'wake'])
  })
})

describe('connecting to another control plane', () => {
  const control = { name: 'ops@control', home: null }

  it('S1.92 ends the present engine first, starts the next process with the wish, and says where it is', () => {
    const { host, processes, reports, newest, run } = setUp()
    run()
    host.connectTo(control)
    expect(newest().kinds()).toEqual(['start', 'stop'])
    expect(reports.at(-1)).toMatchObject({ state: 'restarting', remote: control })
    newest().die(0)
    expect(processes).toHaveLength(2)
    expect(newest().received[0]?.message).toMatchObject({ kind: 'start', remote: control })
    newest().say({ kind: 'running', owner: 'remote' })
    expect(reports.at(-1)).toEqual({ state: 'running', owner: 'remote', remote: control, error: null })
    host.connectTo(null)
    newest().die(0)
    expect(newest().received[0]?.message).toMatchObject({ kind: 'start', remote: null })
  })

  it('kills an engine that does not end, and takes the newest of two wishes', () => {
    const { host, processes, clock, newest, run } = setUp()
    run()
    host.connectTo(control)
    host.connectTo({ name: 'ops@other', home: '/srv/x' })
    clock.advance(10_000)
    expect(processes[0]?.killed).toBe(true)
    expect(processes).toHaveLength(2)
    expect(newest().received[0]?.message).toMatchObject({ remote: { name: 'ops@other', home: '/srv/x' } })
    expect(clock.pendingTimerCount).toBe(0)
  })

  it('tries for ever while the way is cut, and not at all when a person has to act', () => {
    const { host, processes, clock, reports, newest } = setUp()
    host.connectTo(control)
    newest().die(0)
    const error = { code: 'CONTROL_PLANE_UNREACHABLE', message: 'control does not answer to ssh.' }
    for (let round = 0; round < 3 * restartLimit.failures; round += 1) {
      const before = processes.length
      newest().say({ kind: 'failed', error, retry: true })
      newest().die(1)
      expect(reports.at(-1)).toMatchObject({ state: 'restarting', error })
      clock.advance(8_000)
      expect(processes).toHaveLength(before + 1)
    }
    newest().say({ kind: 'failed', error, retry: false })
    newest().die(1)
    expect(reports.at(-1)).toMatchObject({ state: 'failed', remote: control, error })
    host.connectTo(null)
    expect(newest().received[0]?.message).toMatchObject({ remote: null })
  })
})
