import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubectlMissing, writeKubeconfig } from '../../support/kubernetes/kubectl.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type KubernetesRig, startRig, token } from './rig.ts'

const services = (port: number, open = false): string =>
  JSON.stringify({ demo: { subdomain: 'demo', ip: '100.64.0.7', port, public: open } })

let rig: KubernetesRig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(() => rig.stop())

describe('following a ConfigMap', () => {
  it('S1.22 S1.42 reads the registry of the one key there is', async () => {
    rig.server.setMap('service-registry', { 'any-key.json': services(80) })
    const followed = rig.follow()
    await followed.start()
    expect(followed.reads).toHaveLength(1)
    expect(followed.reads[0]).toEqual({
      text: services(80),
      version: '1001',
      origin: {
        kind: 'configMap',
        cluster: 'test',
        namespace: 'default',
        name: 'service-registry',
        resourceVersion: '1001',
      },
    })
  })

  it('S1.15 reads the node registry of the namespace, the map and the key that are named', async () => {
    const text = JSON.stringify({ management_laptops: [], vps_nodes: [], worker_nodes: [] })
    rig.server.setMap('machines', { other: 'x', 'nodes.json': text }, 'fleet')
    rig.server.setMap('machines', { 'nodes.json': 'of another namespace' })
    const followed = rig.follow({
      registry: 'nodes',
      place: { namespace: 'fleet', name: 'machines', key: 'nodes.json' },
    })
    await followed.start()
    expect(followed.texts()).toEqual([text])
  })

  it('S1.28 S1.30 S1.31 S1.32 tells every change, says so in the log, and remembers the version', async () => {
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow()
    await followed.start()
    const triggers = () => followed.log.filter((line) => line.includes('ConfigMap changed, triggering sync...'))
    expect(triggers()).toHaveLength(0)
    rig.server.setMap('service-registry', { r: services(81) })
    await followed.says(services(81))
    rig.server.setMap('service-registry', { r: services(81, true) })
    const last = await followed.says(services(81, true))
    expect(followed.texts()).toEqual([services(80), services(81), services(81, true)])
    expect(last.version).toBe(rig.server.store.get('default', 'service-registry').metadata.resourceVersion)
    expect(triggers().map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 'info', version: '1002', name: 'service-registry', namespace: 'default' }),
      expect.objectContaining({ level: 'info', version: '1003' }),
    ])
  })

  it('S1.34 is told of a change by the watch, without a poll', async () => {
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow()
    await followed.start()
    await waitFor('the watch', () => rig.server.watches === 1)
    const before = rig.server.requests.length
    rig.server.setMap('service-registry', { r: services(81) })
    await followed.says(services(81))
    expect(rig.server.requests.length).toBe(before)
    const watch = rig.server.requests.find(({ verb }) => verb === 'watch')
    expect(watch?.query).toMatchObject({
      fieldSelector: 'metadata.name=service-registry',
      allowWatchBookmarks: 'true',
      resourceVersion: '1001',
      timeoutSeconds: '290',
    })
  })

  it('S1.27 S1.29 S1.86 polls only the version, as often as it is told to, and says that nothing has changed', async () => {
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow({ pollIntervalMs: 20 })
    await followed.start()
    await waitFor('three looks that found nothing new', () => followed.reads.length > 3)
    expect(followed.texts()).toEqual([services(80)])
    const polls = rig.server.requests.filter(({ verb }) => verb === 'get')
    expect(polls.length).toBeGreaterThan(2)
    expect(polls.every(({ accept }) => accept.includes('as=PartialObjectMetadata'))).toBe(true)
    expect(rig.server.requests.filter(({ verb }) => verb === 'list')).toHaveLength(1)
  })

  it('S1.29 finds by the poll what a watch has failed to tell', async () => {
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow({ pollIntervalMs: 20 })
    await followed.start()
    await waitFor('the watch', () => rig.server.watches === 1)
    rig.server.forgetWatches()
    rig.server.setMap('service-registry', { r: services(81) })
    await followed.says(services(81))
    await waitFor('a new watch', () => rig.server.requests.filter(({ verb }) => verb === 'watch').length === 2)
  })

  it('S1.29 polls where it may get the map and neither list nor watch it', async () => {
    rig.server.forbid('list', 'watch')
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow({ pollIntervalMs: 20 })
    await followed.start()
    expect(followed.failing()).toBeNull()
    rig.server.setMap('service-registry', { r: services(81) })
    await followed.says(services(81))
    expect(rig.server.requests.filter(({ status }) => status === 403)).toHaveLength(1)
    expect(followed.log.some((line) => line.includes('it is polled instead'))).toBe(true)
  })

  it('S1F.2 looks at once when it is told to', async () => {
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow()
    await followed.start()
    await waitFor('the watch', () => rig.server.watches === 1)
    rig.server.forgetWatches()
    rig.server.setMap('service-registry', { r: services(81) })
    await followed.refresh()
    expect(followed.texts()).toEqual([services(80), services(81)])
  })

  it('S1F.7 follows several clusters at once, each through its own kubeconfig and authority', async () => {
    const second = await rig.newServer()
    const kubeconfigFile = await writeKubeconfig(second, { directory: rig.directory, name: 'second', token })
    rig.server.setMap('service-registry', { r: services(1) })
    second.setMap('service-registry', { r: services(2) })
    const [one, two] = [rig.follow(), rig.follow({ place: { kubeconfigFile } })]
    await Promise.all([one.start(), two.start()])
    expect([one.texts(), two.texts()]).toEqual([[services(1)], [services(2)]])
    second.setMap('service-registry', { r: services(3) })
    await two.says(services(3))
    await second.down()
    await two.fails('REGISTRY_SOURCE_UNREACHABLE')
    rig.server.setMap('service-registry', { r: services(4) })
    await one.says(services(4))
    expect(one.failing()).toBeNull()
    expect(two.reads.at(-1)?.origin).toMatchObject({ cluster: 'second' })
  })

  it('S1.22 finds the kubeconfig where kubectl does: KUBECONFIG with several files, and the current context', async () => {
    const second = await rig.newServer()
    const other = await writeKubeconfig(second, { directory: rig.directory, name: 'second', token })
    rig.server.setMap('service-registry', { r: 'of the first' })
    second.setMap('service-registry', { r: 'of the second' })
    const environment = { HOME: rig.directory, KUBECONFIG: `${rig.kubeconfig}:${other}` }
    const usual = rig.follow({ place: { kubeconfigFile: null }, environment })
    const named = rig.follow({ place: { kubeconfigFile: null, context: 'second' }, environment })
    await Promise.all([usual.start(), named.start()])
    expect([usual.texts(), named.texts()]).toEqual([['of the first'], ['of the second']])
  })
})

