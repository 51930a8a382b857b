import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ContentDigest, refreshMadePlans } from '../../../src/engine/fleet/madePlans.ts'
import { createPki, type Pki } from '../../../src/engine/pki/pki.ts'
import { openStore, type SqliteStore } from '../../../src/engine/store/index.ts'
import { type Clock, systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import type { KeyVault } from '../../../src/platform/keyVault.ts'
import { toAppError } from '../../../src/shared/errors.ts'
import { memoryVault } from '../../support/trust.ts'

/** Where the process dies: before the n-th transaction from now is written, or right after. */
export interface CrashPoint {
  readonly at: number
  readonly when: 'before' | 'after'
}

export interface PkiRig {
  readonly keysDirectory: string
  readonly store: SqliteStore
  pki: Pki
  /** What a new process finds on disk. */
  reopen(options?: { readonly vault?: KeyVault }): Promise<Pki>
  /** The same, with transactions that end like a process that dies. @returns how many transactions there were */
  dying(point: CrashPoint): Promise<{ readonly pki: Pki; transactions(): number }>
  dispose(): Promise<void>
}

export interface PkiRigOptions {
  readonly vault?: KeyVault
  readonly clock?: Clock
  readonly principals?: readonly string[]
}

/** Everything that signs, over a real database and real key files. */
export async function createPkiRig(options: PkiRigOptions = {}): Promise<PkiRig> {
  const { clock = systemClock, vault = memoryVault(), principals = ['sync-agent'] } = options
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-pki-'))
  const keysDirectory = join(directory, 'keys')
  await mkdir(keysDirectory, { mode: 0o700 })
  const databaseFile = join(directory, 'db.sqlite')
  const store = await openStore({ databaseFile, backupsDirectory: join(directory, 'backups'), clock })
  const newId = createIdSource(clock)
  const make = async (over: { readonly vault?: KeyVault; readonly store?: SqliteStore } = {}): Promise<Pki> => {
    const pki: Pki = createPki({
      keysDirectory,
      vault: over.vault ?? vault,
      store: over.store ?? store,
      clock,
      newId,
      principals,
      onChange: async (transaction) => {
        const options = { contentDigest: contentDigestOf(pki), nowMs: clock.nowMs() }
        await refreshMadePlans(transaction, ['krl', 'trust'], options)
      },
    })
    return pki
  }
  const rig: PkiRig = {
    keysDirectory,
    store,
    pki: await make(),
    reopen: async (over) => {
      rig.pki = await make(over)
      return rig.pki
    },
    dying: async (point) => {
      const wrapped = dyingStore(store, point)
      return { pki: await make({ store: wrapped.store }), transactions: wrapped.count }
    },
    dispose: async () => {
      await store.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return rig
}

export class Died extends Error {}

/** After its crash point nothing of this process reaches the database any more. */
function dyingStore(store: SqliteStore, { at, when }: CrashPoint): { store: SqliteStore; count: () => number } {
  let transactions = 0
  const transact: SqliteStore['transact'] = async (body) => {
    transactions += 1
    if (transactions > at || (transactions === at && when === 'before')) throw new Died()
    const result = await store.transact(body)
    if (transactions === at) throw new Died()
    return result
  }
  const proxy = new Proxy(store, {
    get: (target, name) => {
      if (name === 'transact') return transact
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store: proxy, count: () => transactions }
}

export const failureOf = (promise: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  promise.then(
    () => ({ code: 'none', message: '' }),
    (error: unknown) => toAppError(error),
  )

/** For plans whose content is keys and revocations; a rig of the pki has no registry. */
export const contentDigestOf =
  (pki: Pki): ContentDigest =>
  async (reader, { kind }) => {
    if (kind === 'krl' || kind === 'trust') return pki.contentDigest(reader, kind)
    throw new Error(`no content for plans of kind ${kind} here`)
  }
