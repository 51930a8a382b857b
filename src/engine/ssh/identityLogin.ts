import { createRequire } from 'node:module'
import ssh2, { type Client, type ParsedKey } from 'ssh2'
import { ed25519KeyType, formatPublicKeyLine, keyTypeOf } from '../../platform/openssh/publicKey.ts'
import { WireWriter } from '../../platform/openssh/wire.ts'
import { AppError } from '../../shared/errors.ts'
import type { CertificateIdentity, StaticKeyIdentity } from '../ports.ts'

/*
 * ssh2 cannot log in with a certificate (mscdex/ssh2#551). Two corrections, made here and nowhere else: an agent whose
 * key object shows the certificate, and, on that one connection, an `authPK` that names the certificate in the request
 * and the plain algorithm in the signature. Both use internals of ssh2, which is therefore pinned to one version;
 * `identityLogin.test.ts` and the logins on a real sshd fail when they are lost. Static keys go the same way, so that
 * ssh2 never holds a private key.
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

/** What a login needs of an identity. */
export type LoginKey =
  | Pick<CertificateIdentity, 'kind' | 'publicKeyBlob' | 'certificateBlob' | 'sign'>
  | Pick<StaticKeyIdentity, 'kind' | 'publicKeyBlob' | 'sign'>

interface Presented {
  /** Name and bytes of what is shown to the server. */
  readonly type: string
  readonly blob: Uint8Array
  readonly signatureAlgorithm: string
}

function presentationOf(identity: LoginKey): Presented {
  if (identity.kind === 'certificate')
    return { type: certificateType, blob: identity.certificateBlob, signatureAlgorithm: ed25519KeyType }
  const keyType = keyTypeOf(identity.publicKeyBlob)
  // SHA-1 is what `ssh-rsa` means as the name of a signature; every server since OpenSSH 7.2 takes this one.
  const algorithm = keyType === 'ssh-rsa' ? 'rsa-sha2-512' : keyType
  return { type: algorithm, blob: identity.publicKeyBlob, signatureAlgorithm: algorithm }
}

/** Offers one certificate or key. Signing is done by the identity; this object never sees a private key. */
export class IdentityAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #identity: LoginKey

  constructor(identity: LoginKey) {
    super()
    this.#identity = identity
  }

  override getIdentities(callback: (error?: Error | null, keys?: ParsedKey[]) => void): void {
    const parsed = ssh2.utils.parseKey(formatPublicKeyLine(this.#identity.publicKeyBlob))
    if (parsed instanceof Error) {
      callback(parsed)
      return
    }
    const { type, blob } = presentationOf(this.#identity)
    const shownBlob = Buffer.from(blob)
    // A parsed key passes through ssh2's own parser untouched; a certificate blob would be dropped without a word.
    const shown = Object.create(parsed, {
      type: { value: type },
      getPublicSSH: { value: () => shownBlob },
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
    done?.(null, Buffer.from(this.#identity.sign(data, presentationOf(this.#identity).signatureAlgorithm)))
  }
}

/**
 * Call right after `client.connect()`: the protocol object exists then and nothing was sent yet. The request is signed
 * at once, without asking first whether the key would do: we have one key, and it saves a round trip.
 */
export function enableIdentityLogin(client: Client, identity: LoginKey): void {
  const protocol = internalsOf(client)
  const { type, blob, signatureAlgorithm } = presentationOf(identity)
  protocol.authPK = function authenticateWithIdentity(user) {
    const request = new WireWriter()
    request.u8(messageUserauthRequest).string(user).string('ssh-connection').string('publickey')
    request.u8(1).string(type).string(blob)
    const signed = new WireWriter().string(this._kex.sessionID).raw(request.view()).view()
    const signature = new WireWriter()
      .string(signatureAlgorithm)
      .string(identity.sign(signed, signatureAlgorithm))
      .view()
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
