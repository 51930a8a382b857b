import { describe, expect, it } from 'vitest'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { fakeNode, fakeNodes, fakePlan } from '../../../api/links/fakeFleet.ts'
import { filterNodes, groupNodes, labelKeys, NameOrder, parseFilter, parseGroupBy } from '../fleetQuery.ts'
import { buildScene, changedTiles, TileCache } from './scene.ts'
import { legendOf, styles } from './styles.ts'

const nowMs = 1_800_000_000_000

function sceneOf(nodes: ReturnType<typeof fakeNodes>, cache = new TileCache()) {
  cache.setClock(nowMs)
  return buildScene(groupNodes(nodes, 'none'), { by: 'sync' }, cache)
}

describe('the scene', () => {
  it('gives each condition its own shape, so that the map reads without colour', () => {
    const conditions = ['in-step', 'pending', 'error', 'unreachable', 'never-synced', 'maintenance', 'halted'] as const
    const scene = sceneOf(conditions.map((condition, index) => fakeNode(index, nowMs, condition)))
    const shapes = [...scene.style].map((style) => styles[style]?.shape)
    expect(shapes).toEqual(['solid', 'half', 'ring', 'dashed', 'flat', 'hatched', 'barred'])
  })

  it('F56 gives each standing towards the revocation list its own shape, too', () => {
    const nodes = fakeNodes(4, nowMs)
    const standings = ['behind', 'unproven', 'none', 'current'] as const
    const cache = new TileCache()
    cache.setClock(nowMs)
    const standingOf = (node: FleetNode) => standings[nodes.indexOf(node)] ?? 'none'
    const scene = buildScene([{ key: 'all', title: 'all', nodes }], { by: 'krl', standingOf }, cache)
    expect([...scene.style].map((style) => styles[style]?.shape)).toEqual(['half', 'flat', 'dashed', 'solid'])
    expect(legendOf('krl')).toEqual([...scene.style])
  })

  it('N12 gives each standing towards the plans its own shape; the worst plan of a node counts', () => {
    const observed = { revision: 1, digest: 'a'.repeat(64), verifiedAt: 1, runId: fakePlan.id as never }
    const state = {
      planId: fakePlan.id,
      planName: 'x',
      desiredRevision: 1,
      driftSince: null,
      lastRunId: null,
      observed,
    }
    const plans = [
      [state, { ...state, driftSince: 5 }],
      [state, { ...state, desiredRevision: 2 }],
      [{ ...state, observed: null }],
      [state],
      [],
    ]
    const nodes = fakeNodes(5, nowMs).map((node, index) => ({ ...node, plans: plans[index] ?? [] }))
    const cache = new TileCache()
    cache.setClock(nowMs)
    const scene = buildScene([{ key: 'all', title: 'all', nodes }], { by: 'drift' }, cache)
    expect([...scene.style].map((style) => styles[style]?.shape)).toEqual(['ring', 'half', 'flat', 'solid', 'dashed'])
    expect(legendOf('drift')).toEqual([...scene.style])
  })

  it('D9 a static key has a level and a shape of its own, and is counted in the legend', () => {
    const node = { ...fakeNode(0, nowMs, 'in-step'), login: { kind: 'static-key', keyFile: '/keys/fleet' } as const }
    const cache = new TileCache()
    cache.setClock(nowMs)
    const scene = buildScene(groupNodes([node, fakeNode(1, nowMs, 'in-step')], 'none'), { by: 'certificate' }, cache)
    expect([...scene.certificateLevel]).toEqual([4, 1])
    expect(scene.certificateShare[0]).toBe(1)
    const style = styles[scene.style[0] ?? 0]
    expect(style).toMatchObject({ shape: 'dotted', token: 'pending', word: 'static key' })
    const shapes = legendOf('certificate').map((index) => styles[index]?.shape)
    expect(new Set(shapes).size).toBe(shapes.length)
  })

  it('names exactly the tiles that look different', () => {
    const nodes = fakeNodes(50, nowMs)
    const cache = new TileCache()
    const before = sceneOf(nodes, cache)
    const touched = nodes.map((node, index) =>
      index === 7 ? fakeNode(7, nowMs, 'error') : index === 9 ? { ...node, updatedAt: nowMs + 1 } : node,
    )
    expect(changedTiles(before, sceneOf(touched, cache))).toEqual([7])
  })

  it('asks for a new layout when nodes come, go or change places', () => {
    const nodes = fakeNodes(5, nowMs)
    const before = sceneOf(nodes)
    expect(changedTiles(before, sceneOf(nodes.slice(1)))).toBeNull()
    expect(changedTiles(before, sceneOf([...nodes].reverse()))).toBeNull()
  })

  it('looks at remaining lifetimes again when the clock has moved', () => {
    const node = {
      ...fakeNode(0, nowMs, 'in-step'),
      certificate: {
        serial: '1',
        authorityFingerprint: null,
        validAfter: nowMs - 1,
        validBefore: nowMs + 7_200_000,
        acceptedAt: nowMs,
      },
    }
    const cache = new TileCache()
    cache.setClock(nowMs)
    expect(cache.get(node).certificate.level).toBe('ok')
    cache.setClock(nowMs + 3_900_000)
    expect(cache.get(node).certificate.level).toBe('soon')
  })
})

describe('what the map is asked for', () => {
  const nodes = new Map(fakeNodes(200, nowMs).map((node) => [node.id, node]))

  it('keeps the order while names stay, and takes the newest version of each node', () => {
    const order = new NameOrder()
    const before = order.sort(nodes)
    const [first] = before
    if (first === undefined) throw new Error('no node')
    const after = order.sort(new Map(nodes).set(first.id, { ...first, locked: true }))
    expect(after.map((node) => node.id)).toEqual(before.map((node) => node.id))
    expect(after[0]?.locked).toBe(true)
  })

  it('sorts again when a node is renamed', () => {
    const order = new NameOrder()
    const [first] = order.sort(nodes)
    if (first === undefined) throw new Error('no node')
    const after = order.sort(new Map(nodes).set(first.id, { ...first, name: 'zzz' }))
    expect(after.at(-1)?.id).toBe(first.id)
  })

  it('groups by kind, by label and not at all', () => {
    const list = [...nodes.values()]
    expect(groupNodes(list, 'kind').map((group) => group.key)).toEqual(['laptop', 'storage', 'vm', 'vps', 'worker'])
    expect(groupNodes(list, 'label.site').map((group) => group.title)).toEqual([
      'site ams',
      'site fra',
      'site home',
      'site nyc',
    ])
    expect(groupNodes(list, 'label.owner').map((group) => group.title)).toEqual(['no owner'])
    expect(groupNodes(list, 'none')).toHaveLength(1)
    expect(parseGroupBy('nonsense')).toBe('kind')
    expect(labelKeys(list)).toEqual(['site', 'stage'])
  })

  it('hides nothing while the filter has a mistake in it', () => {
    const list = [...nodes.values()]
    expect(filterNodes(list, parseFilter('kind:vps ('), nowMs)).toHaveLength(200)
    const vps = filterNodes(list, parseFilter('kind:vps'), nowMs)
    expect(vps.length).toBeGreaterThan(0)
    expect(vps.every((node) => node.kind === 'vps')).toBe(true)
  })
})
