import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertificateContent,
  type CertificateSigner,
  certificateSigner,
  decodeCertificate,
  encodeCertificate,
  formatCertificateLine,
} from '../../../src/platform/openssh/certificate.ts'
import { decodeKrl, encodeKrl, isRevoked, type KrlContent } from '../../../src/platform/openssh/krl.ts'
import { mergeSerials, type SerialRange } from '../../../src/platform/openssh/krlSerials.ts'
import { ed25519Blob, fingerprintOf, formatPublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { keygen, keygenMissing, type ListedKrl, queryKrl } from './keygen.ts'

if (keygenMissing !== null) console.warn(`skipped: ${keygenMissing}`)

const largest = 2n ** 64n - 1n
const newSigner = (): CertificateSigner => certificateSigner(generateKeyPairSync('ed25519').privateKey)
const signers = [newSigner(), newSigner()]
const [signer = newSigner()] = signers
const subjects = Array.from({ length: 6 }, () => ed25519Blob(generateKeyPairSync('ed25519').publicKey))

const serial = fc.oneof(
  fc.bigInt({ min: 1n, max: 300n }),
  fc.bigInt({ min: 1n, max: 50_000n }),
  fc.bigInt({ min: 1n, max: largest }),
  fc.bigInt({ min: largest - 300n, max: largest }),
)
const range = fc.tuple(serial, fc.oneof(fc.bigInt({ min: 0n, max: 30_000n }), fc.bigInt({ min: 0n, max: largest })))
const serialOrRange = fc.oneof(
  { weight: 9, arbitrary: serial },
  {
    weight: 1,
    arbitrary: range.map(([first, more]) => ({ first, last: first + more > largest ? largest : first + more })),
  },
)
const keyIds = ['lockstep/node-1', 'two words', 'ключ', '漢字', 'quote "\\ :', '-x', 'ä', '🙂']
const fingerprints = subjects.map(fingerprintOf)

const content: fc.Arbitrary<KrlContent> = fc.record({
  version: fc.bigInt({ min: 0n, max: largest }),
  generatedAtSeconds: fc.integer({ min: 1, max: 2_000_000_000 }),
  comment: fc.constantFrom('', 'lockstep', 'zwei Wörter "\\'),
  authorities: fc.subarray([...signers.map(({ publicBlob }) => publicBlob), null]).chain((blobs) =>
    fc.tuple(
      ...blobs.map((publicKeyBlob) =>
        fc.record({
          publicKeyBlob: fc.constant(publicKeyBlob),
          serials: fc.oneof(fc.array(serialOrRange, { maxLength: 40 }), fc.array(serialOrRange, { maxLength: 400 })),
          keyIds: fc.subarray(keyIds, { maxLength: 3 }),
        }),
      ),
    ),
  ),
  explicitKeys: fc.subarray(subjects, { maxLength: 1 }),
  fingerprints: fc.subarray(fingerprints, { maxLength: 1 }),
})

const utc = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '')
const shown = ({ first, last }: SerialRange): string => (first === last ? `${first}` : `${first}-${last}`)
const byBytes = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right))

function expectedListing(krl: KrlContent): ListedKrl {
  const authorities = krl.authorities
    .filter((one) => one.serials.length > 0 || one.keyIds.length > 0)
    .map(({ publicKeyBlob, serials, keyIds }) => {
      const name = publicKeyBlob === null ? '*' : fingerprintOf(publicKeyBlob)
      return [name, { serials: mergeSerials(serials).map(shown), keyIds: [...keyIds].sort(byBytes) }] as const
    })
  return {
    version: String(krl.version),
    generatedAt: utc(krl.generatedAtSeconds),
    comment: krl.comment,
    hashes: [
      ...(krl.explicitKeys ?? []).map((key) => `${fingerprintOf(key)} # ssh-ed25519`),
      ...(krl.fingerprints ?? []).map((one) => `SHA256:${Buffer.from(one.slice(7), 'base64').toString('hex')}`),
    ],
    authorities: Object.fromEntries(authorities),
  }
}

/** Straight from what was asked for, without a list in between. */
function shouldBeRevoked(krl: KrlContent, { content, by }: Candidate): boolean {
  return (
    (krl.explicitKeys ?? []).includes(content.subjectBlob) ||
    (krl.fingerprints ?? []).includes(fingerprintOf(content.subjectBlob)) ||
    krl.authorities.some(
      ({ publicKeyBlob, serials, keyIds }) =>
        (publicKeyBlob === null || publicKeyBlob === by.publicBlob) &&
        (keyIds.includes(content.keyId) ||
          serials.some((one) =>
            typeof one === 'bigint'
              ? one === content.serial
              : one.first <= content.serial && content.serial <= one.last,
          )),
    )
  )
}

interface Candidate {
  readonly content: CertificateContent
  readonly by: CertificateSigner
}

