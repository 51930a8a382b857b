import { type DecodedCertificate, verifyCertificate } from '../openssh/certificate.ts'

/** What a certificate would allow, in the form a signing policy judges (see `checkCertificateRequest` in core/ca). */
export interface CertificateTerms {
  readonly keyId: string
  readonly principals: readonly string[]
  readonly lifetimeSeconds: number
  readonly extensions: readonly string[]
  readonly criticalOptions: Readonly<Record<string, string>>
}

/** Says what is wrong with terms; nothing means that they are allowed. */
export type CertificateJudge = (terms: CertificateTerms) => readonly { readonly message: string }[]

export interface ExpectedCertificate {
  readonly type: 'user' | 'host'
  /** Wire form of the key that was sent. */
  readonly publicKey: Uint8Array
  readonly keyId: string
  readonly principals: readonly string[]
  readonly lifetimeSeconds: number
  readonly extensions: readonly string[]
  readonly criticalOptions: Readonly<Record<string, string>>
  readonly judge: CertificateJudge
  /** Wire forms of the keys that may have signed. */
  readonly signers: readonly Uint8Array[]
  readonly nowMs: number
}

/** How far the clocks may be apart, and how much a certificate may be backdated (step-ca: one minute). */
const toleranceSeconds = 300

/**
 * Compares what an authority signed with what it was asked for: it must be that, nothing more, by a known signer, and
 * usable now (D2). Every flaw at once.
 */
export function certificateFlaws(certificate: DecodedCertificate, expected: ExpectedCertificate): string[] {
  return [
    ...subjectFlaws(certificate, expected),
    ...validityFlaws(certificate, expected),
    ...optionFlaws(certificate, expected),
    ...signatureFlaws(certificate, expected),
    ...expected.judge(termsOf(certificate, expected)).map(({ message }) => message),
  ]
}

function subjectFlaws(certificate: DecodedCertificate, expected: ExpectedCertificate): string[] {
  const flaws: string[] = []
  if (!Buffer.from(certificate.subjectBlob).equals(expected.publicKey)) flaws.push('it is about another key than ours')
  if (certificate.type !== expected.type)
    flaws.push(`it is a ${certificate.type} certificate; asked was for a ${expected.type} certificate`)
  if (certificate.keyId !== expected.keyId)
    flaws.push(`its key id is ${JSON.stringify(certificate.keyId)}; asked was for ${JSON.stringify(expected.keyId)}`)
  const [has, asked] = [certificate.principals, expected.principals].map((names) => JSON.stringify([...names].sort()))
  if (has !== asked) flaws.push(`its principals are ${has}; asked was for ${asked}`)
  return flaws
}

function validityFlaws(certificate: DecodedCertificate, expected: ExpectedCertificate): string[] {
  const { validAfterSeconds, validBeforeSeconds } = certificate
  const nowSeconds = expected.nowMs / 1000
  const flaws: string[] = []
  if (validAfterSeconds > nowSeconds)
    flaws.push(
      `it is valid in ${Math.ceil(validAfterSeconds - nowSeconds)} s only: compare the clocks of both machines`,
    )
  if (validBeforeSeconds <= nowSeconds)
    flaws.push(`it ended ${Math.floor(nowSeconds - validBeforeSeconds)} s ago: compare the clocks of both machines`)
  const longest = expected.lifetimeSeconds + toleranceSeconds
  if (validBeforeSeconds - validAfterSeconds > longest || validBeforeSeconds - nowSeconds > longest)
    flaws.push(`it lives longer than the ${expected.lifetimeSeconds} s that were asked for`)
  return flaws
}

/** What is lacking; what nobody asked for is for the judge to decide. A limit that is lacking is more than was asked. */
function optionFlaws(certificate: DecodedCertificate, expected: ExpectedCertificate): string[] {
  const lackingExtensions = expected.extensions.filter((name) => !Object.hasOwn(certificate.extensions, name))
  const lackingOptions = Object.entries(expected.criticalOptions)
    .filter(([name, value]) => certificate.criticalOptions[name] !== value)
    .map(([name]) => name)
  return [...lackingExtensions, ...lackingOptions].map(
    (name) => `it lacks ${name} as asked for: the template of the provisioner has to grant it`,
  )
}

function signatureFlaws(certificate: DecodedCertificate, expected: ExpectedCertificate): string[] {
  if (!expected.signers.some((signer) => certificate.signerBlob.equals(signer)))
    return ['it is signed by a key that is not among the SSH authority keys of this step-ca']
  return verifyCertificate(certificate) ? [] : ['its signature is wrong']
}

function termsOf(certificate: DecodedCertificate, expected: ExpectedCertificate): CertificateTerms {
  return {
    keyId: certificate.keyId,
    principals: certificate.principals,
    lifetimeSeconds: expected.lifetimeSeconds,
    extensions: Object.keys(certificate.extensions),
    criticalOptions: certificate.criticalOptions,
  }
}
