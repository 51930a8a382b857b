import { randomUUID } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSubjectKey } from '../src/engine/pki/identities.ts'
import { createPki } from '../src/engine/pki/pki.ts'
import { openStore } from '../src/engine/store/index.ts'
import { systemClock } from '../src/platform/clock.ts'
import { createIdSource } from '../src/platform/ids.ts'
import { receivedKeyVault } from '../src/platform/keyVault.ts'
import { createLogging } from '../src/platform/logger.ts'
import { homePaths, prepareHome } from '../src/platform/paths.ts'
import type { CertificateId } from '../src/shared/model/ids.ts'
import { IdempotencyKey } from '../src/shared/model/ids.ts'
import { PlanInput } from '../src/shared/model/plan.ts'
import { startTestEngine, type TestEngine, testVaultKey } from '../test/support/engine.ts'
import { waitFor } from '../test/support/waitFor.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, toRow } from './report.ts'

const issuedCertificates = 10_000
const batchSize = 1_000
const revokedCertificates = 100

/**
 * 10,000 certificates issued, 100 revoked, and the list delivered to 50 demo nodes of this very machine: switched on
 * with a reload of each sshd, then replaced by the next version. Every node counts only when it was proven: the list
 * read back, obeyed according to sshd, a revoked certificate refused and its twin let in. `--nodes N` changes how many.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const wanted = args.indexOf('--nodes')
  const nodes = wanted < 0 ? 50 : Number(args[wanted + 1])
  const homeDirectory = await mkdtemp(join(tmpdir(), 'ls-krl-'))
  const ids = await issueAndRevoke(homeDirectory)
  const engine = await startTestEngine({ homeDirectory, config: { reconcileIntervalMs: 86_400_000 } })
  try {
    await engine.client.demo.up({ nodes })
    const plan = PlanInput.parse({ name: 'krl', kind: 'krl', selector: '*', spec: {} })
    await engine.client.plans.apply({ plans: [plan] })
    const first = await timed(async () => {
      await push(engine)
      await proven(engine, { version: 1, nodes })
    })
    const second = await timed(async () => {
      const targets = { kind: 'certificates', ids: ids.slice(0, 1) } as const
      const { runs } = await engine.client.certificates.revoke({ targets, reason: 'bench' })
      if (runs === 0) await push(engine)
      await proven(engine, { version: 2, nodes })
    })
    const label = `${nodes} nodes, ${issuedCertificates} certificates, ${revokedCertificates} revoked`
    const rows = [
      { case: label, metric: 'list switched on, proven on each', unit: 'ms', ours: [first] },
      { case: label, metric: 'next list, proven on each', unit: 'ms', ours: [second] },
    ]
    return { bench: 'krlDelivery', machine: thisMachine(), rows: rows.map(toRow) }
  } finally {
    await engine.dispose()
  }
}

/** Through the whole pipeline, in the home that the engine will find. @returns certificates that still count */
async function issueAndRevoke(directory: string): Promise<CertificateId[]> {
  const home = homePaths(directory)
  await prepareHome(home)
  const { logger, close } = createLogging({ level: 'fatal', sinks: [] })
  const { databaseFile, backupsDirectory, keysDirectory } = home
  const store = await openStore({ databaseFile, backupsDirectory, clock: systemClock, logger })
  try {
    const newId = createIdSource(systemClock)
    const vault = receivedKeyVault(Buffer.from(testVaultKey))
    const pki = createPki({ keysDirectory, vault, store, clock: systemClock, newId, principals: ['sync-agent'] })
    const issued: CertificateId[] = []
    for (let done = 0; done < issuedCertificates; done += batchSize) {
      const requests = Array.from({ length: batchSize }, (_, index) => ({
        subjectPublicKey: createSubjectKey().publicKeyBlob,
        keyId: `bench/${done + index}`,
        principals: ['sync-agent'],
        purpose: 'external' as const,
        lifetimeSeconds: 8 * 3_600,
        requestedBy: 'bench',
        reason: 'bench',
      }))
      issued.push(...(await pki.authority.sign(requests)).map(({ id }) => id))
    }
    // Spread, as in life: neighbours would make a shorter list.
    const spread = issued.filter((_, index) => index % (issuedCertificates / revokedCertificates) === 0)
    await pki.revocations.revoke(spread, { by: 'bench', reason: 'bench' })
    return issued.filter((id) => !spread.includes(id))
  } finally {
    await store.close()
    close()
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

async function push(engine: TestEngine): Promise<void> {
  await engine.client.runs.push({
    idempotencyKey: IdempotencyKey.parse(`bench-${randomUUID()}`),
    plans: ['krl'],
    targets: { kind: 'all' },
  })
}

function proven(engine: TestEngine, wanted: { readonly version: number; readonly nodes: number }): Promise<boolean> {
  return waitFor(
    `list ${wanted.version} on ${wanted.nodes} nodes`,
    async () => {
      const known = await engine.client.nodes.list({ filter: '' })
      const done = known.filter(({ krl }) => krl !== null && krl.version >= wanted.version)
      if (done.length === wanted.nodes) return true
      const reasons = known.flatMap(({ statusReason }) => statusReason?.sentence ?? [])
      throw new Error(`${done.length} proven; ${reasons[0] ?? ''}`)
    },
    { timeoutMs: 600_000, intervalMs: 50 },
  )
}
