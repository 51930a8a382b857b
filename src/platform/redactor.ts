const mask = '[redacted]'
/** A shorter value cannot be masked without making the log unreadable; hosts refuse shorter passphrases. */
const shortestSecret = 4

const privateKeyBlock = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^"]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|(?="|$))/g
/** To the end of the line or of the JSON string: what follows a comma may belong to the value (Digest, cookies). */
const secretHeader =
  /\b((?:(?:proxy-)?authorization|(?:set-)?cookie)\\?["']?\s*[:=]\s*\[?\s*\\?["']?)(?:[^"\\\r\n]|\\[^nr])+/gi
const credentialsInUrl = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/"'@:]*:[^\s/"'@]*@/gi
const secretField =
  /("(?:passphrase|password|privateKey|private_key|secret|token|keyEncryptionKey)"\s*:\s*)"(?:[^"\\]|\\.)*"/gi

/** Takes secrets out of text on its way to a log, a file or a screen. */
export interface Redactor {
  /**
   * From now on this value is masked wherever it appears: as it is, as JSON writes it, and (for bytes) in hex and
   * base64. Values under four characters are ignored.
   *
   * @returns forgets it again, for secrets that have lost their worth
   */
  registerSecret(secret: string | Uint8Array): () => void
  /** Masks registered values, private key blocks, Authorization and Cookie headers, credentials in URLs and secret fields. */
  redact(text: string): string
}

export function createRedactor(): Redactor {
  const uses = new Map<string, number>()
  let registered: RegExp | undefined

  const recompile = (): void => {
    const longestFirst = [...uses.keys()].sort((left, right) => right.length - left.length)
    registered = longestFirst.length === 0 ? undefined : new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g')
  }
  const count = (form: string, by: 1 | -1): void => {
    const remaining = (uses.get(form) ?? 0) + by
    if (remaining > 0) uses.set(form, remaining)
    else uses.delete(form)
  }

  return {
    registerSecret(secret) {
      const forms = formsOf(secret)
      for (const form of forms) count(form, 1)
      recompile()
      let forgotten = false
      return () => {
        if (forgotten) return
        forgotten = true
        for (const form of forms) count(form, -1)
        recompile()
      }
    },
    redact(text) {
      const withoutRegistered = registered === undefined ? text : text.replace(registered, mask)
      return withoutRegistered
        .replace(privateKeyBlock, mask)
        .replace(secretHeader, `$1${mask}`)
        .replace(credentialsInUrl, `$1${mask}@`)
        .replace(secretField, `$1"${mask}"`)
    },
  }
}

function formsOf(secret: string | Uint8Array): readonly string[] {
  const plain = typeof secret === 'string' ? textForms(secret) : byteForms(Buffer.from(secret))
  return [...new Set(plain)].filter((form) => form.length >= shortestSecret)
}

function textForms(secret: string): string[] {
  const trimmed = secret.trim()
  return [secret, trimmed].flatMap((value) => {
    const inJson = JSON.stringify(value).slice(1, -1)
    // A message that quotes JSON is escaped twice.
    return [value, inJson, JSON.stringify(inJson).slice(1, -1), encodeURIComponent(value)]
  })
}

function byteForms(secret: Buffer): string[] {
  const hex = secret.toString('hex')
  const base64 = secret.toString('base64')
  const asNumbers = [...secret].join(',')
  return [hex, hex.toUpperCase(), base64, base64.replace(/=+$/, ''), secret.toString('base64url'), asNumbers]
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
