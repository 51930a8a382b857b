import { createRequire } from 'node:module'
import ssh2, { type Client, type ParsedKey } from 'ssh2'
import { ed25519KeyType } from '../../platform/openssh/publicKey.ts'
import { WireWriter } from '../../platform/openssh/wire.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeIdentity } from '../ports.ts'

/*
 * ssh2 cannot log in with a certificate (mscdex/ssh2#551). Two corrections, made here and nowhere else: an agent whose
 * key object shows the certificate, and, on that one connection, an `authPK` that names the certificate in the request
 * and the plain algorithm in the signature. Both use internals of ssh2, which is therefore pinned to one version;
 * `certificateLogin.test.ts` and the logins on a real sshd fail when they are lost.
 */

const certificateType = 'ssh-ed25519-cert-v01@openssh.com'
const messageUserauthRequest = 50

/** The internals of ssh2 that are used. */
interface ProtocolInternals {
  readonly _packetRW: {
    readonly write: { alloc(size: number): Buffer; readonly allocStart: number; finalize(packet: Buffer): Buffer }
  }
  readonly _kex: { readonly sessionID: Buffer }
  readonly _authsQueue: string[]
  authPK: (user: string, key: ParsedKey, algorithm?: unknown, sign?: unknown) => void
}

type SendPacket = (protocol: ProtocolInternals, packet: Buffer) => boolean

const require = createRequire(import.meta.url)
const { sendPacket } = require('ssh2/lib/protocol/utils.js') as { readonly sendPacket?: SendPacket }

type IdentityKey = Pick<NodeIdentity, 'publicKeyBlob' | 'certificateBlob' | 'sign'>

/** Offers one certificate. Signing is done by the identity; this object never sees a private key. */
export class CertificateAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #identity: IdentityKey

  constructor(identity: IdentityKey) {
    super()
    this.#identity = identity
  }

  override getIdentities(callback: (error?: Error | null, keys?: ParsedKey[]) => void): void {
    const line = `${ed25519KeyType} ${Buffer.from(this.#identity.publicKeyBlob).toString('base64')}`
    const parsed = ssh2.utils.parseKey(line)
    if (parsed instanceof Error) {
      callback(parsed)
      return
    }
    const certificate = Buffer.from(this.#identity.certificateBlob)
    // A parsed key passes through ssh2's own parser untouched; a certificate blob would be dropped without a word.
    const shown = Object.create(parsed, {
      type: { value: certificateType },
      getPublicSSH: { value: () => certificate },
    }) as ParsedKey
    callback(null, [shown])
  }

  override sign(
    _key: unknown,
    data: Buffer,
    options: unknown,
    callback?: (error?: Error | null, signature?: Buffer) => void,
  ): void {
    const done = typeof options === 'function' ? (options as NonNullable<typeof callback>) : callback
    done?.(null, Buffer.from(this.#identity.sign(data)))
  }
}

/**
 * Call right after `client.connect()`: the protocol object exists then and nothing was sent yet. The request is signed
 * at once, without asking first whether the key would do: we have one key, and it saves a round trip.
 */
export function enableCertificateLogin(client: Client, identity: IdentityKey): void {
  const protocol = internalsOf(client)
  protocol.authPK = function authenticateWithCertificate(user) {
    const request = new WireWriter()
    request.u8(messageUserauthRequest).string(user).string('ssh-connection').string('publickey')
    request.u8(1).string(certificateType).string(identity.certificateBlob)
    const signed = new WireWriter().string(this._kex.sessionID).raw(request.view()).view()
    const signature = new WireWriter().string(ed25519KeyType).string(identity.sign(signed)).view()
    sendAuthentication(this, request.string(signature).view())
  }
}

function sendAuthentication(protocol: ProtocolInternals, payload: Uint8Array): void {
  const { write } = protocol._packetRW
  // `alloc` may move `allocStart`, so it is read afterwards.
  const packet = write.alloc(payload.length)
  packet.set(payload, write.allocStart)
  protocol._authsQueue.push('publickey')
  sendPacket?.(protocol, write.finalize(packet))
}

/** Throws when ssh2 is not the version whose internals we know, rather than logging in wrongly. */
function internalsOf(client: Client): ProtocolInternals {
  const protocol = (client as unknown as { readonly _protocol?: Partial<ProtocolInternals> })._protocol
  const known =
    typeof sendPacket === 'function' &&
    typeof protocol?.authPK === 'function' &&
    typeof protocol._packetRW?.write.alloc === 'function' &&
    typeof protocol._packetRW.write.finalize === 'function' &&
    typeof protocol._packetRW.write.allocStart === 'number' &&
    Array.isArray(protocol._authsQueue)
  if (!known)
    throw new AppError('INTERNAL', 'this version of ssh2 cannot log in with certificates; install ssh2 1.17.0')
  return protocol as ProtocolInternals
}
