import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import { IdempotencyKey, type RolloutId } from '../../../src/shared/model/ids.ts'
import { type Rollout, RolloutSettings } from '../../../src/shared/model/rollout.ts'
import { isFinal, type Run } from '../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { waitFor } from '../../support/waitFor.ts'

let test: TestEngine
let keys = 0
const nextKey = (): IdempotencyKey => {
  keys += 1
  return IdempotencyKey.parse(`rollout-test-${keys}`)
}
const finished = (id: RolloutId): Promise<Rollout> =>
  waitFor(
    'the rollout to finish',
    async () => {
      const { rollout } = await test.client.rollouts.get({ id })
      if (rollout.finishedAt !== null) return rollout
      throw new Error(JSON.stringify(rollout))
    },
    { timeoutMs: 40_000 },
  )

const lockedAt = (run: Run | undefined): number =>
  run?.visits.findLast(({ state, outcome }) => state === 'ACQUIRE_LOCK' && outcome === 'done')?.leftAt ?? 0
const byLock = (left: Run, right: Run): number => lockedAt(left) - lockedAt(right)

describe('a rollout over real servers', () => {
  beforeAll(async () => {
    test = await startTestEngine({ config: { unreachableProbeIntervalMs: 300 } })
    await test.client.demo.up({ nodes: 4 })
  }, 60_000)
  afterAll(() => test.dispose(), 60_000)

  it('S1F.1 S1.13 goes to the canary, then to the rest, and every node is green because it was read back', async () => {
    const [plan] = await test.client.plans.list()
    const settings = RolloutSettings.parse({ canary: { kind: 'count', count: 1 }, maxParallel: 2 })
    const key = nextKey()
    const order = { idempotencyKey: key, plans: [plan?.name ?? ''], targets: { kind: 'all' as const }, settings }
    const begun = await test.client.rollouts.start(order)
    expect(begun).toMatchObject({ status: 'running', canaryEnd: 1, started: 1 })
    expect((await test.client.rollouts.start(order)).id).toBe(begun.id)
    expect(await finished(begun.id)).toMatchObject({ status: 'finished', counts: { succeeded: 4, failed: 0 } })
    const { runs } = await test.client.rollouts.get({ id: begun.id })
    expect(runs.map(({ status, rolloutId }) => [status, rolloutId])).toEqual(runs.map(() => ['succeeded', begun.id]))
    const byStart = [...runs].sort((left, right) => (left.startedAt ?? 0) - (right.startedAt ?? 0))
    expect(byStart[0]?.nodeId).toBe(begun.nodes[0])
    expect(byStart[1]?.startedAt).toBeGreaterThanOrEqual(byStart[0]?.finishedAt ?? Number.POSITIVE_INFINITY)
    for (const node of await test.client.nodes.list({ filter: '' }))
      expect(computeTile(node, Date.now()).fill).toBe('in-step')
  })

  it('S1F.1 S1.6 is taken up by the next engine after a stop in the middle', async () => {
    const settings = RolloutSettings.parse({ maxParallel: 1 })
    const begun = await test.client.rollouts.start({
      idempotencyKey: nextKey(),
      plans: ['demo-site'],
      targets: { kind: 'all' },
      settings,
    })
    await waitFor('the second node', async () => {
      const { rollout } = await test.client.rollouts.get({ id: begun.id })
      return rollout.started > 1
    })
    test = await test.restart()
    expect(await finished(begun.id)).toMatchObject({ status: 'finished', counts: { succeeded: 4 } })
    const { runs } = await test.client.rollouts.get({ id: begun.id })
    expect(runs.map(({ nodeId }) => nodeId).sort()).toEqual([...begun.nodes].sort())
  })

  it('S1.13 S1F.6 two operators who press resync at once have runs of their own, one after another on each node', async () => {
    const pushed = await Promise.all(
      [nextKey(), nextKey()].map((idempotencyKey) =>
        test.client.runs.push({ idempotencyKey, plans: ['demo-site'], targets: { kind: 'all' } }),
      ),
    )
    const asked = pushed.map(({ runs }) => runs.map(({ id }) => id))
    expect(asked.map((ids) => ids.length)).toEqual([4, 4])
    expect(new Set(asked.flat()).size).toBe(8)
    const ended = await Promise.all(
      asked.flat().map((runId) =>
        waitFor(
          `run ${runId}`,
          async () => {
            const run = await test.client.runs.get({ runId })
            return isFinal(run.status) ? run : false
          },
          { timeoutMs: 40_000 },
        ),
      ),
    )
    expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'succeeded'))
    for (const node of await test.client.nodes.list({ filter: '' })) {
      expect(computeTile(node, Date.now()).fill).toBe('in-step')
      const [first, second] = ended.filter(({ nodeId }) => nodeId === node.id).sort(byLock)
      expect(lockedAt(second)).toBeGreaterThanOrEqual(first?.finishedAt ?? Number.POSITIVE_INFINITY)
    }
  })

  it('S1.72 S1.7 a node that does not answer holds nobody, and is green by itself when it is back', async () => {
    const nodes = await test.client.nodes.list({ filter: '' })
    const lost = nodes[0]?.name ?? ''
    await test.client.demo.fault({ node: lost, fault: 'offline' })
    const begun = await test.client.rollouts.start({
      idempotencyKey: nextKey(),
      plans: ['demo-site'],
      targets: { kind: 'all' },
      settings: RolloutSettings.parse({ failureLimit: { kind: 'count', count: 1 } }),
    })
    expect(await finished(begun.id)).toMatchObject({ status: 'finished', counts: { succeeded: 3, unreachable: 1 } })
    expect((await test.node(lost)).status).toBe('pending_sync')
    await test.client.demo.heal({ node: lost })
    await waitFor(
      `${lost} to be green`,
      async () => computeTile(await test.node(lost), Date.now()).fill === 'in-step',
      {
        timeoutMs: 30_000,
      },
    )
  })
})
