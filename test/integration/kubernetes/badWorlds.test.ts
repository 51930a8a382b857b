import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualClock, type ManualClock } from '../../fakes/manualClock.ts'
import { ApiStatus } from '../../support/kubernetes/configMapStore.ts'
import { startFreezingProxy } from '../../support/kubernetes/freezingProxy.ts'
import { writeKubeconfig } from '../../support/kubernetes/kubectl.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type FollowOptions, type KubernetesRig, startRig, token } from './rig.ts'

const name = 'service-registry'

let rig: KubernetesRig
let stops: (() => Promise<void>)[]
beforeEach(async () => {
  stops = []
  rig = await startRig()
})
afterEach(async () => {
  // The followers first: they hold connections through what is stopped next.
  await rig.stop()
  for (const stop of stops) await stop()
})

async function followed(options: FollowOptions & { readonly clock?: ManualClock } = {}) {
  rig.server.setMap(name, { r: 'one' })
  const source = rig.follow(options)
  await source.start()
  await waitFor('the watch', () => rig.server.watches === 1)
  const { clock } = options
  // Its life and the poll: the answer has begun at this end too.
  if (clock !== undefined) await waitFor('the answer', () => clock.pendingTimerCount === 2)
  return source
}

const seen = (verb: string): number => rig.server.requests.filter((request) => request.verb === verb).length

