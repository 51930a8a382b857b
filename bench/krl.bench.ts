import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RevokedCertificate, revokedSerials } from '../src/core/ca/revocation.ts'
import { exec } from '../src/platform/exec.ts'
import { decodeKrl, encodeKrl } from '../src/platform/openssh/krl.ts'
import { ed25519Blob, fingerprintOf, formatPublicKeyLine } from '../src/platform/openssh/publicKey.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'

const rounds = 15
const cases = [
  { revoked: 100, issued: 10_000 },
  { revoked: 10_000, issued: 1_000_000 },
] as const

/**
 * Making a revocation list: from rows of the issue log to the bytes for the nodes, against `ssh-keygen -k` with the same
 * serials in a file. Its time holds the start of a process and two files, which is what calling it costs. Both lists
 * are read back and must hold the same.
 */
export async function run(_options: BenchOptions): Promise<BenchReport> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-krl-'))
  try {
    const samples: Samples[] = []
    for (const one of cases) samples.push(...(await measure(directory, one)))
    return { bench: 'krl', machine: thisMachine(), rows: samples.map(toRow) }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function measure(directory: string, { revoked, issued }: (typeof cases)[number]): Promise<Samples[]> {
  const publicKeyBlob = ed25519Blob(generateKeyPairSync('ed25519').publicKey)
  const rows = revokedRows(revoked, issued, fingerprintOf(publicKeyBlob))
  const peer = await preparePeer(directory, publicKeyBlob, rows)
  const times = { ours: [] as number[], theirs: [] as number[] }
  const ours = encodeList(rows, publicKeyBlob)
  for (let round = 0; round < rounds; round += 1) {
    times.ours.push(await milliseconds(() => encodeList(rows, publicKeyBlob)))
    times.theirs.push(await milliseconds(() => exec({ command: 'ssh-keygen', args: peer.arguments })))
  }
  const theirs = await readFile(peer.list)
  assertSame(ours, theirs)
  const name = `${revoked.toLocaleString('en')} revoked of ${issued.toLocaleString('en')}`
  return [
    {
      case: name,
      metric: 'time',
      unit: 'ms',
      ours: times.ours,
      peer: { name: 'ssh-keygen -k', samples: times.theirs },
    },
    {
      case: name,
      metric: 'size',
      unit: 'B',
      ours: [ours.length],
      peer: { name: 'ssh-keygen -k', samples: [theirs.length] },
    },
  ]
}

/** Serials as people revoke them: here and there, in no order. The same ones every time. */
function revokedRows(revoked: number, issued: number, authorityFingerprint: string): RevokedCertificate[] {
  const serials = new Set<number>()
  for (let state = 1; serials.size < revoked; state = (state * 48_271) % 2_147_483_647)
    serials.add((state % issued) + 1)
  return Array.from(serials, (serial) => ({ serial: String(serial), authorityFingerprint, validBefore: null }))
}

function encodeList(rows: readonly RevokedCertificate[], publicKeyBlob: Buffer): Buffer {
  const authorities = revokedSerials(rows, 0).map(({ serials }) => ({ publicKeyBlob, serials, keyIds: [] }))
  return encodeKrl({ version: 1n, generatedAtSeconds: 1_700_000_000, comment: '', authorities })
}

async function preparePeer(
  directory: string,
  publicKeyBlob: Buffer,
  rows: readonly RevokedCertificate[],
): Promise<{ readonly list: string; readonly arguments: string[] }> {
  const list = join(directory, 'list.krl')
  const authority = join(directory, 'authority.pub')
  const specification = join(directory, 'serials')
  await writeFile(authority, `${formatPublicKeyLine(publicKeyBlob)}\n`)
  await writeFile(specification, rows.map(({ serial }) => `serial: ${serial}\n`).join(''))
  return { list, arguments: ['-q', '-k', '-f', list, '-s', authority, '-z', '1', specification] }
}

async function milliseconds(work: () => unknown): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

function assertSame(ours: Uint8Array, theirs: Uint8Array): void {
  const [held, expected] = [ours, theirs].map((list) =>
    [...(decodeKrl(list).authorities[0]?.serials.ranges() ?? [])].map(({ first, last }) => `${first}-${last}`).join(),
  )
  if (held !== expected) throw new Error('the two lists do not hold the same serials')
}
