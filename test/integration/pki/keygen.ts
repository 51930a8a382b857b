import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Why tests that ask ssh-keygen cannot run here; null when they can. */
export const keygenMissing: string | null = existsSync('/usr/bin/ssh-keygen')
  ? null
  : 'ssh-keygen is not installed (Debian: openssh-client)'

/** In UTC, because ssh-keygen prints local time, and in UTF-8, because it escapes what the locale cannot show. */
const environment = { PATH: process.env.PATH, TZ: 'UTC', LC_ALL: 'C.UTF-8' }

/** @returns what it printed. Throws unless it ended with 0 */
export function keygen(args: readonly string[]): string {
  const { status, stdout, stderr } = run(args)
  if (status !== 0) throw new Error(`ssh-keygen ${args.join(' ')}: ${stderr}`)
  return stdout
}

function run(args: readonly string[]): {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
} {
  return spawnSync('ssh-keygen', [...args], { encoding: 'utf8', env: environment, maxBuffer: 64 * 1024 * 1024 })
}

export interface ListedCertificate {
  readonly type: string
  readonly publicKey: string
  readonly signer: string
  readonly keyId: string
  readonly serial: string
  readonly valid: string
  readonly principals: string[]
  readonly criticalOptions: string[]
  readonly extensions: string[]
}

/** What `ssh-keygen -L` says about every certificate in a file. */
export function listCertificates(path: string): ListedCertificate[] {
  const blocks = keygen(['-L', '-f', path]).split(/^\/\S+:$/m)
  return blocks.slice(1).map(listedCertificate)
}

function listedCertificate(block: string): ListedCertificate {
  const line = (name: string): string => new RegExp(`^ {8}${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
  const list = (name: string): string[] => {
    const body = new RegExp(`^ {8}${name}: ?(?:.*)\n((?: {16}.*\n)*)`, 'm').exec(block)?.[1] ?? ''
    return body
      .split('\n')
      .slice(0, -1)
      .map((entry) => entry.slice(16))
  }
  return {
    type: line('Type'),
    publicKey: line('Public key'),
    signer: line('Signing CA'),
    keyId: line('Key ID'),
    serial: line('Serial'),
    valid: line('Valid'),
    principals: list('Principals'),
    criticalOptions: list('Critical Options'),
    extensions: list('Extensions'),
  }
}

export interface ListedKrl {
  readonly version: string
  readonly generatedAt: string
  readonly comment: string
  readonly hashes: string[]
  /** By fingerprint of the authority; `*` is whoever signed. */
  readonly authorities: Readonly<Record<string, { readonly serials: string[]; readonly keyIds: string[] }>>
}

/** What `ssh-keygen -Q -l` says about a list, and for each certificate whether the list revokes it. */
export function queryKrl(
  krl: string,
  certificates: readonly string[],
): { readonly listed: ListedKrl; readonly revoked: boolean[] } {
  const { status, stdout, stderr } = run(['-Q', '-l', '-f', krl, ...certificates])
  const answers = certificates.length === 0 ? [] : stdout.trimEnd().split('\n').slice(-certificates.length)
  const revoked = answers.map((answer, index) => {
    if (!answer.startsWith(`${certificates[index]} `)) throw new Error(`ssh-keygen -Q: ${stderr || answer}`)
    return answer.endsWith(': REVOKED')
  })
  if (status !== (revoked.includes(true) ? 1 : 0)) throw new Error(`ssh-keygen -Q ended with ${status}: ${stderr}`)
  return { listed: listedKrl(stdout), revoked }
}

function listedKrl(output: string): ListedKrl {
  const line = (name: string): string => new RegExp(`^# ${name}:? (.*)$`, 'm').exec(output)?.[1] ?? ''
  const all = (part: string, name: string): string[] =>
    [...part.matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map((match) => match[1] ?? '')
  const [head = '', ...parts] = output.split(/^# (?=CA key|Wildcard CA)/m)
  const authorities = parts.map((part) => {
    const name = /^CA key \S+ (\S+)/.exec(part)?.[1] ?? '*'
    return [name, { serials: all(part, 'serial'), keyIds: all(part, 'id') }] as const
  })
  return {
    version: line('KRL version'),
    generatedAt: line('Generated at'),
    comment: line('Comment'),
    hashes: all(head, 'hash'),
    authorities: Object.fromEntries(authorities),
  }
}