describe('a ConfigMap in a bad world', () => {
  it('S1.27 S1.42 says when there is none, keeps the last revision, and reads it as soon as it is there again', async () => {
    const source = await followed()
    rig.server.store.remove('default', name)
    const { diagnosis } = await source.fails('NOT_FOUND')
    expect(diagnosis.sentence).toBe(
      'There is no ConfigMap default/service-registry. Create it; it is read as soon as it is there. The last good revision stays in force.',
    )
    expect(source.texts()).toEqual(['one'])
    rig.server.setMap(name, { r: 'two' })
    await source.says('two')
  })

  it('S1.27 begins without a ConfigMap and waits for it', async () => {
    const source = rig.follow()
    await source.start()
    expect(source.failing()?.diagnosis.code).toBe('NOT_FOUND')
    rig.server.setMap(name, { r: 'one' })
    await source.says('one')
  })

  it.each([
    ['as an event', (): void => rig.server.store.compact()],
    [
      'as the answer',
      (): void => {
        throw new ApiStatus(410, 'Expired', 'too old resource version')
      },
    ],
  ])('S1.27 lists again when the version to watch from is gone (410 %s)', async (_how, expire) => {
    rig.server.setMap(name, { r: 'one' })
    let times = 0
    rig.server.beforeWatch(() => {
      times += 1
      if (times <= 2) expire()
    })
    const source = rig.follow()
    await source.start()
    await waitFor('the third watch', () => rig.server.watches === 1 && times === 3)
    expect(seen('list')).toBe(3)
    rig.server.setMap(name, { r: 'two' })
    await source.says('two')
    expect(source.states).toEqual([])
  })

  it.each([
    ['cut', () => rig.server.cutWatches()],
    ['cut in the middle of an event', () => rig.server.cutWatches({ partial: true })],
    ['ended by the server', () => rig.server.endWatches()],
  ])('S1.27 goes on when the watch is %s, and misses nothing that happened meanwhile', async (_how, cut) => {
    const source = await followed()
    cut()
    rig.server.setMap(name, { r: 'two' })
    await source.says('two')
    await waitFor('the next watch', () => rig.server.watches === 1)
    rig.server.setMap(name, { r: 'three' })
    await source.says('three')
    expect(source.states).toEqual([])
  })

  it('S1.81 asks with a pause a server that ends every watch at once', async () => {
    const clock = createManualClock()
    const source = await followed({ clock, timing: { firstPauseMs: 500, longestPauseMs: 30_000 } })
    for (const pauseMs of [500, 1_000, 2_000, 4_000]) {
      const lists = seen('list')
      rig.server.endWatches()
      await waitFor('the end of the watch', () => clock.pendingTimerCount === 1)
      clock.advance(pauseMs - 1)
      expect(seen('list')).toBe(lists)
      clock.advance(1)
      await waitFor(
        'the next watch',
        () => seen('list') === lists + 1 && rig.server.watches === 1 && clock.pendingTimerCount === 2,
      )
    }
    expect(source.failing()).toBeNull()
  })

  it('S1.27 takes no harm from bookmarks', async () => {
    const source = await followed()
    rig.server.sendBookmarks()
    rig.server.setMap(name, { r: 'two' })
    await source.says('two')
    expect(source.texts()).toEqual(['one', 'two'])
    expect(seen('list')).toBe(1)
  })

  it('S1.7 says that the API server is away, and goes on when it is back with all it knew', async () => {
    const source = await followed()
    await rig.server.down()
    const { diagnosis, since } = await source.fails('REGISTRY_SOURCE_UNREACHABLE')
    expect(diagnosis).toMatchObject({ transient: true, short: 'cluster not reachable' })
    expect(diagnosis.sentence).toContain(`${rig.server.url} is not reachable, nothing listens there`)
    const failures = source.states.length
    await waitFor('another try', () => source.states.length > failures)
    expect(source.failing()?.since).toBe(since)
    expect(source.log.filter((line) => line.includes('cannot be followed'))).toHaveLength(1)
    await rig.server.up()
    await source.says('one')
    rig.server.setMap(name, { r: 'two' })
    await source.says('two')
  })

  it('S1.7 does not mistake a cluster that has lost everything for one without a registry', async () => {
    const source = await followed()
    await rig.server.down()
    await rig.server.up({ loseState: true })
    await source.fails('NOT_FOUND')
    expect(source.texts()).toEqual(['one'])
    rig.server.setMap(name, { r: 'restored' })
    await source.says('restored')
  })

  it.each([500, 503, 429])('S1.7 waits while the API server answers with %i', async (status) => {
    rig.server.setMap(name, { r: 'one' })
    rig.server.answerWith(status)
    const source = rig.follow()
    await source.start()
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_UNREACHABLE')
    expect(diagnosis.sentence).toContain(`answered with status ${status}`)
    rig.server.answerWith(null)
    await source.says('one')
  })

  it('S1.34 notices by the poll that the connection of the watch is dead', async () => {
    const proxy = await startFreezingProxy(rig.server.port)
    stops.push(() => proxy.stop())
    const url = `https://127.0.0.1:${proxy.port}`
    const kubeconfigFile = await writeKubeconfig(rig.server, { directory: rig.directory, name: 'proxied', token, url })
    const clock = createManualClock()
    const source = await followed({ clock, pollIntervalMs: 10_000, place: { kubeconfigFile } })
    proxy.freezeOpen()
    rig.server.setMap(name, { r: 'two' })
    expect(source.texts()).toEqual(['one'])
    clock.advance(10_000)
    await source.says('two')
  })

  it('S1.34 gives up a watch that outlives its time by more than the grace', async () => {
    const clock = createManualClock()
    const source = await followed({ clock, timing: { watchSeconds: 290, watchGraceMs: 10_000 } })
    rig.server.forgetWatches()
    rig.server.setMap(name, { r: 'two' })
    clock.advance(299_999)
    expect(seen('list')).toBe(1)
    clock.advance(1)
    await waitFor('the look behind the pause', () => {
      clock.advance(10)
      return seen('list') === 2
    })
    await source.says('two')
  })

  it('S1.7 says so when nothing comes through any more, and goes on when it does', async () => {
    const proxy = await startFreezingProxy(rig.server.port)
    stops.push(() => proxy.stop())
    const url = `https://127.0.0.1:${proxy.port}`
    const kubeconfigFile = await writeKubeconfig(rig.server, { directory: rig.directory, name: 'proxied', token, url })
    const source = await followed({
      pollIntervalMs: 20,
      place: { kubeconfigFile },
      timing: { callTimeoutMs: 200 },
    })
    proxy.freezeAll()
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_UNREACHABLE')
    expect(diagnosis.sentence).toContain('did not answer within 0.2 s')
    rig.server.setMap(name, { r: 'two' })
    proxy.thaw()
    await source.says('two')
  })

  it('S1.7 does not wait for ever for an API server that takes requests and answers none', async () => {
    rig.server.setMap(name, { r: 'one' })
    rig.server.freeze()
    const source = rig.follow({ timing: { callTimeoutMs: 200 } })
    await source.start()
    expect(source.failing()?.diagnosis.code).toBe('REGISTRY_SOURCE_UNREACHABLE')
    rig.server.thaw()
    await source.says('one')
  })

  it('S1.7 stops at once, whatever it is waiting for', async () => {
    rig.server.freeze()
    const source = rig.follow()
    const started = source.start()
    await waitFor('a connection', () => rig.server.connections === 1)
    await source.stop()
    await started
    expect([source.reads, source.states]).toEqual([[], []])
  })
})

