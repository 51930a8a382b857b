import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import ssh2 from 'ssh2'
import { diagnoseStaticKey, type StaticKeyProblem } from '../../core/diagnose/staticKey.ts'
import { fingerprintOf, keyTypeOf } from '../../platform/openssh/publicKey.ts'
import { WireWriter } from '../../platform/openssh/wire.ts'
import { AppError } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'

/** A private key that was read from a file; reachable through `sign` only. */
export interface StaticKey {
  readonly publicKeyBlob: Uint8Array
  /** `SHA256:…` */
  readonly fingerprint: string
  /**
   * The signature as it stands inside an SSH signature, without its name.
   * @param algorithm e.g. `rsa-sha2-512`; keys that know one only leave it out
   */
  readonly sign: (data: Uint8Array, algorithm?: string) => Uint8Array
}

export interface StaticKeys {
  /** @throws AppError with a diagnosis that names the file and what to do, never anything from inside it */
  read(node: Pick<FleetNode, 'id' | 'name'>, keyFile: string): Promise<StaticKey>
}

const largestFileBytes = 64 * 1024

interface Known {
  /** Changes with content, owner and mode of the file. */
  readonly stamp: string
  readonly key: StaticKey
}

/** Thrown in this file only. */
class Unusable extends Error {
  readonly problem: StaticKeyProblem

  constructor(problem: StaticKeyProblem) {
    super(problem.kind)
    this.problem = problem
  }
}

/**
 * Private keys in files of this machine (S1.88, D9). The file is looked at whenever its key is needed, and read again
 * when it has changed: a key that was taken away, or opened to others, is not used once more.
 */
export function createStaticKeys(): StaticKeys {
  const known = new Map<string, Known>()
  const read = async (keyFile: string): Promise<StaticKey> => {
    // A named pipe in the place of the file must not hold up the engine.
    const file = await open(keyFile, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stamp = await inspect(file)
      const before = known.get(keyFile)
      if (before?.stamp === stamp) return before.key
      const key = await parse(file)
      known.set(keyFile, { stamp, key })
      return key
    } finally {
      await file.close()
    }
  }
  return {
    read: async (node, keyFile) => {
      try {
        return await read(keyFile)
      } catch (thrown) {
        known.delete(keyFile)
        const problem = problemOf(thrown)
        if (problem === null) throw thrown
        const diagnosis = diagnoseStaticKey({ name: node.name, keyFile }, problem)
        throw new AppError(diagnosis.code, diagnosis.sentence, { data: { nodeId: node.id, diagnosis } })
      }
    },
  }
}

/** What `ssh` asks of an identity file too: nobody else may have any right to it. */
async function inspect(file: FileHandle): Promise<string> {
  const stats = await file.stat({ bigint: true })
  const { mode, uid, ino, size, mtimeNs, ctimeNs } = stats
  if (!stats.isFile()) throw new Unusable({ kind: 'not-a-file' })
  const bits = Number(mode) & 0o7777
  if ((bits & 0o077) !== 0) throw new Unusable({ kind: 'open-to-others', mode: bits })
  if (size > largestFileBytes) throw new Unusable({ kind: 'not-a-key' })
  return [mode, uid, ino, size, mtimeNs, ctimeNs].join(' ')
}

async function parse(file: FileHandle): Promise<StaticKey> {
  const content = await file.readFile()
  try {
    const parsed = ssh2.utils.parseKey(content)
    // Its messages are about the form of the file; which of them it was is all that is kept.
    if (parsed instanceof Error)
      throw new Unusable({ kind: /encrypted/i.test(parsed.message) ? 'passphrase' : 'not-a-key' })
    if (!parsed.isPrivateKey()) throw new Unusable({ kind: 'not-a-key' })
    const publicKeyBlob = Buffer.from(parsed.getPublicSSH())
    const signer = signerFor(keyTypeOf(publicKeyBlob), createPrivateKey(parsed.getPrivatePEM()))
    return { publicKeyBlob, fingerprint: fingerprintOf(publicKeyBlob), sign: signer }
  } finally {
    content.fill(0)
  }
}

const ecdsaHashes: Readonly<Record<string, string>> = {
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
}

function signerFor(keyType: string, key: KeyObject): StaticKey['sign'] {
  if (keyType === 'ssh-ed25519') return (data) => sign(null, data, key)
  if (keyType === 'ssh-rsa')
    return (data, algorithm) => sign(algorithm === 'rsa-sha2-256' ? 'sha256' : 'sha512', data, key)
  const hash = ecdsaHashes[keyType]
  if (hash === undefined) throw new Unusable({ kind: 'not-a-key' })
  return (data) => ecdsaParts(sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }))
}

/** The two numbers as RFC 5656 section 3.1.2 wants them. */
function ecdsaParts(signature: Buffer): Uint8Array {
  const half = signature.length / 2
  return new WireWriter()
    .string(mpint(signature.subarray(0, half)))
    .string(mpint(signature.subarray(half)))
    .bytes()
}

/** RFC 4251 section 5: no leading zeros but one where the number would look negative. */
function mpint(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  const shortest = start < 0 ? Buffer.alloc(0) : bytes.subarray(start)
  return (shortest[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), shortest]) : shortest
}

function problemOf(thrown: unknown): StaticKeyProblem | null {
  if (thrown instanceof Unusable) return thrown.problem
  const errno = (thrown as NodeJS.ErrnoException).code
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'missing' }
  if (errno === 'ENXIO' || errno === 'EISDIR') return { kind: 'not-a-file' }
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'ELOOP' || errno === 'EIO')
    return { kind: 'unreadable', errno }
  // OpenSSL says which part of a key it did not take; that is not for a log.
  return errno?.startsWith('ERR_OSSL') === true ? { kind: 'not-a-key' } : null
}
