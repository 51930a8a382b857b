import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readNodeRegistry } from '../../../src/core/registry/nodeRegistry.ts'
import type { NodeRegistry } from '../../../src/shared/model/registry.ts'
import { createManualClock } from '../../fakes/manualClock.ts'
import { ApiStatus } from '../../support/kubernetes/configMapStore.ts'
import { kubectlMissing } from '../../support/kubernetes/kubectl.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type Followed, type FollowOptions, type KubernetesRig, startRig } from './rig.ts'

const name = 'node-registry'
const at = '2026-01-07T09:31:12Z'

const registered = (extra = ''): string => `{
  "management_laptops": [],
  "vps_nodes": [
    { "ip": "100.64.0.9", "name": "vps-1", "ssh_user": "sammy", "status": "pending_sync", "owner": "ann"${extra} }
  ],
  "worker_nodes": []
}
`

function observed(status: 'active' | 'pending_sync' | 'error', last_attempt = at): NodeRegistry {
  const read = readNodeRegistry(registered())
  if (!read.ok) throw new Error('not a registry')
  const last_sync = status === 'active' ? last_attempt : null
  return { ...read.registry, nodes: read.registry.nodes.map((node) => ({ ...node, status, last_sync, last_attempt })) }
}

let rig: KubernetesRig
beforeEach(async () => {
  rig = await startRig()
  rig.server.setMap(name, { 'nodes.json': registered(), 'README.md': 'ours' })
})
afterEach(() => rig.stop())

const text = (): string => rig.server.store.get('default', name).data?.['nodes.json'] ?? ''
const writes = () => rig.server.requests.filter(({ verb }) => verb === 'patch')

function follow(options: FollowOptions = {}): Followed & Required<Pick<Followed, 'write'>> {
  const place = { name, key: 'nodes.json', writeStatusBack: true, ...options.place }
  const followed = rig.follow({ ...options, registry: 'nodes', place })
  if (followed.write === undefined) throw new Error('writes nothing back')
  return { ...followed, write: followed.write }
}

