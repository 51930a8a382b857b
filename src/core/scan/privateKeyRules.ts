import { decodeBase64, isBase64Code } from './base64.ts'
import { distinctCharacters, patternRule, type Range, type SecretRule } from './rule.ts'

const header = /-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g

/** A body of an Ed25519 key in PKCS#8, the shortest there is, has 64 characters. */
const shortestBody = 60
/** RSA of 16,384 bits needs 12,600. What is longer is cut: the value only has to tell one key from another. */
const longestBody = 40_000
/** Programs wrap PEM at 64, 70 or 76 characters. Words of a sentence are shorter, and so not taken for a body. */
const shortestPiece = 32
/** `Proc-Type: 4,ENCRYPTED`, `DEK-Info: ...`, `Version: ...` between header and body. */
const fieldLine = /^[ \t"'`]{0,40}[A-Za-z][A-Za-z-]{1,30}: [^\n]{0,200}$/
/** What wraps lines into a string of JSON, YAML or a program, or into a comment. */
const wrapping = /\\[nrt]|[\s"'`,\\|>#*;]/

/**
 * Keys in PEM: real ones with a body, not the mention of a header in a program or a guide. Encrypted ones too: nobody knows
 * how good their passphrase is.
 */
function* pemKeys(text: string): Iterable<Range> {
  for (const match of text.matchAll(header)) {
    const bodyStart = match.index + match[0].length
    // The next dashes end it, also those of another header: every character is looked at once.
    const dashes = text.indexOf('-----', bodyStart)
    const end = Math.min(dashes === -1 ? text.length : dashes, bodyStart + longestBody)
    if (hasBody(text.slice(bodyStart, end))) yield { start: match.index, end }
  }
}

function hasBody(between: string): boolean {
  let body = ''
  for (const line of between.split(/\n|\\n/)) {
    if (fieldLine.test(line)) continue
    for (const piece of line.split(wrapping)) {
      if (!isBase64(piece)) return isKeyMaterial(body)
      if (piece.length >= shortestPiece) body += piece
    }
  }
  return isKeyMaterial(body)
}

function isKeyMaterial(body: string): boolean {
  return body.length >= shortestBody && distinctCharacters(body) >= 16
}

function isBase64(piece: string): boolean {
  for (let index = 0; index < piece.length; index += 1) {
    const code = piece.charCodeAt(index)
    if (!isBase64Code(code) && code !== 61) return false
  }
  return true
}

/** What every file of ssh-keygen begins with, in base64 and so also without its header. */
const openssh = /(?<![A-Za-z0-9+/])b3BlbnNzaC1rZXktdjEA[A-Za-z0-9+/=\s\\]{120,20000}/g

function isOpenssh(base64: string): boolean {
  return String.fromCharCode(...decodeBase64(base64.slice(0, 40))).startsWith('openssh-key-v1\0')
}

const jwk = /"d"\s{0,8}:\s{0,8}"(?<value>[A-Za-z0-9_-]{40,1400})"/g
const keyType = /"kty"\s{0,8}:\s{0,8}"(?:RSA|EC|OKP)"/

/** Of a private part in JSON how far away its key type may stand. RSA of 4,096 bits has 3,200 characters in between. */
const jwkReach = 4_000

function* jwks(text: string): Iterable<Range> {
  let lastType = 0
  for (const match of text.matchAll(jwk)) {
    const value = match.groups?.value ?? ''
    const start = match.index + match[0].indexOf(value)
    const from = Math.max(lastType, start - jwkReach)
    const found = keyType.exec(text.slice(from, start + jwkReach))
    // Where none was found none is looked for again: a text full of private parts costs no more than its length.
    if (found === null) lastType = start
    else yield { start, end: start + value.length }
  }
}

const putty = /PuTTY-User-Key-File-[0-9]: [a-z0-9-]{3,40}[\r\n\\]/g

/** From the header of a `.ppk` to the line behind its private part. */
function* puttyKeys(text: string): Iterable<Range> {
  let privateLines = -1
  let end = -1
  for (const { index } of text.matchAll(putty)) {
    if (index < end) continue
    if (privateLines < index) privateLines = text.indexOf('Private-Lines: ', index)
    if (privateLines === -1) return
    if (privateLines - index > longestBody) continue
    const behind = text.slice(privateLines, privateLines + longestBody)
    const checksum = behind.indexOf('Private-MAC')
    end = privateLines + (checksum === -1 ? behind.length : checksum)
    yield { start: index, end }
  }
}

const id = 'private-key'

export const privateKeyRules: readonly SecretRule[] = [
  { id, words: 'a private key', hints: ['PRIVATE KEY'], patterns: [header, fieldLine, wrapping], find: pemKeys },
  patternRule({
    id,
    words: 'a private key of OpenSSH',
    hints: ['b3BlbnNzaC1rZXktdjEA'],
    pattern: openssh,
    accept: isOpenssh,
  }),
  { id, words: 'a private key in JSON (JWK)', hints: ['"kty"'], patterns: [jwk, keyType], find: jwks },
  {
    id,
    words: 'a private key of PuTTY',
    hints: ['PuTTY-User-Key-File-'],
    patterns: [putty],
    find: puttyKeys,
  },
]
