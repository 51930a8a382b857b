import { createHash, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findSecrets, mostSecrets, rulesVersion, secretRules } from './findSecrets.ts'

/** Put together here, so that no scanner finds a secret in this file. All are made up. */
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const random = (length: number, seed = 'lockstep'): string => {
  let text = ''
  for (let round = 0; text.length < length; round += 1) {
    text += createHash('sha256').update(`${seed} ${round}`).digest('base64').replaceAll(/[+/=]/g, '')
  }
  return text.slice(0, length)
}
const upper = (length: number): string =>
  random(length * 3)
    .toUpperCase()
    .slice(0, length)
const bech32 = (length: number): string =>
  random(length * 4)
    .toUpperCase()
    .replaceAll(/[1BIO]/g, '')
    .slice(0, length)
const hex = (length: number): string => createHash('sha512').update('lockstep').digest('hex').slice(0, length)
const keyId = `AK${'IA'}Q3EGZPTR7XW2LMN4`
const awsSecret = `wJ7alrXUtnF9MI/K3MDENGbPx8RfiCY2${random(8)}`
const jwt = (header: unknown, claims: unknown): string => `${base64url(header)}.${base64url(claims)}.${random(43)}`

const pem = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' }),
  ed25519: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  sealed: generateKeyPairSync('ed25519').privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: random(20),
  }),
}
const opensshBody = base64(`openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none${random(300)}`)
const openssh = `-----BEGIN OPENSSH ${'PRIVATE'} KEY-----\n${opensshBody.replaceAll(/(.{70})/g, '$1\n')}\n-----END`
const jwk = JSON.stringify(
  { ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'one' },
  null,
  2,
)
const secretOfKubernetes = (value: string): string => `apiVersion: v1\nkind: Secret\ndata:\n  file: ${base64(value)}\n`
const kubeconfig = (user: string): string =>
  `apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers:\n- name: a\n  user:\n    ${user}\n`
const putty = [
  `PuTTY-User-Key-File${'-'}3: ssh-ed25519`,
  'Encryption: none',
  `Public-Lines: 1\n${random(60)}`,
  `Private-Lines: 1\n${random(48)}\nPrivate-MAC: ${hex(64)}`,
].join('\n')

const positive: Readonly<Record<string, readonly string[]>> = {
  'private-key': [
    String(pem.rsa),
    String(pem.ec),
    String(pem.ed25519),
    String(pem.sealed),
    openssh,
    opensshBody,
    putty,
    jwk,
    JSON.stringify({ key: pem.ed25519 }),
    String(pem.rsa).replaceAll('\n', '\r\n'),
    `key: |\n${String(pem.rsa).replaceAll(/^/gm, '    ')}`,
    String(pem.ec)
      .trim()
      .split('\n')
      .map((line) => `  '${line}\\n' +`)
      .join('\n'),
    secretOfKubernetes(String(pem.rsa)),
    secretOfKubernetes(openssh),
    `notes:\n${base64(`some words in front\n${pem.ed25519}`).replaceAll(/(.{76})/g, '$1\n')}`,
  ],
  'kubeconfig-client-key': [
    kubeconfig(`client-key-data: ${base64(String(pem.rsa))}`),
    JSON.stringify({ user: { 'client-key-data': base64(String(pem.ec)) } }),
  ],
  'kubeconfig-token': [kubeconfig(`token: ${random(40)}`), kubeconfig(`password: ${random(24)}`)],
  'aws-access-key-id': [keyId, `aws_access_key_id = ${keyId}`, `AWSAccessKeyId=${keyId}&x`, secretOfKubernetes(keyId)],
  'aws-secret-access-key': [
    `{"SecretAccessKey": "${awsSecret}"}`,
    `aws_secret_access_key=${awsSecret}`,
    `AWS_SECRET_ACCESS_KEY: '${awsSecret}'`,
    `${keyId}\n# the other one\n${awsSecret}\n`,
    `id;secret\n${keyId};${awsSecret}`,
  ],
  'github-token': [
    ...['p', 'o', 'u', 's', 'r'].map((kind) => `gh${kind}_${random(36)}`),
    `https://x:ghp${'_'}${random(36)}@github.com/a/b`,
    `github${'_pat_'}${random(22)}_${random(59)}`,
    secretOfKubernetes(`ghp${'_'}${random(36)}`),
  ],
  'gitlab-token': [`glpat${'-'}${random(20)}`, `gldt${'-'}${random(20)}`, `GR13${'48941'}${random(20)}`],
  'slack-token': [
    `xoxb${'-'}2345678901-2345678901234-${random(24)}`,
    `xapp${'-'}1-A0123456789-1234567890123-${hex(64)}`,
  ],
  'slack-webhook': [`https://hooks.slack${'.com'}/services/T${upper(8)}/B${upper(8)}/${random(24)}`],
  'npm-token': [`npm${'_'}${random(36)}`, `//registry.example.org/:_auth${'Token'}=${random(36)}`],
  'pypi-token': [`pypi${'-AgE'}IcHlwaS5vcmc${random(80)}`],
  'age-secret-key': [`AGE-SECRET${'-KEY-1'}${bech32(58)}`],
  'wireguard-key': [`[Interface]\nPrivate${'Key'} = ${random(42)}E=`],
  jwt: [
    jwt({ alg: 'RS256', typ: 'JWT' }, { sub: 'someone' }),
    `Authorization: Bearer ${jwt({ alg: 'ES256' }, { iss: 'kubernetes/serviceaccount' })}`,
    secretOfKubernetes(jwt({ alg: 'RS256' }, { sub: 'someone' })),
  ],
  password: [
    `const password = "${random(20)}"`,
    `{"api_key": "${hex(40)}"}`,
    `DB_PASSWORD=${random(24)}`,
    `    client-secret: ${random(32)}\n`,
  ],
}