describe('everything at once', () => {
  it('S1.27 S1.34 ends with what the cluster says, and never goes back, whatever happens on the way', async () => {
    const step = fc.constantFrom('change', 'cut', 'end', 'forget', 'expire', 'error', 'restart', 'remove', 'look')
    const once = async (steps: readonly string[]): Promise<void> => {
      rig.server.setMap(name, { r: 'start' })
      const source = rig.follow({ pollIntervalMs: 30, timing: { callTimeoutMs: 500 } })
      await source.start()
      for (const [index, what] of steps.entries()) {
        if (what === 'change') rig.server.setMap(name, { r: `change ${index}` })
        if (what === 'cut') rig.server.cutWatches({ partial: index % 2 === 0 })
        if (what === 'end') rig.server.endWatches()
        if (what === 'forget') rig.server.forgetWatches()
        if (what === 'expire') rig.server.store.compact()
        if (what === 'error') rig.server.answerWith(index % 2 === 0 ? 500 : null)
        if (what === 'remove' && rig.server.store.list(null).length > 0) rig.server.store.remove('default', name)
        if (what === 'look') await source.refresh()
        if (what === 'restart') {
          await rig.server.down()
          await rig.server.up()
        }
      }
      rig.server.answerWith(null)
      rig.server.setMap(name, { r: 'end' })
      await source.says('end')
      await source.stop()
      const versions = source.reads.map(({ version }) => Number(version))
      expect(versions).toEqual([...versions].sort((left, right) => left - right))
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), once), { numRuns: 12 })
  })
})

