import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { isFinal, type Run } from '../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { waitFor } from '../../support/waitFor.ts'

let engine: TestEngine

beforeEach(async () => {
  engine = await startTestEngine()
})
afterEach(() => engine.dispose())

async function push(...plans: string[]): Promise<Run[]> {
  const { runs } = await engine.client.runs.push({
    idempotencyKey: IdempotencyKey.parse(`demo-registry-${performance.now()}`),
    plans,
    targets: { kind: 'all' },
  })
  return Promise.all(
    runs.map(({ id }) =>
      waitFor(
        `run ${id}`,
        async () => {
          const run = await engine.client.runs.get({ runId: id })
          return isFinal(run.status) ? run : null
        },
        { timeoutMs: 60_000 },
      ),
    ),
  )
}

describe('the registry of the demo fleet', { timeout: 120_000 }, () => {
  it('S1.8 S1.9 S1.10 S1.47 S1.67 brings services to VPS nodes, laptops and workers, sees a Traefik stop, and goes without a trace', async () => {
    const { nodes } = await engine.client.demo.up({ nodes: 4, registry: true })
    const runs = await push('demo-routes', 'demo-hosts')
    expect(runs.map(({ nodeName, planKind, status }) => ({ nodeName, planKind, status }))).toEqual(
      expect.arrayContaining([
        { nodeName: 'ada-laptop', planKind: 'hosts', status: 'succeeded' },
        { nodeName: 'worker-01', planKind: 'hosts', status: 'succeeded' },
        { nodeName: 'edge-fra-1', planKind: 'routes', status: 'succeeded' },
        { nodeName: 'edge-ams-1', planKind: 'routes', status: 'succeeded' },
      ]),
    )
    const routes = runs.filter(({ planKind }) => planKind === 'routes')
    expect(routes.map(({ proof }) => proof?.verify)).toEqual([
      { mode: 'routes', traefik: 'running', routers: 3 },
      { mode: 'routes', traefik: 'running', routers: 3 },
    ])
    const laptop = nodes.find(({ kind }) => kind === 'laptop')
    const hosts = await readFile(join(laptop?.directory ?? '', 'etc', 'hosts'), 'utf8')
    expect(hosts).toMatch(/^127\.0\.0\.1 localhost\n/)
    expect(hosts).toContain('grafana.demo.example')

    await engine.client.demo.fault({ node: 'edge-fra-1', fault: 'traefik-stopped' })
    const broken = (await push('demo-routes')).map(({ nodeName, failure }) => [nodeName, failure?.code])
    expect(broken).toContainEqual(['edge-fra-1', 'TRAEFIK_NOT_RUNNING'])
    expect(broken).toContainEqual(['edge-ams-1', undefined])
    await engine.client.demo.heal({ node: 'edge-fra-1' })
    expect((await push('demo-routes')).every(({ status }) => status === 'succeeded')).toBe(true)

    await engine.client.demo.down()
    expect(await engine.client.plans.list()).toEqual([])
    expect((await engine.client.registry.get({ registry: 'services' }))?.revision.entries).toBe(0)
  })

  it('leaves services alone that somebody has registered', async () => {
    await engine.client.registry.save({
      registry: 'services',
      text: '{"mine": {"subdomain": "mine", "ip": "10.0.0.1", "port": 1, "public": false}}',
      baseNumber: 0,
    })
    await engine.client.demo.up({ nodes: 1, registry: true })
    await engine.client.demo.down()
    expect((await engine.client.registry.get({ registry: 'services' }))?.revision).toMatchObject({
      number: 1,
      entries: 1,
    })
  })
})
