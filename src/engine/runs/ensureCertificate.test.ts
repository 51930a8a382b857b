import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aRun } from '../../../test/fakes/aRun.ts'
import { createManualClock, type ManualClock } from '../../../test/fakes/manualClock.ts'
import { certificateSigner, encodeCertificate, formatCertificateLine } from '../../platform/openssh/certificate.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import { CertificateId } from '../../shared/model/ids.ts'
import { createIdentities } from '../pki/identities.ts'
import type { Identities, SigningRequest } from '../ports.ts'
import { openStore, type SqliteStore } from '../store/index.ts'
import type { StepOutcome } from './executor.ts'
import { doState } from './steps.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

describe('the certificate of a run', () => {
  let clock: ManualClock
  let store: SqliteStore
  let identities: Identities
  let authorityIsAway: boolean
  const signer = certificateSigner(generateKeyPairSync('ed25519').privateKey)

  beforeEach(async () => {
    clock = createManualClock()
    store = await openStore({ databaseFile: ':memory:', backupsDirectory: '/nonexistent', clock })
    authorityIsAway = false
    identities = createIdentities({ authority: { sign }, clock, lifetimeSeconds: 16 * 3600, minValidSeconds: 3600 })
  })
  afterEach(() => store.close())

  let serial = 0n
  async function sign(requests: readonly SigningRequest[]): Promise<IssuedCertificate[]> {
    if (authorityIsAway) throw new AppError('AUTHORITY_UNREACHABLE', 'the step-ca is away')
    return requests.map((request) => {
      serial += 1n
      const validBefore = clock.nowMs() + request.lifetimeSeconds * 1000
      const blob = encodeCertificate(
        {
          type: 'user',
          subjectBlob: request.subjectPublicKey,
          serial,
          keyId: request.keyId,
          principals: request.principals,
          validAfterSeconds: Math.floor(clock.nowMs() / 1000),
          validBeforeSeconds: Math.floor(validBefore / 1000),
          criticalOptions: {},
          extensions: {},
        },
        signer,
      )
      return {
        id: CertificateId.parse('01900000-0000-7000-8000-0000000000ee'),
        serial: String(serial),
        issuer: 'embedded',
        keyId: request.keyId,
        principals: [...request.principals],
        purpose: request.purpose,
        nodeId: null,
        nodeName: null,
        requestedBy: '',
        reason: request.reason,
        subjectFingerprint: '',
        authorityFingerprint: 'SHA256:a',
        validAfter: clock.nowMs(),
        validBefore,
        extensions: [],
        criticalOptions: {},
        issuedAt: 0,
        certificate: formatCertificateLine(blob),
        revocation: null,
      }
    })
  }

  /** Successful runs of this plan on this node that took so long. */
  async function history(durationsMs: readonly number[]): Promise<void> {
    const summary = { filesTotal: 0, filesTransferred: 0, filesDeleted: 0, bytesTotal: 0, bytesTransferred: 0 }
    await store.transact(async (transaction) => {
      for (const [index, durationMs] of durationsMs.entries())
        await transaction.saveRun(
          aRun({
            id: `01900000-0000-7000-8000-${String(index + 100).padStart(12, '0')}`,
            idempotencyKey: `past-run-${index}`,
            status: 'succeeded',
            state: 'FINALIZE',
            summary: { ...summary, durationMs },
          }),
        )
    })
  }

  const ensure = (): Promise<StepOutcome> =>
    doState('ENSURE_CERT', {
      dependencies: {
        store,
        clock,
        identities,
        config: {
          maxParallelRuns: 1,
          errorAfterFailures: 3,
          retryDelayMs: 0,
          certificate: { minValidSeconds: 3600, lifetimeSeconds: 16 * 3600 },
        },
      },
      executor: undefined as never,
      memory: null,
      context: {
        run: aRun(),
        node: aNode(),
        plan: undefined as never,
        signal: new AbortController().signal,
        log: () => undefined,
        output: () => undefined,
        progress: () => undefined,
      },
    })
  const serialOf = (outcome: StepOutcome): unknown => outcome.patch?.certificateSerial

  it('S0.38 is kept while more than min_valid_seconds are left, and replaced under that', async () => {
    const first = serialOf(await ensure())
    clock.advance(15 * hourMs)
    expect(serialOf(await ensure())).toBe(first)
    clock.advance(1)
    expect(serialOf(await ensure())).not.toBe(first)
  })

  it('S0.38 N2 is replaced before a run that would outlive it, as the 95th percentile of its past says', async () => {
    await history([...Array.from({ length: 18 }, () => minuteMs), 3 * hourMs, 9 * hourMs])
    const first = serialOf(await ensure())
    clock.advance(9.9 * hourMs)
    expect(serialOf(await ensure())).toBe(first)
    clock.advance(0.2 * hourMs)
    expect(serialOf(await ensure())).not.toBe(first)
  })

  it('S0.26 S0.45 while the authority is away, a certificate that covers the run goes on, and one that does not is said so', async () => {
    await history([10 * minuteMs])
    const first = serialOf(await ensure())
    clock.advance(15.5 * hourMs)
    authorityIsAway = true
    expect(serialOf(await ensure())).toBe(first)
    clock.advance(15 * minuteMs)
    expect(await ensure()).toMatchObject({ kind: 'retry', diagnosis: { code: 'AUTHORITY_UNREACHABLE' } })
    authorityIsAway = false
    expect(serialOf(await ensure())).not.toBe(first)
  })
})
