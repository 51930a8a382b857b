import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aService } from '../../../test/fakes/aRegistry.ts'
import { HostsSettings, RoutesSettings } from '../../shared/model/registry.ts'
import { type DeliverySettings, previewEffects, renderDelivery } from './effects.ts'

const settings: DeliverySettings = {
  routes: RoutesSettings.parse({ domain: 'example.com' }),
  hosts: HostsSettings.parse({ domain: 'example.internal' }),
}
const kinds = ['laptop', 'vps', 'worker', 'storage', 'vm'] as const
const nodes = kinds.map((kind, index) => aNode({ id: `01900000-0000-7000-8000-00000000000${index}`, kind }))
const kindOf = new Map(nodes.map(({ id, kind }) => [id, kind]))
const changedKinds = (effects: ReturnType<typeof previewEffects>) =>
  effects.filter(({ changed }) => changed).map(({ nodeId }) => kindOf.get(nodeId))

describe('effect of a new revision', () => {
  const open = aService()
  const hidden = aService({ name: 'hidden', subdomain: 'hidden', public: false })

  it('S1.8 S1.9 S1.10 gives routes to VPS nodes, hosts to laptops and workers, and nothing to others', () => {
    const effects = previewEffects(nodes, { before: [], after: [open] }, settings)
    expect(effects.map(({ nodeId, kind }) => [kindOf.get(nodeId), kind])).toEqual([
      ['laptop', 'hosts'],
      ['vps', 'routes'],
      ['worker', 'hosts'],
    ])
    for (const { kind, before, after } of effects) {
      expect(before).toBe(renderDelivery(kind, [], settings))
      expect(after).toBe(renderDelivery(kind, [open], settings))
    }
  })

  it('D14 says which nodes would change, and which already have what they would get', () => {
    const effectOf = (after: readonly (typeof open)[]) =>
      changedKinds(previewEffects(nodes, { before: [open, hidden], after }, settings))
    expect(effectOf([hidden, open])).toEqual([])
    expect(effectOf([open])).toEqual(['laptop', 'worker'])
    expect(effectOf([{ ...open, port: 81 }, hidden])).toEqual(['vps'])
    expect(effectOf([{ ...open, ip: '10.0.0.1' }, hidden])).toEqual(['laptop', 'vps', 'worker'])
    expect(effectOf([{ ...open, public: false }, hidden])).toEqual(['vps'])
  })
})
