import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CertificateContent,
  type CertificateSigner,
  encodeCertificate,
  formatCertificateLine,
} from '../../../src/platform/openssh/certificate.ts'
import { parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import type { TestSshd } from '../../support/sshd.ts'
import { keygen } from './keygen.ts'

export interface LoginOptions {
  readonly signedBy: CertificateSigner
  /** What the client asks the node to run. Default: `echo in`. */
  readonly command?: string
  /** Arguments before the address, e.g. `-tt`. */
  readonly arguments?: readonly string[]
  /** Content of known_hosts. Default: the first host key of the server, by address. */
  readonly knownHosts?: string
}

export interface LoginAttempt {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** What sshd has logged since the attempt began. */
  log(): Promise<string>
}

export interface SshClient {
  readonly directory: string
  /** Wire form of the key that every certificate is made for. */
  readonly subjectBlob: Buffer
  /** Logs in with the real ssh. A good certificate for `sync-agent` unless `over` says otherwise. */
  login(over: Partial<CertificateContent>, options: LoginOptions): Promise<LoginAttempt>
  stop(): Promise<void>
}

/** A user with a key of their own who has nothing but certificates of ours. */
export async function createSshClient(sshd: TestSshd): Promise<SshClient> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-login-'))
  keygen(['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, 'key')])
  const subjectBlob = parsePublicKeyLine(await readFile(join(directory, 'key.pub'), 'utf8')).blob
  return {
    directory,
    subjectBlob,
    login: async (over, options) => {
      const content = { ...goodContent(subjectBlob), ...over }
      const line = formatCertificateLine(encodeCertificate(content, options.signedBy))
      await writeFile(join(directory, 'key-cert.pub'), `${line}\n`)
      const knownHosts = options.knownHosts ?? `[${sshd.address}]:${sshd.port} ${sshd.hostKeys[0]}`
      await writeFile(join(directory, 'known_hosts'), `${knownHosts}\n`)
      const logged = (await sshd.log()).length
      const { status, stdout, stderr } = runSsh(sshd, directory, options)
      return { status, stdout, stderr, log: async () => (await sshd.log()).slice(logged) }
    },
    stop: () => rm(directory, { recursive: true, force: true }),
  }
}

function goodContent(subjectBlob: Buffer): CertificateContent {
  const nowSeconds = Math.floor(Date.now() / 1000)
  return {
    type: 'user',
    subjectBlob,
    serial: 1n,
    keyId: 'lockstep/test',
    principals: ['sync-agent'],
    validAfterSeconds: nowSeconds - 60,
    validBeforeSeconds: nowSeconds + 600,
    criticalOptions: {},
    extensions: {},
  }
}

function runSsh(sshd: TestSshd, directory: string, { command = 'echo in', arguments: more = [] }: LoginOptions) {
  const options = [
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'BatchMode=yes',
    `UserKnownHostsFile=${directory}/known_hosts`,
    'GlobalKnownHostsFile=none',
    'StrictHostKeyChecking=yes',
    'LogLevel=ERROR',
  ].flatMap((option) => ['-o', option])
  const target = ['-p', String(sshd.port), `${sshd.user}@${sshd.address}`, command]
  return spawnSync('ssh', ['-F', 'none', ...options, '-i', join(directory, 'key'), ...more, ...target], {
    encoding: 'utf8',
  })
}
