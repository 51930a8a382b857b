import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HostsSettings, RoutesSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const fixtures = new URL('../../fixtures/receivers/', import.meta.url)
const services = [
  aService(),
  aService({ name: 'inner', subdomain: 'inner', ip: '100.64.0.8', public: false }),
  aService({ name: 'wiki', subdomain: 'wiki', ip: '100.64.0.9', port: 8080 }),
]

describe.skipIf(sshdMissing !== null)('nodes that have the original scripts', () => {
  let rig: DeliveryRig

  beforeAll(async () => {
    rig = await createDeliveryRig({
      session: 'HOSTS_FILE=$HOME/hosts; export HOSTS_FILE; exec sh -c "$SSH_ORIGINAL_COMMAND"',
    })
    await rig.program('docker', 'echo running')
  })
  afterAll(() => rig?.dispose())
  beforeEach(() => rig.registry(services))

  const install = async (name: string): Promise<void> => {
    await copyFile(new URL(name, fixtures), join(rig.home, name))
    await chmod(join(rig.home, name), 0o755)
  }

  describe('sync-vps-routes.sh', () => {
    const routes = RoutesSettings.parse({ domain: 'example.com' })
    const spec = { routes, receiver: { kind: 'script', file: '~/sync-vps-routes.sh' } }
    const file = (): string => join(rig.home, 'traefik/config/mynodeone-routes.yml')

    beforeEach(async () => {
      await rm(join(rig.home, 'traefik'), { recursive: true, force: true })
      await mkdir(join(rig.home, 'traefik/config'), { recursive: true })
      await install('sync-vps-routes.sh')
    })

    it('S1.45 S1.44 S1.90 S1.108 gets the registry on its standard input; what it wrote is read back and says the same', async () => {
      const run = await rig.deliver('routes', spec)
      expect(run).toMatchObject({ status: 'succeeded', failure: null })
      const text = await readFile(file(), 'utf8')
      expect(text).toContain('Host(`wiki.example.com`)')
      expect(text).not.toContain('inner')
      expect(run.proof).toMatchObject({ verify: { mode: 'routes', traefik: 'running' } })
      expect(run.proof?.digest).toMatch(/^[0-9a-f]{64}$/)
    })

    it('D14 does not run it again for what lies there already, and does when somebody changed it', async () => {
      await rig.deliver('routes', spec)
      const looked = await rig.again('routes')
      expect(looked).toMatchObject({ status: 'succeeded', warnings: [], summary: { filesTransferred: 0 } })
      await writeFile(file(), 'http: {}\n')
      const run = await rig.again('routes')
      expect(run).toMatchObject({ status: 'succeeded', warnings: [{ code: 'REMOTE_FILE_CHANGED' }] })
      expect(await readFile(file(), 'utf8')).toContain('wiki.example.com')
    })

    it('S1.26 a script that takes the last public route away is believed', async () => {
      await rig.deliver('routes', spec)
      await rig.registry([aService({ public: false })])
      expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'succeeded', failure: null })
      expect(await readFile(file(), 'utf8')).not.toContain('example.com')
    })

    it.each([
      [
        'ends with another exit code than 0',
        'cat >/dev/null; echo "jq: command not found" >&2; exit 3',
        'RECEIVER_FAILED',
        'jq: command not found',
      ],
      ['writes nothing', 'cat >/dev/null', 'VERIFY_MISMATCH', 'it is not there'],
      [
        'leaves out a service',
        'cat >/dev/null; echo "http: {routers: {}}" >$HOME/traefik/config/mynodeone-routes.yml',
        'VERIFY_MISMATCH',
        'demo.example.com has no route',
      ],
      [
        'writes what is no YAML',
        'cat >/dev/null; echo "a: [" >$HOME/traefik/config/mynodeone-routes.yml',
        'VERIFY_MISMATCH',
        'no configuration of Traefik',
      ],
    ])('S1.73 S1.74 S1.76 is not green when it %s', async (_, script, code, words) => {
      await writeFile(join(rig.home, 'sync-vps-routes.sh'), `#!/bin/sh\n${script}\n`)
      const run = await rig.deliver('routes', spec)
      expect(run).toMatchObject({ status: 'failed', tries: 3, failure: { code } })
      expect(run.failure?.sentence).toContain(words)
      expect((await rig.state()).status).not.toBe('active')
    })

    it('S1.45 says when it is not there, or not executable', async () => {
      await chmod(join(rig.home, 'sync-vps-routes.sh'), 0o644)
      expect((await rig.deliver('routes', spec)).failure?.sentence).toContain('chmod +x')
      await rm(join(rig.home, 'sync-vps-routes.sh'))
      expect((await rig.deliver('routes', spec)).failure).toMatchObject({ short: 'no receiver script' })
    })
  })

  describe('sync-dns.sh', () => {
    const hosts = HostsSettings.parse({ domain: 'example.com' })
    const spec = () => ({
      hosts,
      file: join(rig.home, 'hosts'),
      receiver: { kind: 'script', file: '~/sync-dns.sh' },
    })
    const file = (): string => join(rig.home, 'hosts')

    beforeEach(async () => {
      await writeFile(file(), '127.0.0.1 localhost\n')
      await install('sync-dns.sh')
    })

    it('S1.53 S1.54 S1.55 S1.59 S1.60 S1.91 D11 gets the registry on its standard input and fetches nothing', async () => {
      const run = await rig.deliver('hosts', spec())
      expect(run).toMatchObject({
        status: 'succeeded',
        failure: null,
        proof: { verify: { mode: 'hosts', entries: 3 } },
      })
      const text = await readFile(file(), 'utf8')
      expect(text).toContain('127.0.0.1 localhost\n')
      expect(text).toContain('100.64.0.8\tinner.example.com')
      expect(await rig.again('hosts')).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
    })

    it('S1.54 old entries of the script that stay are not green', async () => {
      await rig.deliver('hosts', spec())
      await rig.registry([aService()])
      await writeFile(join(rig.home, 'sync-dns.sh'), '#!/bin/sh\ncat >/dev/null\n')
      const run = await rig.deliver('hosts', spec())
      expect(run).toMatchObject({ status: 'failed', failure: { code: 'VERIFY_MISMATCH' } })
      expect(run.failure?.evidence).toContain('inner.example.com is still there')
    })

    it('S1.55 a plan that takes over from the script leaves no line of it', async () => {
      await rig.deliver('hosts', spec())
      const run = await rig.deliver('hosts', { hosts, file: file(), sudo: 'never' })
      expect(run.status).toBe('succeeded')
      const text = await readFile(file(), 'utf8')
      expect(text).not.toContain('MyNodeOne')
      expect(text.match(/wiki\.example\.com/g)).toHaveLength(1)
    })
  })
})
