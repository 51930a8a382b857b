import { createHash } from 'node:crypto'
import { chmod, lstat, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { renderHosts } from '../../../src/core/registry/hosts.ts'
import { hostsBegin, hostsEnd } from '../../../src/core/registry/hostsBlock.ts'
import { HostsSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const settings = HostsSettings.parse({ domain: 'example.com' })
const services = [aService(), aService({ name: 'inner', subdomain: 'inner', ip: '100.64.0.8', public: false })]
const lines = renderHosts(services, settings)
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const block = `${hostsBegin}\n${lines}${hostsEnd}\n`

describe.skipIf(sshdMissing !== null)('hosts on a real node', () => {
  let rig: DeliveryRig
  let file: string
  let spec: object

  beforeAll(async () => {
    rig = await createDeliveryRig()
    file = join(rig.home, 'hosts')
    spec = { file, hosts: settings, sudo: 'never' }
  })
  afterAll(() => rig?.dispose())
  beforeEach(() => rig.registry(services))

  it('S1.51 S1.52 S1.53 S1.54 S1.55 S1.56 S1.58 S1.59 S1.60 S1.61 S1.9 S1.10 D11 D15 brings all services to a hosts file, and proves our lines', async () => {
    await writeFile(file, '127.0.0.1 localhost\n')
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'succeeded', failure: null, warnings: [] })
    expect(await readFile(file, 'latin1')).toBe(`127.0.0.1 localhost\n${block}`)
    expect(run.proof).toMatchObject({ digest: sha256(lines), verify: { mode: 'hosts', entries: 2 } })
    expect(run.summary).toMatchObject({ filesTotal: 1, filesTransferred: 1 })
    const node = await rig.state()
    expect(node.status).toBe('active')
    expect(node.lastSyncAt).not.toBeNull()
  })

  it('D14 leaves a file alone that has our lines already, and proves it all the same', async () => {
    await writeFile(file, `127.0.0.1 localhost\n${block}`)
    const before = await stat(file)
    for (const _ of [1, 2]) {
      const run = await rig.deliver('hosts', spec)
      expect(run.visits.find(({ state }) => state === 'PUSH_SYNC')?.outcome).toBe('skipped')
      expect(run.proof?.digest).toBe(sha256(lines))
    }
    expect((await stat(file)).ino).toBe(before.ino)
  })

  it('S1.54 removes what is registered no more, and the whole block with the last service', async () => {
    await writeFile(file, '127.0.0.1 localhost\n')
    await rig.deliver('hosts', spec)
    await rig.registry([aService()])
    await rig.deliver('hosts', spec)
    expect(await readFile(file, 'latin1')).not.toContain('inner.example.com')
    await rig.registry([])
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'succeeded', proof: { digest: sha256(''), verify: { entries: 0 } } })
    expect(await readFile(file, 'latin1')).toBe('127.0.0.1 localhost\n')
  })

  const foreign = '127.0.0.1 localhost\n'
  it.each([
    ['no newline at its end', '127.0.0.1 localhost'],
    ['CRLF', '127.0.0.1 localhost\r\n::1 localhost\r\n'],
    ['a half-written block', `${foreign}${hostsBegin}\n100.64.0.7\told.example.com # lockstep\n10.0.0.1 theirs\n`],
    ['two blocks', `${block}${foreign}${block}`],
    [
      'the block of sync-dns.sh',
      `${foreign}# MyNodeOne Services (2026-01-07)\n100.1.1.1 demo.example.com\n\n10.0.0.1 theirs\n`,
    ],
    ['bytes that are no UTF-8', Buffer.from([0x23, 0xff, 0xfe, 0x80, 0x0a, 0x31])],
    ['nothing in it', ''],
  ])('S1.54 S1.57 keeps every byte of others in a file with %s', async (_, before) => {
    await writeFile(file, before)
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'succeeded', proof: { digest: sha256(lines) } })
    const [text, original] = [await readFile(file, 'latin1'), Buffer.from(before).toString('latin1')]
    const rest = (content: string) =>
      content
        .split(/\r?\n/)
        .filter(
          (line) =>
            line !== '' && !line.includes('# lockstep') && !line.startsWith('# MyNodeOne') && !/^100\.1/.test(line),
        )
    expect(rest(text)).toEqual(rest(original))
    expect(text.split(hostsEnd)).toHaveLength(2)
    // Taking our lines away again gives back what was there: only our own leftovers are gone.
    await rig.registry([])
    await rig.deliver('hosts', spec)
    const after = await readFile(file, 'latin1')
    if (!original.includes('lockstep') && !original.includes('MyNodeOne')) expect(after).toBe(original)
  })

  it('S1.55 a hosts file of 10 MB is delivered to, and looked at again without reading it whole', async () => {
    const big = '10.9.9.9 some.name.of.theirs # a long list that blocks advertisements\n'.repeat(150_000)
    await writeFile(file, big)
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'succeeded', proof: { digest: sha256(lines) } })
    expect((await readFile(file, 'latin1')).startsWith(big)).toBe(true)
    const again = await rig.again('hosts')
    expect(again).toMatchObject({ status: 'succeeded', proof: { digest: sha256(lines) } })
    expect(again.summary?.bytesTransferred).toBeLessThan(10_000)
  })

  it('a symbolic link stays one: what it points to is changed', async () => {
    const real = join(rig.home, 'hosts.real')
    await writeFile(real, foreign)
    await rm(file, { force: true })
    await symlink('hosts.real', file)
    expect(await rig.deliver('hosts', spec)).toMatchObject({ status: 'succeeded' })
    expect((await lstat(file)).isSymbolicLink()).toBe(true)
    expect(await readlink(file)).toBe('hosts.real')
    expect(await readFile(real, 'latin1')).toBe(`${foreign}${block}`)
    await rm(file)
  })

  it('owner and mode of the file stay', async () => {
    await writeFile(file, foreign)
    await chmod(file, 0o640)
    expect(await rig.deliver('hosts', spec)).toMatchObject({ status: 'succeeded' })
    expect((await stat(file)).mode & 0o777).toBe(0o640)
    await chmod(file, 0o644)
  })

  it('S1.57 a file with a NUL byte is left as it is, with words for it', async () => {
    await writeFile(file, `${foreign}\0`)
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'HOSTS_FILE_UNREADABLE' }, tries: 1 })
    expect(await readFile(file, 'latin1')).toBe(`${foreign}\0`)
    await writeFile(file, foreign)
  })

  it('S1.57 a hosts file that is not there is not made: the path is wrong', async () => {
    const run = await rig.deliver('hosts', { ...spec, file: join(rig.home, 'hostz') })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PATH_INVALID', short: 'no hosts file' } })
    await expect(stat(join(rig.home, 'hostz'))).rejects.toThrow()
  })

  it('S1.55 warns of a name that another line gives another address', async () => {
    await writeFile(file, `${foreign}10.0.0.1 demo.example.com\n`)
    const run = await rig.deliver('hosts', spec)
    expect(run.status).toBe('succeeded')
    const warning = run.warnings.find(({ code }) => code === 'CONFLICT')
    expect(warning?.message).toContain('still resolves demo.example.com to another address: line 2')
    expect(warning?.evidence).toEqual(['line 2: 10.0.0.1 demo.example.com'])
  })

  it('S1.38 S1.55 puts back what somebody changed in our lines, and says what that was; lines of others are theirs', async () => {
    await writeFile(file, foreign)
    await rig.deliver('hosts', spec)
    const text = await readFile(file, 'latin1')
    await writeFile(file, `10.0.0.9 theirs\n${text}`)
    const quiet = await rig.again('hosts')
    expect(quiet).toMatchObject({ status: 'succeeded', warnings: [] })
    await writeFile(file, text.replace('100.64.0.8', '100.64.0.99'))
    const run = await rig.again('hosts')
    expect(run).toMatchObject({ status: 'succeeded', warnings: [{ code: 'REMOTE_FILE_CHANGED' }] })
    expect(run.warnings[0]?.evidence.join()).toContain('100.64.0.99')
    expect(await readFile(file, 'latin1')).toBe(text)
  })

  it('D14 S1.55 of two plans for one file only that is green whose lines were read back last', async () => {
    await writeFile(file, '127.0.0.1 localhost\n')
    const drifted = async () =>
      new Map((await rig.state()).plans.map(({ planName, driftSince }) => [planName, driftSince !== null]))
    await rig.deliver('hosts', spec)
    await rig.planOf('hosts', { ...spec, hosts: { domain: 'home.example' } }, 'second')
    expect(await rig.run({ plan: 'second' })).toMatchObject({ status: 'succeeded' })
    expect(await readFile(file, 'latin1')).not.toContain('example.com')
    expect(await drifted()).toEqual(new Map(Object.entries({ hosts: true, second: false })))
    await rig.run({ plan: 'hosts' })
    expect(await drifted()).toEqual(new Map(Object.entries({ hosts: false, second: true })))
    // Both want the same: both are right.
    await rig.planOf('hosts', spec, 'second')
    await rig.run({ plan: 'second' })
    expect(await drifted()).toEqual(new Map(Object.entries({ hosts: false, second: false })))
  })
})
