import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CertificateRequest, checkCertificateRequest, type SigningPolicy } from './policy.ts'

const policy: SigningPolicy = {
  name: 'automation',
  certificateType: 'user',
  principalPattern: '^sync-agent$',
  maxLifetimeSeconds: 57_600,
  allowedExtensions: ['permit-pty'],
  allowedCriticalOptions: ['force-command', 'source-address'],
}
const good: CertificateRequest = {
  keyId: 'node-1',
  principals: ['sync-agent'],
  lifetimeSeconds: 3600,
  extensions: [],
  criticalOptions: {},
}
const fields = (request: Partial<CertificateRequest>, over: Partial<SigningPolicy> = {}): string[] =>
  checkCertificateRequest({ ...good, ...request }, { ...policy, ...over }).map((violation) => violation.field)

describe('signing policy', () => {
  it('allows what the policy names', () => {
    expect(fields({})).toEqual([])
    expect(
      fields({
        extensions: ['permit-pty'],
        criticalOptions: { 'force-command': 'rsync --server', 'source-address': '10.0.0.0/8,::1,fd00::/8' },
      }),
    ).toEqual([])
    expect(fields({ lifetimeSeconds: 57_600 })).toEqual([])
  })

  it.each([
    ['none at all', []],
    ['the empty name', ['']],
    ['a wildcard', ['*']],
    ['a pattern', ['sync-*']],
    ['a list in one name', ['sync-agent,root']],
    ['a space', ['sync-agent root']],
    ['a line break', ['sync-agent\nroot']],
    ['a name before', ['x-sync-agent']],
    ['a name behind', ['sync-agent2']],
    ['root', ['root']],
    ['one good and one bad', ['sync-agent', 'root']],
    ['the same twice', ['sync-agent', 'sync-agent']],
  ])('S0.20 D2 refuses principals: %s', (_label, principals) => {
    expect(fields({ principals })).toEqual(['principals'])
  })

  it('S0.20 refuses a pattern that is not anchored or not a pattern', () => {
    for (const principalPattern of ['sync-agent', '^sync-agent', 'sync-agent$', '^($', '']) {
      expect(fields({}, { principalPattern })).toEqual(['principals'])
    }
  })

  it('S0.20 keeps alternatives inside the anchors', () => {
    expect(fields({ principals: ['sync-agent-evil'] }, { principalPattern: '^sync-agent|backup$' })).toEqual([
      'principals',
    ])
    expect(fields({ principals: ['backup'] }, { principalPattern: '^sync-agent|backup$' })).toEqual([])
  })

  it('a pattern that matches everything still lets no wildcard, comma or space through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (principal) => {
        const violations = fields({ principals: [principal] }, { principalPattern: '^[^]*$' })
        const dangerous = principal === '' || /[*?!,\s\u0000-\u001f\u007f]/.test(principal)
        if (dangerous) expect(violations).toEqual(['principals'])
      }),
    )
  })

  it('limits the life of automation to 16 h', () => {
    expect(fields({ lifetimeSeconds: 57_601 })).toEqual(['lifetimeSeconds'])
    expect(fields({ lifetimeSeconds: 0 })).toEqual(['lifetimeSeconds'])
    expect(fields({ lifetimeSeconds: 61.5 })).toEqual(['lifetimeSeconds'])
    expect(fields({ lifetimeSeconds: Number.NaN })).toEqual(['lifetimeSeconds'])
    expect(fields({ lifetimeSeconds: Number.POSITIVE_INFINITY })).toEqual(['lifetimeSeconds'])
  })

  it('refuses extensions and options that are not listed, and bad option values', () => {
    expect(fields({ extensions: ['permit-port-forwarding'] })).toEqual(['extensions'])
    expect(fields({ criticalOptions: { 'verify-required': '' } })).toEqual(['criticalOptions'])
    expect(fields({ criticalOptions: { 'force-command': '' } })).toEqual(['criticalOptions'])
    expect(fields({ criticalOptions: { 'force-command': 'a\nb' } })).toEqual(['criticalOptions'])
    for (const value of ['everywhere', '10.0.0.0/33', '300.1.1.1', '10.0.0.1, 10.0.0.2', '']) {
      expect(fields({ criticalOptions: { 'source-address': value } })).toEqual(['criticalOptions'])
    }
  })

  it('refuses a key id that could forge a log line', () => {
    expect(fields({ keyId: 'a\nCERTIFICATE ok' })).toEqual(['keyId'])
    expect(fields({ keyId: '' })).toEqual(['keyId'])
    expect(fields({ keyId: 'ü'.repeat(129) })).toEqual(['keyId'])
  })

  it('reports every violation at once', () => {
    expect(
      fields({
        keyId: '',
        principals: ['root', '*'],
        lifetimeSeconds: 0,
        extensions: ['x'],
        criticalOptions: { y: 'z' },
      }),
    ).toEqual(['keyId', 'principals', 'principals', 'lifetimeSeconds', 'extensions', 'criticalOptions'])
  })
})
