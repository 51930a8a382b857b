import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { PlanInput } from '../../shared/model/plan.ts'
import { clashSentence, mayClash, planClashes } from './planClashes.ts'

const nodes = [
  aNode({ name: 'edge-1', kind: 'vps', user: 'sync' }),
  aNode({ name: 'edge-2', kind: 'vps', user: 'root' }),
  aNode({ name: 'ada', kind: 'laptop', user: 'sync' }),
]
const plan = (name: string, kind: string, selector: string, spec: object): PlanInput =>
  PlanInput.parse({ name, kind, selector, spec })
const hosts = (name: string, selector: string, file = '/etc/hosts') =>
  plan(name, 'hosts', selector, { file, hosts: { domain: 'example.com' } })
const routes = (name: string, selector: string, file: string) =>
  plan(name, 'routes', selector, { file, routes: { domain: 'example.com' } })
const tree = (name: string, selector: string, target: string) =>
  plan(name, 'tree', selector, { push: { source: '/srv/site', target } })
const clashes = (...plans: PlanInput[]) => planClashes(plans, [], nodes)

describe('plans that write the same place', () => {
  it('names both plans, the place and the nodes that both reach', () => {
    const [found] = clashes(hosts('names', '*'), hosts('more names', 'kind:vps'))
    expect(found).toEqual({ plans: ['names', 'more names'], path: '/etc/hosts', nodes: ['edge-1', 'edge-2'] })
    expect(found && clashSentence(found)).toContain('both write /etc/hosts on 2 nodes (edge-1, edge-2)')
  })

  it.each([
    ['the same file of two kinds', routes('a', '*', '/x/y'), hosts('b', '*', '/x/y'), 3],
    ['a tree inside another', tree('a', '*', '/srv'), tree('b', '*', '/srv/www/'), 3],
    ['equal trees below home', tree('a', '*', '~/www'), tree('b', '*', '~/./www'), 3],
    ['a file inside a tree', tree('a', '*', '~/traefik'), routes('b', '*', '~/traefik/config/r.yml'), 3],
    ['a home that is spelled in two ways', tree('a', '*', '~/www'), tree('b', '*', '/home/sync/www'), 2],
    ['the home of root', tree('a', '*', '~/www'), tree('b', '*', '/root'), 1],
    [
      'the revocation list and the trust file',
      plan('a', 'krl', '*', { file: '/k' }),
      plan('b', 'trust', '*', { file: '/k' }),
      3,
    ],
    [
      'a host certificate where a tree goes',
      plan('a', 'host-certificate', '*', { certificateFile: '/etc/ssh/c.pub' }),
      tree('b', 'kind:laptop', '/etc/ssh'),
      1,
    ],
  ] as const)('finds %s', (_what, one, other, count) => {
    expect(clashes(one, other).map((clash) => clash.nodes.length)).toEqual([count])
    expect(clashes(other, one).map((clash) => clash.nodes.length)).toEqual([count])
  })

  it('compares a repository with what it is given on each node', () => {
    const spec = { repository: 'infra', target: '~/infra', targets: { ada: '/opt/infra' } }
    const repository = plan('infra', 'repository', '*', spec)
    expect(clashes(repository, tree('b', '*', '/opt/infra/etc'))[0]).toMatchObject({ nodes: ['ada'] })
    expect(clashes(tree('b', '*', '~/infra/sub'), repository)[0]).toMatchObject({
      path: '~/infra/sub',
      nodes: ['edge-1', 'edge-2'],
    })
    expect(clashes(repository, tree('b', '*', '~/other'))).toEqual([])
  })

  it.each([
    ['other nodes', hosts('a', 'kind:vps'), hosts('b', 'kind:laptop')],
    ['names that only begin alike', tree('a', '*', '/srv/www'), tree('b', '*', '/srv/www2')],
    ['other files', hosts('a', '*'), hosts('b', '*', '/etc/hosts.d')],
    [
      'a plan that only pulls',
      tree('a', '*', '/srv'),
      plan('b', 'tree', '*', { pull: { source: '/srv', target: '/p/{node}' } }),
    ],
    ['the same plan, given again', hosts('a', '*'), hosts('a', '*')],
  ] as const)('is silent about %s', (_what, one, other) => {
    expect(clashes(one, other)).toEqual([])
  })

  it('compares with the plans there are, and not with the one that is replaced', () => {
    const meta = {
      id: '01900000-0000-7000-8000-0000000000aa',
      revision: 1,
      digest: 'a'.repeat(64),
      createdAt: 0,
      updatedAt: 0,
    }
    const existing = [{ ...hosts('names', '*'), ...meta } as never]
    expect(planClashes([hosts('names', 'kind:vps')], existing, nodes)).toEqual([])
    expect(planClashes([hosts('other', 'kind:vps')], existing, nodes)[0]?.plans).toEqual(['other', 'names'])
    expect(mayClash([hosts('other', 'kind:vps', '/elsewhere')], existing)).toBe(false)
  })
})
