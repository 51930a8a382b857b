import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthorities } from '../src/engine/pki/authorities.ts'
import { createCertificateAuthority } from '../src/engine/pki/signing.ts'
import type { CertificateAuthority, SigningRequest } from '../src/engine/ports.ts'
import { openStore, type SqliteStore } from '../src/engine/store/index.ts'
import { systemClock } from '../src/platform/clock.ts'
import { exec } from '../src/platform/exec.ts'
import { createIdSource } from '../src/platform/ids.ts'
import { type CertificateContent, certificateSigner, encodeCertificate } from '../src/platform/openssh/certificate.ts'
import { ed25519Blob, formatPublicKeyLine } from '../src/platform/openssh/publicKey.ts'
import { memoryVault } from '../test/support/trust.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'

const rounds = 5
const bareCertificates = 20_000
const peerProcesses = 100
const batchSize = 1_000
const batches = 5

/**
 * Signing certificates. The bare encoder against one `ssh-keygen -s` process each, which is what a script does, and
 * the whole pipeline (policy, serials, audit rows, validation, issue log, two synced commits a batch) against one
 * `ssh-keygen -s` that is given all keys at once and records nothing.
 */
export async function run(_options: BenchOptions): Promise<BenchReport> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-certs-'))
  try {
    const peer = await preparePeer(directory)
    const samples = [await bareSamples(peer), await pipelineSamples(directory, peer)]
    return { bench: 'certs', machine: thisMachine(), rows: samples.map(toRow) }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

interface Peer {
  readonly authorityKey: string
  readonly subjects: readonly string[]
  readonly blobs: readonly Buffer[]
}

async function preparePeer(directory: string): Promise<Peer> {
  const authorityKey = join(directory, 'ca')
  await exec({ command: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-f', authorityKey] })
  const blobs = Array.from({ length: batchSize }, () => ed25519Blob(generateKeyPairSync('ed25519').publicKey))
  const subjects = blobs.map((_, index) => join(directory, `subject-${index}.pub`))
  await Promise.all(subjects.map((path, index) => writeFile(path, `${formatPublicKeyLine(blobs[index] as Buffer)}\n`)))
  return { authorityKey, subjects, blobs }
}

/** Certificates a second. */
async function rate(count: number, work: () => void | Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (count * 1000) / (performance.now() - startedMs)
}

async function bareSamples(peer: Peer): Promise<Samples> {
  const signer = certificateSigner(generateKeyPairSync('ed25519').privateKey)
  const content = (serial: bigint): CertificateContent => ({
    type: 'user',
    subjectBlob: peer.blobs[0] as Buffer,
    serial,
    keyId: 'lockstep/automation/bench',
    principals: ['sync-agent'],
    validAfterSeconds: 1_700_000_000,
    validBeforeSeconds: 1_700_057_600,
    criticalOptions: {},
    extensions: {},
  })
  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    ours.push(
      await rate(bareCertificates, () => {
        for (let serial = 0; serial < bareCertificates; serial += 1) encodeCertificate(content(BigInt(serial)), signer)
      }),
    )
    theirs.push(
      await rate(peerProcesses, async () => {
        for (const subject of peer.subjects.slice(0, peerProcesses))
          await exec({ command: 'ssh-keygen', args: keygenArguments(peer, [subject]) })
      }),
    )
  }
  return {
    case: 'encode and sign one certificate',
    metric: 'rate',
    unit: '1/s',
    ours,
    peer: { name: 'ssh-keygen -s, a process each', samples: theirs },
  }
}

function keygenArguments({ authorityKey }: Peer, subjects: readonly string[]): string[] {
  return ['-q', '-s', authorityKey, '-I', 'bench', '-n', 'sync-agent', '-V', '-1m:+16h', '-O', 'clear', ...subjects]
}

async function pipelineSamples(directory: string, peer: Peer): Promise<Samples> {
  const { store, authority } = await openPipeline(directory)
  const ours: number[] = []
  const theirs: number[] = []
  try {
    await authority.sign(requestsFor(peer))
    for (let round = 0; round < rounds; round += 1) {
      ours.push(
        await rate(batchSize * batches, async () => {
          for (let batch = 0; batch < batches; batch += 1) await authority.sign(requestsFor(peer))
        }),
      )
      theirs.push(
        await rate(
          batchSize,
          async () => void (await exec({ command: 'ssh-keygen', args: keygenArguments(peer, peer.subjects) })),
        ),
      )
    }
  } finally {
    await store.close()
  }
  return {
    case: `whole pipeline, audited and committed in batches of ${batchSize}`,
    metric: 'rate',
    unit: '1/s',
    ours,
    peer: { name: 'ssh-keygen -s, one process, no record', samples: theirs },
  }
}

async function openPipeline(
  directory: string,
): Promise<{ readonly store: SqliteStore; readonly authority: CertificateAuthority }> {
  const keysDirectory = join(directory, 'keys')
  const backupsDirectory = join(directory, 'backups')
  await Promise.all([mkdir(keysDirectory), mkdir(backupsDirectory)])
  const store = await openStore({ databaseFile: join(directory, 'bench.db'), backupsDirectory, clock: systemClock })
  const authorities = createAuthorities({ keysDirectory, vault: memoryVault(), clock: systemClock, store })
  const authority = createCertificateAuthority({
    authorities,
    store,
    clock: systemClock,
    newId: createIdSource(systemClock),
  })
  return { store, authority }
}

function requestsFor(peer: Peer): SigningRequest[] {
  return peer.blobs.map((subjectPublicKey, index) => ({
    subjectPublicKey,
    keyId: `lockstep/automation/${index}`,
    principals: ['sync-agent'],
    purpose: 'automation',
    lifetimeSeconds: 57_600,
    requestedBy: 'bench',
    reason: 'bench',
  }))
}