describe('status of nodes in the ConfigMap of the node registry', () => {
  it('S1.19 S1.20 S1.21 writes status, last sync and last attempt, and leaves everything else as it was', async () => {
    const source = follow()
    await source.write(observed('active'))
    expect(text()).toBe(
      registered().replace('"pending_sync"', `"active", "last_sync": "${at}", "last_attempt": "${at}"`),
    )
    expect(rig.server.store.get('default', name).data?.['README.md']).toBe('ours')
    expect(writes()[0]?.query).toEqual({ fieldManager: 'lockstep' })
  })

  it.skipIf(kubectlMissing !== null)('S1.19 kubectl prints what was written', async () => {
    await follow().write(observed('error'))
    const printed = await rig.kubectl.run(['get', 'configmap', name, '-o', 'jsonpath={.data.nodes\\.json}'])
    expect(JSON.parse(printed).vps_nodes[0]).toMatchObject({ status: 'error', last_attempt: at, owner: 'ann' })
  })

  it('S1.19 writes nothing where nothing is to be written back', () => {
    expect(rig.follow({ registry: 'nodes', place: { name } }).write).toBeUndefined()
    expect(rig.follow({ registry: 'services', place: { name, writeStatusBack: true } }).write).toBeUndefined()
  })

  it('S1.19 S1.28 does not take its own writing for a change of the registry', async () => {
    const source = follow()
    await source.start()
    await waitFor('the watch', () => rig.server.watches === 1)
    await source.write(observed('active'))
    await source.write(observed('error'))
    const { resourceVersion } = rig.server.store.get('default', name).metadata
    await waitFor('the follower to see it', () => source.reads.at(-1)?.version === resourceVersion)
    expect(writes()).toHaveLength(2)
    expect(source.texts()).toEqual([registered()])
    expect(source.log.filter((line) => line.includes('ConfigMap changed'))).toEqual([])
    rig.server.setMap(name, { 'nodes.json': text().replace('"ann"', '"bob"') })
    await source.says(text())
    expect(source.texts()).toHaveLength(2)
  })

  it('S1F.6 reads again when somebody else has written in between, and loses nothing of theirs', async () => {
    let times = 0
    rig.server.beforeWrite(() => {
      times += 1
      if (times <= 2) rig.server.setMap(name, { 'nodes.json': registered(`, "note": ${times}`) })
    })
    await follow().write(observed('active'))
    expect(writes().map(({ status }) => status)).toEqual([409, 409, 200])
    expect(text()).toContain('"note": 2')
    expect(text()).toContain('"active"')
  })

  it('S1F.6 gives up, and says so, when somebody writes all the time', async () => {
    let times = 0
    rig.server.beforeWrite(() => {
      times += 1
      rig.server.setMap(name, { 'nodes.json': registered(`, "note": ${times}`) })
    })
    const source = follow()
    await source.write(observed('active'))
    expect(writes()).toHaveLength(5)
    expect(source.log.filter((line) => line.includes('could not be written back'))).toHaveLength(1)
  })

  it('S1.19 writes the newest of many states, and no more often than it may', async () => {
    const clock = createManualClock()
    const source = follow({ clock, timing: { writeEveryMs: 5_000 } })
    await source.write(observed('active', '2026-01-07T09:00:00Z'))
    const later = [1, 2, 3, 4].map((minute) => source.write(observed('active', `2026-01-07T09:0${minute}:00Z`)))
    clock.advance(4_999)
    expect(writes()).toHaveLength(1)
    clock.advance(1)
    await Promise.all(later)
    expect(writes()).toHaveLength(2)
    expect(text()).toContain('"last_sync": "2026-01-07T09:04:00Z"')
  })

  it('S1.19 does not write what is there already', async () => {
    const source = follow()
    await source.write(observed('active'))
    await source.write(observed('active'))
    expect(writes()).toHaveLength(1)
  })

  it('S1.19 S1.7 writes once the API server is back', async () => {
    const source = follow()
    await rig.server.down()
    const written = source.write(observed('active'))
    await rig.server.up()
    await written
    expect(text()).toContain('"active"')
  })

  it('S1.19 U24 says once that it may not write, and does not insist', async () => {
    rig.server.forbid('patch')
    const clock = createManualClock()
    const source = follow({ clock, timing: { firstRefusedPauseMs: 60_000 } })
    await source.write(observed('active'))
    const again = source.write(observed('error'))
    clock.advance(59_999)
    expect(writes()).toHaveLength(1)
    rig.server.forbid()
    clock.advance(1)
    await again
    expect(text()).toContain('"error"')
    expect(source.log.filter((line) => line.includes('could not be written back'))).toHaveLength(1)
  })

  it.each([
    ['is gone', () => void rig.server.store.remove('default', name), 'There is no ConfigMap default/node-registry'],
    ['is no node registry', () => void rig.server.setMap(name, { 'nodes.json': '{}' }), 'is no node registry'],
    [
      'is immutable',
      () => {
        const map = rig.server.store.get('default', name)
        rig.server.store.replace('default', { ...map, immutable: true })
      },
      'it may be immutable',
    ],
  ])('S1.19 says so when the map %s, and writes nothing', async (_what, change, words) => {
    change()
    const source = follow()
    await source.write(observed('active'))
    expect(source.log.join('\n')).toContain(words)
    expect(writes().filter(({ status }) => status === 200)).toEqual([])
  })

  it('S1.19 ends with what it was doing', async () => {
    rig.server.beforeWrite(() => {
      throw new ApiStatus(503, 'ServiceUnavailable', 'not now')
    })
    const clock = createManualClock()
    const source = follow({ clock })
    const written = source.write(observed('active'))
    await waitFor('a try', () => writes().length === 1)
    await source.stop()
    await written
    expect(writes()).toHaveLength(1)
  })
})
