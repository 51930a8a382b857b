import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toAppError } from '../../shared/errors.ts'
import { NodeId } from '../../shared/model/ids.ts'
import { renderKnownHosts, renderSshConfig, type SshFiles, sshCommandFor } from './sshConfig.ts'

const id = NodeId.parse('01900000-0000-7000-8000-000000000001')
const files: SshFiles = {
  config: '/h/run/ssh/x.conf',
  publicKey: '/h/run/ssh/x.pub',
  certificate: '/h/run/ssh/x-cert.pub',
  knownHosts: '/h/run/ssh/x.known_hosts',
  agentSocket: '/h/run/ssh/a1',
}
const node = { id, address: 'node.example', port: 22, user: 'sync' }
const render = (over: Partial<typeof node>, paths: Partial<SshFiles> = {}): string =>
  renderSshConfig({ ...node, ...over }, { ...files, ...paths })
const fieldOf = (action: () => unknown): unknown => {
  try {
    action()
    return 'accepted'
  } catch (thrown) {
    return toAppError(thrown).data?.field
  }
}

describe('ssh client configuration', () => {
  it('has one directive on each line and none twice', () => {
    const names = render({})
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0])
    expect(new Set(names).size).toBe(names.length)
    expect(render({})).toContain('StrictHostKeyChecking yes\n')
  })

  it.each([
    ['address', '-oProxyCommand=id'],
    ['address', 'a b'],
    ['address', 'a\nProxyCommand id'],
    ['address', 'a\r'],
    ['address', 'x%h'],
    ['address', 'h%n'],
    ['address', '"x"'],
    ['address', '$(id)'],
    ['address', `$\{HOME}`],
    ['address', ''],
    ['address', 'a#b'],
    ['address', 'node.example\n'],
    ['address', '10.0.0.1%eth0'],
    ['user', '-l'],
    ['user', 'root\nProxyCommand id'],
    ['user', '%r'],
    ['user', 'a b'],
    ['user', 'a"b'],
    ['user', ''],
    ['user', 'sync\n'],
  ])('refuses %s %j', (field, value) => {
    expect(fieldOf(() => render({ [field]: value }))).toBe(field)
  })

  it('refuses ports that are none', () => {
    for (const port of [0, 65_536, 22.5, Number.NaN, -1]) expect(fieldOf(() => render({ port }))).toBe('port')
  })

  it('no address or user adds a line, whatever it holds', () => {
    const lines = render({}).split('\n').length
    const nasty = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('a\u2028b', 'x\tProxyCommand id', 'é', 'a\u0000b'),
    )
    fc.assert(
      fc.property(nasty, nasty, (address, user) => {
        if (fieldOf(() => render({ address, user })) !== 'accepted') return
        const text = render({ address, user })
        expect(text.split('\n')).toHaveLength(lines)
        expect(text).toContain(`\nHostName ${address.replaceAll('%', '%%')}\n`)
      }),
      { numRuns: 500 },
    )
  })

  it('takes IPv6 with a zone, escaped', () => {
    expect(render({ address: 'fe80::1%eth0' })).toContain('HostName fe80::1%%eth0\n')
    expect(render({ address: '::1' })).toContain('HostName ::1\n')
  })

  it('escapes and quotes paths, and refuses those that cannot be', () => {
    expect(render({}, { publicKey: "/my home/it's 100%/x.pub" })).toContain(
      `IdentityFile "/my home/it's 100%%/x.pub"\n`,
    )
    for (const path of ['/a"b', '/a\\b', '/a\nb', `/$\{HOME}/x`, 'relative'])
      expect(fieldOf(() => render({}, { publicKey: path }))).toBe('home')
  })

  it('quotes the command for rsync only where it must', () => {
    expect(sshCommandFor('/h/run/ssh/x.conf')).toBe('ssh -F /h/run/ssh/x.conf')
    expect(sshCommandFor("/my home/it's/x.conf")).toBe(`ssh -F "/my home/it's/x.conf"`)
  })

  it('lists each accepted key under the alias, and refuses a malformed pin', () => {
    const pin = { keyType: 'ssh-ed25519', publicKey: 'AAAA', fingerprint: '', pinnedAt: 0, pinnedBy: '' }
    expect(renderKnownHosts({ id, hostKeys: [pin, { ...pin, keyType: 'ssh-rsa' }] })).toBe(
      `${id} ssh-ed25519 AAAA\n${id} ssh-rsa AAAA\n`,
    )
    expect(fieldOf(() => renderKnownHosts({ id, hostKeys: [{ ...pin, publicKey: 'AAAA\n* ssh-rsa BBBB' }] }))).toBe(
      'hostKeys',
    )
  })
})