/** Certificates around the edges of what is revoked, where an error would show. */
function candidates(krl: KrlContent): fc.Arbitrary<Candidate[]> {
  const edges = krl.authorities
    .flatMap(({ serials }) => mergeSerials(serials))
    .flatMap(({ first, last }) => [first - 1n, first, last, last + 1n])
    .filter((edge) => edge <= largest)
  const candidate = fc.record({
    by: fc.constantFrom(...signers),
    content: fc.record({
      type: fc.constantFrom('user' as const, 'host' as const),
      subjectBlob: fc.constantFrom(...subjects),
      serial: fc.constantFrom(0n, 1n, largest, ...edges),
      keyId: fc.constantFrom(...keyIds, 'nobody'),
      principals: fc.constant(['sync-agent']),
      validAfterSeconds: fc.constant(1_700_000_000),
      validBeforeSeconds: fc.constant(1_800_000_000),
      criticalOptions: fc.constant({}),
      extensions: fc.constant({}),
    }),
  })
  return fc.array(candidate, { minLength: 4, maxLength: 4 })
}

describe.skipIf(keygenMissing !== null)('revocation lists before the judge: ssh-keygen', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-krl-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  const writeCertificate = async (name: string, { content, by }: Candidate): Promise<string> => {
    const path = join(directory, `${name}-cert.pub`)
    await writeFile(path, `${formatCertificateLine(encodeCertificate(content, by))}\n`)
    return path
  }

  it('U9 F55 F56 500 random lists hold exactly what was revoked, and refuse exactly those certificates', async () => {
    const path = join(directory, 'random.krl')
    const seen = { revoked: 0, accepted: 0 }
    for (const [index, wanted] of fc.sample(content, { numRuns: 500, seed: 20260108 }).entries()) {
      const bytes = encodeKrl(wanted)
      await writeFile(path, bytes)
      const [chosen = []] = fc.sample(candidates(wanted), { numRuns: 1, seed: index })
      const paths = await Promise.all(chosen.map((one, which) => writeCertificate(`random-${which}`, one)))
      const { listed, revoked } = queryKrl(path, paths)
      expect(listed).toEqual(expectedListing(wanted))
      expect(revoked).toEqual(chosen.map((one) => shouldBeRevoked(wanted, one)))
      const read = decodeKrl(bytes)
      const ours = chosen.map((one) => isRevoked(read, decodeCertificate(encodeCertificate(one.content, one.by))))
      expect(ours).toEqual(revoked)
      for (const one of revoked) seen[one ? 'revoked' : 'accepted'] += 1
    }
    expect(Math.min(seen.revoked, seen.accepted)).toBeGreaterThan(400)
  })

  it('F56 an empty list is one that ssh-keygen reads, and it revokes nobody', async () => {
    const path = join(directory, 'empty.krl')
    await writeFile(path, encodeKrl({ version: 0n, generatedAtSeconds: 1_700_000_000, comment: '', authorities: [] }))
    const [chosen = []] = fc.sample(candidates({ version: 0n, generatedAtSeconds: 0, comment: '', authorities: [] }), 1)
    const paths = await Promise.all(chosen.map((one, which) => writeCertificate(`empty-${which}`, one)))
    expect(queryKrl(path, paths)).toEqual({
      listed: { version: '0', generatedAt: '20231114T221320', comment: '', hashes: [], authorities: {} },
      revoked: chosen.map(() => false),
    })
  })

  it.each([16_383, 16_384, 16_385, 32_768])('F56 serials spread over %s bits stay readable', async (bits) => {
    const serials = Array.from({ length: bits }, (_, index) => BigInt(index) + 5n).filter(
      (one) => one % 3n !== 1n || one === 5n || one === BigInt(bits) + 4n,
    )
    const path = join(directory, 'wide.krl')
    const authorities = [{ publicKeyBlob: signer.publicBlob, serials, keyIds: [] }]
    await writeFile(path, encodeKrl({ version: 1n, generatedAtSeconds: 1, comment: '', authorities }))
    const listed = queryKrl(path, []).listed.authorities[fingerprintOf(signer.publicBlob)]
    expect(listed?.serials).toEqual(mergeSerials(serials).map(shown))
  })

  it('U9 F56 reads the lists that ssh-keygen makes, and never writes a larger one', async () => {
    const authorityPath = join(directory, 'authority.pub')
    await writeFile(authorityPath, `${formatPublicKeyLine(signer.publicBlob)}\n`)
    const some = fc.array(fc.oneof(serialOrRange, fc.bigInt({ min: 1n, max: 3_000n })), {
      minLength: 1,
      maxLength: 300,
    })
    for (const serials of fc.sample(some, { numRuns: 60, seed: 20260109 })) {
      const [path, specification] = [join(directory, 'theirs.krl'), join(directory, 'specification')]
      const lines = [...mergeSerials(serials).map((one) => `serial: ${shown(one)}`), ...keyIds.map((id) => `id: ${id}`)]
      await writeFile(specification, `${lines.join('\n')}\n`)
      keygen(['-q', '-k', '-f', path, '-s', authorityPath, '-z', '42', specification])
      const theirs = await readFile(path)
      const read = decodeKrl(theirs)
      expect(read.version).toBe(42n)
      expect(read.authorities).toHaveLength(1)
      expect([...(read.authorities[0]?.serials.ranges() ?? [])]).toEqual(mergeSerials(serials))
      expect(read.authorities[0]?.keyIds.toSorted(byBytes)).toEqual(keyIds.toSorted(byBytes))
      const authorities = [{ publicKeyBlob: signer.publicBlob, serials, keyIds }]
      const ours = encodeKrl({ version: 42n, generatedAtSeconds: 1, comment: '', authorities })
      expect(ours.length).toBeLessThanOrEqual(theirs.length)
    }
  })
})