describe('what a person has to correct', () => {
  it('U24 does not storm an API server with credentials that it refuses', async () => {
    rig.server.setMap(name, { r: 'one' })
    rig.server.setToken('another one')
    const clock = createManualClock()
    const timing = { firstRefusedPauseMs: 60_000, longestRefusedPauseMs: 600_000 }
    const source = rig.follow({ clock, pollIntervalMs: 10_000, timing })
    await source.start()
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_REFUSED')
    expect(diagnosis).toMatchObject({ transient: false, nextAction: { kind: 'none' } })
    expect(diagnosis.sentence).toContain('does not accept the credentials of the kubeconfig')
    let requests = 1
    for (const minutes of [1, 2, 4, 8, 10, 10]) {
      await waitFor('the pause', () => source.states.length === requests && clock.pendingTimerCount === 1)
      clock.advance(minutes * 60_000 - 1)
      expect(rig.server.requests).toHaveLength(requests)
      clock.advance(1)
      requests += 1
      await waitFor('one more try', () => rig.server.requests.length === requests)
    }
    rig.server.setToken(token)
    await source.refresh()
    await source.says('one')
  })

  it('U24 S1.42 says what is not permitted, and tries again rarely', async () => {
    rig.server.setMap(name, { r: 'one' })
    rig.server.forbid('get', 'list', 'watch')
    const clock = createManualClock()
    const source = rig.follow({ clock })
    await source.start()
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_REFUSED')
    expect(diagnosis.sentence).toContain('Give it a Role with get, list and watch on this ConfigMap')
    expect(diagnosis.evidence).toEqual([expect.stringContaining('cannot get resource "configmaps"')])
    await waitFor('the pause', () => clock.pendingTimerCount === 1)
    clock.advance(59_999)
    expect(rig.server.requests).toHaveLength(2)
    clock.advance(1)
    await waitFor('another try', () => rig.server.requests.length === 4)
  })

  it('S1.22 names the keys there are when the one it wants is not among them', async () => {
    rig.server.setMap(name, { 'registry.json': 'one', 'old.json': 'two' })
    const [wrong, unnamed] = [rig.follow({ place: { key: 'registry' } }), rig.follow()]
    await Promise.all([wrong.start(), unnamed.start()])
    expect((await wrong.fails('REGISTRY_INVALID')).diagnosis.sentence).toContain(
      'has no key "registry" (there are: registry.json, old.json)',
    )
    expect((await unnamed.fails('REGISTRY_INVALID')).diagnosis.sentence).toContain('Name one of them in the source')
    rig.server.setMap(name, { registry: 'three' })
    await Promise.all([wrong.says('three'), unnamed.says('three')])
  })

  it('S1.22 refuses binaryData and an empty map', async () => {
    const map = (rest: object) => ({ metadata: { name }, ...rest }) as never
    rig.server.store.create('default', map({ binaryData: { r: 'e30=' } }))
    const source = rig.follow()
    await source.start()
    expect((await source.fails('REGISTRY_INVALID')).diagnosis.sentence).toContain('has binaryData only')
    rig.server.store.replace('default', map({}))
    await waitFor('the other sentence', () => source.failing()?.diagnosis.sentence.includes('is empty'))
    rig.server.store.replace('default', map({ data: { r: 'one' } }))
    await source.says('one')
  })

  it('S1.92 sends nothing to a server whose certificate is from another authority', async () => {
    const foreign = await rig.newServer()
    const kubeconfigFile = await writeKubeconfig(rig.server, {
      directory: rig.directory,
      name: 'foreign',
      token,
      url: foreign.url,
    })
    const source = rig.follow({ place: { kubeconfigFile } })
    await source.start()
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_REFUSED')
    expect(diagnosis.sentence).toContain('its certificate is not from the authority in the kubeconfig')
    expect(foreign.requests).toEqual([])
  })

  it('S1.92 sends no credentials over plain http to another machine', async () => {
    const url = 'http://192.0.2.1:8080'
    const kubeconfigFile = await writeKubeconfig(rig.server, { directory: rig.directory, name: 'plain', token, url })
    const source = rig.follow({ place: { kubeconfigFile } })
    await source.start()
    expect((await source.fails('INVALID_INPUT')).diagnosis.sentence).toContain('is reached over http')
  })

  it('S1.42 follows through plain http on this machine, as kubectl proxy offers it', async () => {
    const plain = await rig.newServer({ tls: false })
    plain.setMap(name, { r: 'one' })
    const kubeconfigFile = await writeKubeconfig(plain, { directory: rig.directory, name: 'plain', token })
    const source = rig.follow({ place: { kubeconfigFile } })
    await source.start()
    expect(source.texts()).toEqual(['one'])
  })

  it('S1.42 says so when what answers is no Kubernetes', async () => {
    const server = createServer((_request, response) => response.end('<html>Welcome</html>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    stops.push(() => new Promise((resolve) => server.close(() => resolve())))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const kubeconfigFile = await writeKubeconfig(rig.server, { directory: rig.directory, name: 'web', token, url })
    const source = rig.follow({ place: { kubeconfigFile } })
    await source.start()
    expect(source.failing()?.diagnosis.sentence).toContain('Is it a Kubernetes API server?')
  })
})
