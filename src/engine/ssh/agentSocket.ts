import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { ed25519KeyType, keyTypeOf } from '../../platform/openssh/publicKey.ts'
import { WireError, WireReader, WireWriter } from '../../platform/openssh/wire.ts'
import type { NodeIdentity } from '../ports.ts'
import type { LoginKey } from './identityLogin.ts'

/** What an agent may offer through its socket; null when the identity is gone. */
export type IdentityLookup = () => (LoginKey & Pick<NodeIdentity, 'nodeId' | 'purpose'>) | null

export interface AgentSocket {
  readonly path: string
  close(): Promise<void>
}

/** Numbers of the agent protocol (draft-miller-ssh-agent). */
const message = { failure: 5, requestIdentities: 11, identitiesAnswer: 12, signRequest: 13, signResponse: 14 } as const
const mostMessageBytes = 64 * 1024

/**
 * Serves one identity to system `ssh` and `rsync`: it can be listed and used for signing, and nothing else is
 * understood. The directory of the socket must be 0700 before this is called.
 */
export async function serveAgent(path: string, lookup: IdentityLookup): Promise<AgentSocket> {
  await rm(path, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    converse(socket, lookup)
  })
  await listen(server, path)
  // Nothing of ours keeps the process alive for a client that may come.
  server.unref()
  return {
    path,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await rm(path, { force: true })
    },
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
  await chmod(path, 0o600)
}

/** Answers in order; a client that breaks the framing is cut off. */
function converse(socket: Socket, lookup: IdentityLookup): void {
  let pending: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    while (pending.length >= 4) {
      const length = pending.readUInt32BE(0)
      if (length === 0 || length > mostMessageBytes) return void socket.destroy()
      if (pending.length < 4 + length) return
      const request = pending.subarray(4, 4 + length)
      pending = pending.subarray(4 + length)
      socket.write(frame(answer(request, lookup)))
    }
  })
}

function frame(payload: Uint8Array): Buffer {
  return new WireWriter().string(payload).bytes()
}

const failure = Buffer.from([message.failure])

/** The answer to one request, without its length. Exported for tests of hostile input. */
export function answer(request: Uint8Array, lookup: IdentityLookup): Uint8Array {
  try {
    const identity = lookup()
    const reader = new WireReader(request)
    const kind = reader.u8()
    if (kind === message.requestIdentities) return listIdentities(identity)
    if (kind === message.signRequest && identity !== null) return signFor(identity, reader)
    return failure
  } catch (thrown) {
    if (thrown instanceof WireError) return failure
    throw thrown
  }
}

type Offered = NonNullable<ReturnType<IdentityLookup>>

/** The plain key and its certificate: `ssh` pairs the first with CertificateFile, other clients use the second. */
const blobsOf = (identity: Offered): Uint8Array[] =>
  identity.kind === 'certificate' ? [identity.publicKeyBlob, identity.certificateBlob] : [identity.publicKeyBlob]

function listIdentities(identity: Offered | null): Uint8Array {
  const blobs = identity === null ? [] : blobsOf(identity)
  const writer = new WireWriter().u8(message.identitiesAnswer).u32(blobs.length)
  for (const blob of blobs) writer.string(blob).string(`lockstep ${identity?.purpose ?? ''}`)
  return writer.bytes()
}

function signFor(identity: Offered, reader: WireReader): Uint8Array {
  const key = reader.bytes()
  const data = reader.bytes()
  const flags = reader.u32()
  reader.end()
  if (!blobsOf(identity).some((blob) => Buffer.compare(blob, key) === 0)) return failure
  const algorithm = signatureAlgorithmOf(identity, flags)
  if (algorithm === null) return failure
  const signature = new WireWriter().string(algorithm).string(identity.sign(data, algorithm)).view()
  return new WireWriter().u8(message.signResponse).string(signature).bytes()
}

/** Flags of a signing request (draft-miller-ssh-agent section 3.6.1). */
const rsaFlags = { sha256: 2, sha512: 4 } as const

/** Null: the client asks for SHA-1, which no server should take. */
function signatureAlgorithmOf(identity: Offered, flags: number): string | null {
  if (identity.kind === 'certificate') return ed25519KeyType
  const keyType = keyTypeOf(identity.publicKeyBlob)
  if (keyType !== 'ssh-rsa') return keyType
  if ((flags & rsaFlags.sha512) !== 0) return 'rsa-sha2-512'
  return (flags & rsaFlags.sha256) === 0 ? null : 'rsa-sha2-256'
}
