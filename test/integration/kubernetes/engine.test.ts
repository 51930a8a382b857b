import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SourcePlace } from '../../../src/shared/model/registrySource.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { startApiServer, type TestApiServer } from '../../support/kubernetes/apiServer.ts'
import { writeKubeconfig } from '../../support/kubernetes/kubectl.ts'
import { waitFor } from '../../support/waitFor.ts'

const token = 'canary-bearer-token-4711'
const services = (port: number): string =>
  JSON.stringify({ demo: { subdomain: 'demo', ip: '100.64.0.7', port, public: true } })

let directory: string
let server: TestApiServer
let engine: TestEngine
let kubeconfigFile: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-kubernetes-'))
  server = await startApiServer({ token })
  kubeconfigFile = await writeKubeconfig(server, { directory, token })
  engine = await startTestEngine({ config: { registryPollIntervalMs: 3_600_000 } })
})
afterEach(async () => {
  const log = engine.logLines.join('')
  const kept = await filesWith(engine.home.home, token)
  await engine.dispose()
  await server.stop()
  await rm(directory, { recursive: true, force: true })
  expect(log).not.toContain(token)
  expect(kept).toEqual([])
})

async function filesWith(folder: string, secret: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  expect(files.length).toBeGreaterThan(0)
  const found = await Promise.all(files.map(async (file) => (await readFile(file)).includes(secret)))
  return files.filter((_file, index) => found[index])
}

type Registry = 'services' | 'nodes'
const add = (registry: Registry, place: object) =>
  engine.client.sources.add({
    name: `cluster ${registry}`,
    registry,
    place: SourcePlace.parse({ kind: 'configMap', kubeconfigFile, ...place }),
  })
const newest = async (registry: Registry) => engine.client.registry.get({ registry })
const untilRevision = (registry: Registry, number: number) =>
  waitFor(`revision ${number} of ${registry}`, async () => {
    const found = await newest(registry)
    return found?.revision.number === number ? found : null
  })

describe('an engine that follows ConfigMaps', () => {
  it('S1.5 S1.22 S1.27 S1.28 S1.42 makes a revision of every change, and says where it came from', async () => {
    server.setMap('service-registry', { r: services(80) })
    const added = await add('services', {})
    expect(added.state).toMatchObject({ status: 'following', version: '1001' })
    expect((await untilRevision('services', 1)).revision.source).toEqual({
      kind: 'configMap',
      cluster: 'test',
      namespace: 'default',
      name: 'service-registry',
      resourceVersion: '1001',
    })
    server.setMap('service-registry', { r: services(81) })
    const second = await untilRevision('services', 2)
    expect(JSON.parse(second.text)).toMatchObject({ demo: { port: 81 } })
    expect(engine.logLines.filter((line) => line.includes('ConfigMap changed, triggering sync...'))).toHaveLength(1)
  })

  it('S1.33 keeps the last good revision while the map is wrong, gone, or its cluster away', async () => {
    server.setMap('service-registry', { r: services(80) })
    const { id } = await add('services', {})
    const failing = (code: string) =>
      waitFor(`a failing source with ${code}`, async () => {
        const state = (await engine.client.sources.list()).find((source) => source.id === id)?.state
        return state?.status === 'failing' && state.diagnosis.code === code
      })
    server.setMap('service-registry', { r: '{"demo": {"port": 0}}' })
    await failing('REGISTRY_INVALID')
    server.store.remove('default', 'service-registry')
    await failing('NOT_FOUND')
    await server.down()
    await failing('REGISTRY_SOURCE_UNREACHABLE')
    expect((await newest('services'))?.revision.number).toBe(1)
    await server.up()
    server.setMap('service-registry', { r: services(82) })
    await untilRevision('services', 2)
  })

  it('S1.15 S1.19 S1.20 S1.21 writes the status of nodes back, and makes no revision of its own writing', async () => {
    const nodes = {
      management_laptops: [],
      vps_nodes: [{ ip: '100.64.0.9', name: 'edge-1', ssh_user: 'sammy', status: 'active', rack: 7 }],
      worker_nodes: [],
    }
    server.setMap('node-registry', { 'nodes.json': JSON.stringify(nodes) })
    await add('nodes', { name: 'node-registry', writeStatusBack: true })
    await untilRevision('nodes', 1)
    const written = () => server.requests.filter(({ verb }) => verb === 'patch').length
    const { status } = await engine.node('edge-1')
    expect(status).not.toBe('active')
    const inMap = () =>
      JSON.parse(server.store.get('default', 'node-registry').data?.['nodes.json'] ?? '{}').vps_nodes[0]
    await waitFor('the status of the fleet in the map', () => inMap().status === status)
    expect(inMap()).toMatchObject({ name: 'edge-1', rack: 7 })
    engine = await engine.restart()
    await waitFor('the source to be followed again', async () => {
      const [source] = await engine.client.sources.list()
      return source?.state.status === 'following'
    })
    expect((await newest('nodes'))?.revision.number).toBe(1)
    expect(written()).toBeLessThanOrEqual(2)
  })
})
