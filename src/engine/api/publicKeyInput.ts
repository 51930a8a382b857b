import { ed25519KeyType, type PublicKeyLine, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'

/** The public key a person pasted. @throws INVALID_INPUT for anything else, above all for a private key. */
export function publicKeyOf(text: string): PublicKeyLine {
  if (text.includes('PRIVATE KEY')) {
    throw new AppError(
      'INVALID_INPUT',
      'publicKey: this is a private key. Keep it secret and give the matching .pub file instead.',
      { data: { field: 'publicKey' } },
    )
  }
  let key: PublicKeyLine
  try {
    key = parsePublicKeyLine(text)
  } catch (error) {
    throw new AppError('INVALID_INPUT', 'publicKey: expected one line "ssh-ed25519 AAAA… comment".', {
      data: { field: 'publicKey' },
      cause: error,
    })
  }
  if (key.keyType === ed25519KeyType) return key
  throw new AppError(
    'INVALID_INPUT',
    `publicKey: ${key.keyType} is not signed here; make an Ed25519 key with "ssh-keygen -t ed25519".`,
    { data: { field: 'publicKey' } },
  )
}