const negative: readonly string[] = [
  "if (text.startsWith('-----BEGIN OPENSSH PRIVATE KEY-----')) {\n  return loadTheKeyFromTheFileAndKeepItInMemory(text)\n}",
  'A file that begins with `-----BEGIN PRIVATE KEY-----` is a key. The lines below it hold what nobody else may know.',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----',
  `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----`,
  String(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' })),
  `-----BEGIN CERTIFICATE-----\n${random(640).replaceAll(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----`,
  `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${random(43)} someone@somewhere`,
  'AKIAIOSFODNN7EXAMPLE',
  'AKIAXXXXXXXXXXXXXXXX',
  `THEAKIA${upper(20)}`,
  'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  `secret_access_key: ${'x'.repeat(40)}`,
  `commit ${hex(40)}`,
  'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'glpat-your-own-token-goes-here',
  'glft-some-words-with-dashes-in-between',
  `//registry.example.org/:_authToken=${'$'}{NPM_TOKEN}`,
  'npm_config_registry=https://registry.example.org npm_package_version',
  'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX',
  `integrity: "sha512-${random(86)}=="`,
  jwt({ typ: 'JWT' }, { sub: 'someone' }),
  jwt({ alg: 'none' }, { sub: 'someone' }),
  jwt({ alg: 'RS256' }, 'no object'),
  `eyJ${random(30)}.eyJ${random(30)}.${random(30)}`,
  'const password = process.env.PASSWORD_OF_DB_2_3',
  'password: "correct horse battery staple"',
  'password = "ForgotPasswordDialog2Title3"',
  `password: ${'$'}{{ secrets.DEPLOY_2_PASSWORD_3x }}`,
  'password="{{ vault_Db_Passw0rd_12 }}"',
  `passwordHash: "${random(32)}"`,
  `secret: 123e4567-e89b-12d3-a456-426614174000`,
  'secret_key = "/etc/lockstep/Keys2/server3.pem"',
  "password: '$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'",
  'credential: "loginForm_Field2.input3.value"',
  kubeconfig('token: REPLACE_WITH_YOUR_TOKEN'),
  kubeconfig('client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t'),
  `token: ${random(40)}`,
  base64('just some words that nobody would hide, and a few more of them to fill the line'),
  `data:image/png;base64,${createHash('sha512').update('picture').digest('base64')}`,
]

const rulesOf = (text: string): string[] => findSecrets(text).map(({ rule }) => rule)

describe('findSecrets', () => {
  for (const [rule, texts] of Object.entries(positive)) {
    it.each(texts.map((text, index) => [index + 1, text] as const))(
      `S2.17 finds ${rule}, example %i`,
      (_index, text) => {
        expect(rulesOf(text)).toContain(rule)
        const inside = `first line\n\n${text}\nlast line\n`
        expect(rulesOf(inside)).toContain(rule)
        for (const { start, end } of findSecrets(inside)) {
          expect(start).toBeGreaterThanOrEqual('first line'.length)
          expect(end).toBeLessThanOrEqual(inside.length)
          expect(end).toBeGreaterThan(start)
        }
      },
    )
  }

  it.each(negative.map((text, index) => [index + 1, text] as const))(
    'U40 has nothing against ordinary text %i',
    (_index, text) => {
      expect(findSecrets(text)).toEqual([])
    },
  )

  it('S2.17 has an example for each rule', () => {
    expect(Object.keys(positive).sort()).toEqual([...new Set(secretRules.map(({ id }) => id))].sort())
  })

  it('S2.17 names each place once, with the range of the value only', () => {
    const token = `ghp${'_'}${random(36)}`
    const text = `api_token = "${token}"\n${keyId}\n`
    expect(findSecrets(text).map(({ rule, start, end }) => [rule, text.slice(start, end)])).toEqual([
      ['github-token', token],
      ['aws-access-key-id', keyId],
    ])
  })

  it('S2.17 never says the value', () => {
    for (const text of Object.values(positive).flat()) {
      for (const { rule, words, start, end } of findSecrets(text)) {
        expect(`${rule} ${words}`).not.toContain(text.slice(start, end))
      }
    }
  })

  it('S2.17 refuses a text with more secrets than anybody can look at, instead of searching a part of it', () => {
    const texts = Array.from(
      { length: mostSecrets + 1 },
      (_value, index) => `AK${'IA'}${upper(10)}${String(100_000 + index)}`,
    )
    expect(findSecrets(texts.slice(1).join('\n'))).toHaveLength(mostSecrets)
    expect(() => findSecrets(texts.join('\n'))).toThrow('more than 10000 secrets')
  })

  it('S2.17 gives places inside the text, in order, whatever the text', () => {
    const words = [...Object.values(positive).flat(), ...negative].map((text) => text.slice(0, 200))
    const text = fc.array(
      fc.oneof(fc.constantFrom(...words), fc.string(), fc.constantFrom('\n', ' ', '"', '-----', '=')),
    )
    fc.assert(
      fc.property(text, (parts) => {
        const joined = parts.join('')
        let last = 0
        for (const { start, end } of findSecrets(joined)) {
          expect(start).toBeGreaterThanOrEqual(last)
          expect(end).toBeGreaterThan(start)
          expect(end).toBeLessThanOrEqual(joined.length)
          last = start
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('the rules', () => {
  const patterns = secretRules.flatMap(({ id, patterns }) => patterns.map((pattern) => [id, pattern] as const))

  /**
   * Why no text makes them slow: a pattern without `*`, `+` and `{n,}` looks at a bounded number of characters from each
   * place, and a group that repeats holds no other repetition of the same characters (each ends with a character its own
   * repetition does not take). So the steps for a text are at most its length times a constant.
   */
  it.each(patterns)('S2.17 takes steps in proportion to the text: %s', (_id, pattern) => {
    const withoutClasses = pattern.source.replaceAll(/\\./g, '_').replaceAll(/\[(?:[^\]\\]|\\.)*\]/g, 'C')
    expect(withoutClasses).not.toMatch(/[*+]|\{\d+,\}/)
    for (const [, inner] of withoutClasses.matchAll(/\(([^()]*)\)\{/g))
      expect(inner).toMatch(/^(?:[^{}]*|.*\}[^{}C]+)$/)
  })

  it('S2.25 changes its version when a pattern changes, so that files that were clean are searched again', () => {
    const digest = createHash('sha256').update(patterns.map(([id, pattern]) => `${id} ${String(pattern)}`).join('\n'))
    expect([rulesVersion, digest.digest('hex').slice(0, 16)]).toEqual([2, '56eb6b499eaa71d0'])
  })
})
