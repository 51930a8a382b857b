import { createHash, generateKeyPairSync } from 'node:crypto'

/** Secrets that were made for a test and open nothing. Put together at run time: no file here holds one. */
export interface Planted {
  readonly file: string
  readonly text: string
  /** What must not be seen anywhere else: the value, or for a key one line of its body. */
  readonly canary: string
  readonly rule: string
  readonly line: number
}

export function randomText(length: number, seed: string): string {
  let text = ''
  for (let round = 0; text.length < length; round += 1) {
    text += createHash('sha256').update(`${seed} ${round}`).digest('base64').replaceAll(/[+/=]/g, '')
  }
  return text.slice(0, length)
}

/** As in a picture or an archive. */
export function randomBytes(length: number, seed: string): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_value, index) =>
    createHash('sha512').update(`${seed} ${index}`).digest(),
  )
  return Buffer.concat(blocks).subarray(0, length)
}

const bodyLine = (pem: string): string => pem.split('\n')[1] ?? ''
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** One of each kind that a sync must never carry away. */
export function plantedSecrets(): readonly Planted[] {
  const rsa = String(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }),
  )
  const ed25519 = String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const clientKey = Buffer.from(rsa).toString('base64')
  const keyId = `AK${'IA'}${randomText(40, 'aws').toUpperCase().slice(0, 16)}`
  const github = `gh${'p_'}${randomText(36, 'github')}`
  const jwt = [part({ alg: 'RS256', typ: 'JWT' }), part({ sub: 'somebody' }), randomText(43, 'jwt')].join('.')
  const config = `apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers:\n- user:\n    client-key-data: ${clientKey}\n`
  return [
    {
      file: 'aws.env',
      text: `# account\nAWS_ACCESS_KEY_ID=${keyId}\n`,
      canary: keyId,
      rule: 'aws-access-key-id',
      line: 2,
    },
    { file: 'keys/rsa', text: rsa, canary: bodyLine(rsa), rule: 'private-key', line: 1 },
    { file: 'keys/ed25519', text: `\n\n${ed25519}`, canary: bodyLine(ed25519), rule: 'private-key', line: 3 },
    { file: 'notes.md', text: `Use ${github} to push.\n`, canary: github, rule: 'github-token', line: 1 },
    { file: 'deep/er/token.txt', text: `one\ntwo\nthree ${jwt}`, canary: jwt, rule: 'jwt', line: 3 },
    { file: 'kube/config', text: config, canary: clientKey, rule: 'kubeconfig-client-key', line: 7 },
  ]
}
