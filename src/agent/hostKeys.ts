import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { knownHostName } from '../core/agent/sshConfig.ts'
import { writeFileAtomic } from '../platform/atomicFile.ts'
import { exec } from '../platform/exec.ts'
import { fingerprintOf, parsePublicKeyLine } from '../platform/openssh/publicKey.ts'
import { AppError } from '../shared/errors.ts'
import type { AgentSetup } from './config.ts'

/** A host key that storage offers. */
export interface OfferedHostKey {
  readonly keyType: string
  /** `SHA256:…` */
  readonly fingerprint: string
  /** `type base64` */
  readonly line: string
}

/** Asks storage for its host keys, without logging in. Nothing is trusted by this. Empty when it does not answer. */
export async function offeredHostKeys({ config }: AgentSetup): Promise<OfferedHostKey[]> {
  const { host, port } = config.storage
  const { stdout } = await exec({
    command: 'ssh-keyscan',
    args: ['-T', '10', '-p', String(port), '--', host],
    okExitCodes: 'any',
    timeoutMs: 30_000,
  })
  return stdout.split('\n').flatMap((line) => {
    const key = line.startsWith('#') ? '' : line.slice(line.indexOf(' ') + 1)
    try {
      const { keyType, blob } = parsePublicKeyLine(key)
      return [{ keyType, fingerprint: fingerprintOf(blob), line: `${keyType} ${blob.toString('base64')}` }]
    } catch {
      return []
    }
  })
}

/**
 * Accepts the host key with this fingerprint: the word of a person who has compared it.
 * @throws AppError HOST_KEY_UNKNOWN when storage offers no such key; `data.offered` holds those it does
 */
export async function trustHostKey(setup: AgentSetup, fingerprint: string): Promise<OfferedHostKey> {
  const offered = await offeredHostKeys(setup)
  const { host, port } = setup.config.storage
  const wanted = offered.find((key) => key.fingerprint === fingerprint.trim())
  if (wanted === undefined) {
    const seen = offered.map((key) => `${key.keyType} ${key.fingerprint}`)
    throw new AppError(
      'HOST_KEY_UNKNOWN',
      `${host} port ${port} offers no host key ${fingerprint.trim()}. ${seen.length === 0 ? 'It does not answer.' : `It offers: ${seen.join(', ')}`}`,
      { data: { offered: seen } },
    )
  }
  const path = setup.layout.knownHosts
  const before = await readFile(path, 'utf8').catch(() => '')
  const line = `${knownHostName(host, port)} ${wanted.line}`
  if (before.split('\n').includes(line)) return wanted
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const kept = before === '' || before.endsWith('\n') ? before : `${before}\n`
  await writeFileAtomic(path, `${kept}${line}\n`, { mode: 0o644 })
  return wanted
}
