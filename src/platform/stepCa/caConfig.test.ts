import { describe, expect, it } from 'vitest'
import { AppError } from '../../shared/errors.ts'
import { parseStepCaConfig } from './caConfig.ts'

const whole = {
  root: '/etc/step/certs/root_ca.crt',
  crt: '/etc/step/certs/intermediate_ca.crt',
  address: ':9000',
  dnsNames: ['ca.internal'],
  ssh: { hostKey: '/etc/step/secrets/ssh_host_ca_key', userKey: 'yubikey:slot-id=9c' },
  password: 'canary-ca-password',
  authority: {
    provisioners: [
      {
        type: 'JWK',
        name: 'sync-provisioner',
        claims: { enableSSHCA: true },
        options: { ssh: { templateFile: 'sync-agent.tpl' } },
      },
      { type: 'SSHPOP', name: 'sshpop', claims: { enableSSHCA: true } },
      { type: 'ACME', name: 'acme' },
    ],
  },
}
const parse = (config: unknown) => parseStepCaConfig(JSON.stringify(config), '/etc/step/config/ca.json')
const failure = (text: string): AppError => {
  try {
    parseStepCaConfig(text, '/etc/step/config/ca.json')
  } catch (error) {
    if (error instanceof AppError) return error
  }
  throw new Error('expected an AppError')
}

describe('ca.json', () => {
  it('S0.9 S0.10 S0.14 D3 reads SSH keys as step-ca writes them: paths and addresses of key managers', () => {
    expect(parse(whole)).toMatchObject({
      address: ':9000',
      dnsNames: ['ca.internal'],
      rootFiles: ['/etc/step/certs/root_ca.crt'],
      ssh: {
        hostKey: { kind: 'file', path: '/etc/step/secrets/ssh_host_ca_key' },
        userKey: { kind: 'uri', uri: 'yubikey:slot-id=9c' },
      },
      warnings: [],
    })
  })

  it('S0.14 S0.15 S0.16 D3 reads the published objects too, and says that step-ca does not', () => {
    const config = parse({ ...whole, ssh: { hostKey: { type: 'ed25519' }, userKey: { type: 'ed25519' } } })
    expect(config.ssh).toEqual({
      hostKey: { kind: 'type', keyType: 'ed25519' },
      userKey: { kind: 'type', keyType: 'ed25519' },
    })
    expect(config.warnings).toEqual([
      expect.stringContaining('ssh.hostKey is an object'),
      expect.stringContaining('ssh.userKey is an object'),
    ])
  })

  it.each([undefined, null, {}, { hostKey: '', userKey: '' }])('S0.9 says that SSH is off with ssh: %j', (ssh) => {
    const config = parse({ ...whole, ssh })
    expect(config.ssh).toBeNull()
    expect(config.warnings).toEqual([expect.stringContaining('SSH is off')])
  })

  it('S0.19 U6 says of each provisioner what it may do, and warns of one without a template', () => {
    expect(parse(whole).provisioners).toEqual([
      {
        name: 'sync-provisioner',
        type: 'JWK',
        allows: ['issue user certificates', 'issue host certificates', 'revoke SSH certificates'],
        hasSshTemplate: true,
      },
      {
        name: 'sshpop',
        type: 'SSHPOP',
        allows: ['renew host certificates', 'revoke SSH certificates'],
        hasSshTemplate: false,
      },
      { name: 'acme', type: 'ACME', allows: [], hasSshTemplate: false },
    ])
    const open = structuredClone(whole) as { authority: { provisioners: { options?: unknown }[] } }
    delete open.authority.provisioners[0]?.options
    expect(parse(open).warnings).toEqual([expect.stringContaining('"sync-provisioner" has no SSH template')])
  })

  it('U6 lets a provisioner inherit whether it may do SSH, and overrule it', () => {
    const jwk = { type: 'JWK', name: 'jwk', options: { ssh: { template: '{}' } } }
    const allows = (claims: unknown, own?: unknown) =>
      parse({
        ...whole,
        authority: { claims, provisioners: [{ ...jwk, ...(own === undefined ? {} : { claims: own }) }] },
      }).provisioners[0]?.allows.length
    expect(allows({ enableSSHCA: true })).toBe(3)
    expect(allows({ enableSSHCA: true }, { enableSSHCA: false })).toBe(0)
    expect(allows(undefined)).toBe(0)
    expect(parse({ ...whole, authority: null }).warnings).toEqual([expect.stringContaining('no provisioner may issue')])
  })

  it('takes several roots and leaves unknown settings aside', () => {
    expect(parse({ ...whole, root: ['/a', '/b'], future: { x: 1 } }).rootFiles).toEqual(['/a', '/b'])
    expect(JSON.stringify(parse(whole))).not.toContain('canary')
  })

  it('names every mistake and its field, and never quotes the file', () => {
    const wrong = failure(JSON.stringify({ ...whole, ssh: { hostKey: 7 }, dnsNames: 'canary-ca-password' }))
    expect(wrong).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('/etc/step/config/ca.json') })
    expect(wrong.message).toMatch(/dnsNames.*ssh\.hostKey/)
    const notJson = failure('{"password": "canary-ca-password", oops')
    expect(notJson.message).toContain('it is not JSON')
    for (const error of [wrong, notJson])
      expect(JSON.stringify([error.message, error.toBody()])).not.toContain('canary')
  })
})
