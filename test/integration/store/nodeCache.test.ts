import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { StoreTransaction } from '../../../src/engine/ports.ts'
import { openStore, type SqliteStore } from '../../../src/engine/store/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { NodeId } from '../../../src/shared/model/ids.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { aNode } from '../../fakes/aNode.ts'

let directory: string
let store: SqliteStore
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-cache-'))
  store = await openStore({ databaseFile: join(directory, 'db'), backupsDirectory: directory, clock: systemClock })
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

const idOf = (number: number) => NodeId.parse(`01900000-0000-7000-8000-${String(number).padStart(12, '0')}`)
const node = (number: number, name: string, user = 'sync') => aNode({ id: idOf(number), name, user })

/** What another program finds in the file, in the order of the database. */
function inTheFile(): FleetNode[] {
  const database = new BetterSqlite3(join(directory, 'db'), { readonly: true })
  try {
    const bodies = database.prepare('SELECT body FROM nodes ORDER BY name').pluck().all() as string[]
    return bodies.map((body) => JSON.parse(body) as FleetNode)
  } finally {
    database.close()
  }
}

interface Step {
  readonly what: 'save' | 'rename' | 'remove'
  readonly number: number
}
interface Body {
  readonly steps: readonly Step[]
  readonly fails: boolean
}

const anyBody: fc.Arbitrary<Body> = fc.record({
  steps: fc.array(
    fc.record({ what: fc.constantFrom('save' as const, 'rename' as const, 'remove' as const), number: fc.nat(5) }),
    { maxLength: 4 },
  ),
  fails: fc.boolean(),
})

it('what is kept in memory of nodes is what is in the file, for transactions too, whichever of a group fail', async () => {
  let serial = 0
  const play = async (transaction: StoreTransaction, { steps, fails }: Body): Promise<void> => {
    for (const { what, number } of steps) {
      serial += 1
      const name = what === 'rename' ? `é-${serial}-\u{1f600}` : `node-${number}`
      const saved = node(number, name, `user${serial}`)
      if (what === 'remove') await transaction.removeNode(idOf(number))
      else await transaction.saveNode(saved)
      expect(await transaction.getNode(idOf(number))).toEqual(what === 'remove' ? null : saved)
      const listed = await transaction.listNodes()
      expect(listed.filter(({ id }) => id === idOf(number))).toEqual(what === 'remove' ? [] : [saved])
      for (const each of listed) expect(await transaction.getNode(each.id)).toBe(each)
      expect(listed.map(({ name: text }) => Buffer.from(text))).toEqual(
        listed.map(({ name: text }) => Buffer.from(text)).toSorted(Buffer.compare),
      )
    }
    if (fails) throw new Error('changed its mind')
  }
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(anyBody, { maxLength: 4 }), { maxLength: 4 }), async (groups) => {
      for (const group of groups) {
        // Asked for in one turn, so they are committed together.
        await Promise.allSettled(group.map((body) => store.transact((transaction) => play(transaction, body))))
        expect(await store.listNodes()).toEqual(inTheFile())
        for (const each of await store.listNodes()) expect(await store.getNode(each.id)).toEqual(each)
      }
    }),
    { numRuns: 40 },
  )
}, 60_000)

it('a transaction sees what one before it in the same group has written', async () => {
  await store.listNodes()
  const seen: (string | undefined)[] = []
  await Promise.all([
    store.transact((transaction) => transaction.saveNode(node(1, 'one'))),
    store.transact(async (transaction) => {
      seen.push((await transaction.getNode(idOf(1)))?.name, (await transaction.listNodes())[0]?.name)
      await transaction.removeNode(idOf(1))
    }),
    store.transact(async (transaction) => seen.push((await transaction.getNode(idOf(1)))?.name)),
  ])
  expect(seen).toEqual(['one', 'one', undefined])
  expect(await store.listNodes()).toEqual([])
})

it('is read anew after a group that the database gave up', async () => {
  await store.transact((transaction) => transaction.saveNode(node(1, 'one')))
  expect(await store.listNodes()).toHaveLength(1)
  const writer = new BetterSqlite3(join(directory, 'db'))
  writer.exec(`CREATE TRIGGER full BEFORE INSERT ON settings BEGIN SELECT RAISE(ROLLBACK, 'gone'); END`)
  writer.close()
  const results = await Promise.allSettled([
    store.transact((transaction) => transaction.saveNode(node(2, 'two'))),
    store.transact((transaction) => transaction.setSetting('a', 'b')),
  ])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await store.listNodes()).toEqual(inTheFile())
  await store.transact((transaction) => transaction.saveNode(node(3, 'three')))
  expect((await store.listNodes()).map(({ name }) => name)).toEqual(['one', 'three'])
})