describe.skipIf(kubectlMissing !== null)('side by side with kubectl', () => {
  it('S1.27 knows the version that kubectl prints', async () => {
    rig.server.setMap('service-registry', { r: services(80) })
    const followed = rig.follow()
    await followed.start()
    const ask = ['get', 'configmap', 'service-registry', '-o', 'jsonpath={.metadata.resourceVersion}']
    expect(await rig.kubectl.run(ask)).toBe(followed.reads[0]?.version)
    rig.server.setMap('service-registry', { r: services(81) })
    const { version } = await followed.says(services(81))
    expect(await rig.kubectl.run(ask)).toBe(version)
  })

  it('S1.5 S1.33 sees what kubectl get -w sees, in its order, when people apply, patch, edit and delete', async () => {
    const name = 'service-registry'
    const manifest = async (port: number): Promise<string> => {
      const file = join(rig.directory, `manifest-${port}.json`)
      const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { r: services(port) } }
      await writeFile(file, JSON.stringify(map))
      return file
    }
    const { kubectl } = rig
    const followed = rig.follow()
    await kubectl.run(['apply', '--validate=false', '-f', await manifest(1)])
    await followed.start()
    const watching = kubectl.watch([
      'get',
      'configmap',
      name,
      '-w',
      '-o',
      'jsonpath={.metadata.resourceVersion} {.data.r}{"\\n"}',
    ])
    try {
      await waitFor(`kubectl to watch ${watching.errors()}`, () => rig.server.watches === 2)
      await kubectl.run(['apply', '--validate=false', '-f', await manifest(2)])
      await kubectl.run([
        'patch',
        'configmap',
        name,
        '--type=merge',
        '-p',
        JSON.stringify({ data: { r: services(3) } }),
      ])
      const editor = { KUBE_EDITOR: 'sed -i \'s/"port":3/"port":4/\'' }
      await kubectl.run(['edit', 'configmap', name, '--validate=false'], { env: editor })
      await followed.says(services(4))
      await kubectl.run(['delete', 'configmap', name])
      await followed.fails('NOT_FOUND')
      await kubectl.run(['create', '--validate=false', '-f', await manifest(5)])
      await followed.says(services(5))
      const wanted = [1, 2, 3, 4, 5].map((port) => services(port))
      expect(followed.texts()).toEqual(wanted)
      // kubectl prints the deleted map once more, with the version of its end.
      const seen = await waitFor('kubectl to print six lines', () =>
        watching.lines.length >= 6 ? [...watching.lines] : null,
      )
      const end = seen.splice(4, 1)[0] ?? ''
      expect(end).toContain(services(4))
      expect(seen).toEqual(followed.reads.map(({ version, text }) => `${version} ${text}`))
    } finally {
      await watching.stop()
    }
  })
})
