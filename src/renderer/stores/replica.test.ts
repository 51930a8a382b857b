import { afterEach, describe, expect, it } from 'vitest'
import type { IdempotencyKey } from '../../shared/model/ids.ts'
import { createFakeLink, type FakeLink } from '../api/links/fake.ts'
import { fakeNode, fakeNodes, fakePlan } from '../api/links/fakeFleet.ts'
import { createReplica, type Replica, type ReplicaState } from './replica.ts'

const nowMs = 1_800_000_000_000
const deadlineMs = 5000

const running: Replica[] = []
afterEach(() => {
  for (const replica of running.splice(0)) replica.stop()
})

function start(nodes = 3): {
  readonly link: FakeLink
  readonly replica: Replica
  readonly reached: (test: (state: ReplicaState) => boolean) => Promise<ReplicaState>
} {
  const link = createFakeLink({ nodes: fakeNodes(nodes, nowMs), plans: [fakePlan], nowMs: () => nowMs })
  const replica = createReplica(link, { flushIntervalMs: 5, minRetryMs: 1, maxRetryMs: 5 })
  running.push(replica)
  const reached = (test: (state: ReplicaState) => boolean): Promise<ReplicaState> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not reached: ${JSON.stringify({ ...replica.store.getState(), nodes: undefined })}`)),
        deadlineMs,
      )
      const look = (): boolean => {
        const state = replica.store.getState()
        if (!test(state)) return false
        clearTimeout(timer)
        resolve(state)
        return true
      }
      if (look()) return
      const unsubscribe = replica.store.subscribe(() => look() && unsubscribe())
    })
  return { link, replica, reached }
}

const live = (state: ReplicaState): boolean => state.connection === 'live'

/** Every connection word the store has shown, in order. */
function connectionsOf(replica: Replica): string[] {
  const seen: string[] = [replica.store.getState().connection]
  replica.store.subscribe(({ connection }) => {
    if (seen.at(-1) !== connection) seen.push(connection)
  })
  return seen
}

describe('the replica', () => {
  it('starts from the snapshot and is live once the past was replayed', async () => {
    const { reached } = start()
    const state = await reached(live)
    expect(state.nodes.size).toBe(3)
    expect(state.plans.size).toBe(1)
    expect(state.engine?.instanceId).toBe('fake-1')
  })

  it('applies events in order and keeps the identity of what did not change', async () => {
    const { link, reached } = start()
    const before = await reached(live)
    const node = fakeNode(1, nowMs, 'error')
    link.engine.saveNode(node)
    const after = await reached((state) => state.seq === 1)
    expect(after.nodes.get(node.id)).toEqual(node)
    expect(after.plans).toBe(before.plans)
    expect(after.runs).toBe(before.runs)
  })

  it('follows agents from the snapshot on, and forgets those that were removed', async () => {
    const { link, reached } = start()
    const before = link.agents.add('idle')
    await reached((state) => live(state) && state.agents.get(before.id)?.activity.status === 'idle')
    link.agents.saveAgent({ ...before, activity: { status: 'locked-out', since: nowMs } })
    await reached((state) => state.agents.get(before.id)?.activity.status === 'locked-out')
    link.engine.commit({ kind: 'agent.removed', agentId: before.id })
    const after = await reached((state) => !state.agents.has(before.id))
    expect(after.agents.size).toBe(0)
  })

  it('says which lists to ask for again, and that of all of them after a gap', async () => {
    const { link, reached } = start()
    const { revisions } = await reached(live)
    link.engine.commit({ kind: 'gateway.changed' })
    const changed = await reached((state) => state.revisions.gateway > revisions.gateway)
    expect(changed.revisions).toEqual({ ...revisions, gateway: revisions.gateway + 1 })
    link.engine.send({ kind: 'gap', oldestSeq: 50, headSeq: 99 })
    await reached(
      (state) =>
        state.revisions.gateway > changed.revisions.gateway &&
        state.revisions.joinTokens > changed.revisions.joinTokens &&
        state.revisions.authorities > changed.revisions.authorities,
    )
  })

  it('takes an event that comes twice only once', async () => {
    const { link, reached } = start()
    await reached(live)
    const first = link.engine.saveNode({ ...fakeNode(1, nowMs), name: 'first' })
    const event = link.engine.events[0]
    if (event === undefined) throw new Error('no event')
    link.engine.saveNode({ ...first, name: 'second' })
    link.engine.send({ kind: 'event', event })
    link.engine.saveNode({ ...fakeNode(2, nowMs), name: 'third' })
    const state = await reached(({ seq }) => seq === 3)
    expect(state.nodes.get(first.id)?.name).toBe('second')
  })

  it.each([
    [
      'an event is missing',
      (link: FakeLink) =>
        link.engine.send({
          kind: 'event',
          event: { seq: 99, at: nowMs, change: { kind: 'node.saved', node: fakeNode(0, nowMs) } },
        }),
    ],
    ['the engine says gap', (link: FakeLink) => link.engine.send({ kind: 'gap', oldestSeq: 50, headSeq: 99 })],
    [
      'two heartbeats know of lost events',
      (link: FakeLink) => [1, 2].map(() => link.engine.send({ kind: 'heartbeat', seq: 42, at: nowMs })),
    ],
  ])('loads a new snapshot and says out of sync meanwhile when %s', async (_, disturb) => {
    const { link, replica, reached } = start()
    await reached(live)
    const seen = connectionsOf(replica)
    // Changed behind the back of the stream: only a new snapshot can show it.
    const hidden = { ...fakeNode(2, nowMs), name: 'seen only in a snapshot' }
    link.engine.nodes.set(hidden.id, hidden)
    disturb(link)
    const state = await reached((current) => live(current) && current.nodes.get(hidden.id)?.name === hidden.name)
    expect(state.seq).toBe(link.engine.seq)
    expect(seen).toEqual(['live', 'out-of-sync', 'live'])
  })

  it('does not reload for one heartbeat that overtakes its event', async () => {
    const { link, replica, reached } = start()
    await reached(live)
    const seen = connectionsOf(replica)
    link.engine.send({ kind: 'heartbeat', seq: 1, at: nowMs })
    link.engine.saveNode(fakeNode(0, nowMs, 'pending'))
    link.engine.send({ kind: 'heartbeat', seq: 1, at: nowMs })
    await reached(({ seq }) => seq === 1)
    link.engine.saveNode(fakeNode(0, nowMs, 'error'))
    await reached(({ seq }) => seq === 2)
    expect(seen).toEqual(['live'])
  })

  it('resumes after a lost connection from the event it had, without a snapshot', async () => {
    const { link, replica, reached } = start()
    await reached(live)
    link.breakStreams()
    await reached((state) => state.connection === 'out-of-sync')
    const hidden = { ...fakeNode(2, nowMs), name: 'not in the log' }
    link.engine.nodes.set(hidden.id, hidden)
    link.engine.saveNode({ ...fakeNode(1, nowMs), name: 'missed meanwhile' })
    const state = await reached((current) => live(current) && current.seq === 1)
    expect(state.nodes.get(fakeNode(1, nowMs).id)?.name).toBe('missed meanwhile')
    expect(replica.store.getState().nodes.get(hidden.id)?.name).not.toBe('not in the log')
  })

  it('starts over from a snapshot when another engine instance answers', async () => {
    const { link, reached } = start()
    await reached(live)
    const hidden = { ...fakeNode(2, nowMs), name: 'of the new instance' }
    link.engine.nodes.set(hidden.id, hidden)
    link.restart()
    const state = await reached((current) => live(current) && current.engine?.instanceId === 'fake-2')
    expect(state.nodes.get(hidden.id)?.name).toBe('of the new instance')
  })

  it('never shows live while the transport is not', async () => {
    const { link, reached } = start()
    await reached(live)
    link.status.set('restarting')
    const state = await reached((current) => current.connection === 'restarting')
    expect(state.nodes.size).toBe(3)
    link.breakStreams()
    link.status.set('live')
    await reached(live)
  })

  it('forgets the figures of a run when it ends', async () => {
    const { link, reached } = start()
    await reached(live)
    const [node] = link.engine.nodes.values()
    const run = node === undefined ? undefined : link.engine.push('a-test-key' as IdempotencyKey, [node]).runs[0]
    if (run === undefined) throw new Error('no run')
    link.engine.saveRun({ ...run, status: 'running' })
    link.engine.send({
      kind: 'progress',
      runId: run.id,
      progress: { bytes: 1, totalBytes: 2, files: 1, bytesPerSecond: 3, remainingMs: null, direction: 'push' },
    })
    await reached((state) => state.progress.get(run.id)?.bytes === 1)
    link.engine.endRun(run.id, 'succeeded')
    const state = await reached((current) => current.runs.get(run.id)?.status === 'succeeded')
    expect(state.progress.has(run.id)).toBe(false)
  })

  it('updates the store in batches, not once for each event', async () => {
    const { link, replica, reached } = start()
    await reached(live)
    let updates = 0
    replica.store.subscribe(() => {
      updates += 1
    })
    for (let count = 0; count < 500; count += 1)
      link.engine.saveNode({ ...fakeNode(0, nowMs), name: `version ${count}` })
    const state = await reached(({ seq }) => seq === 500)
    expect(state.nodes.get(fakeNode(0, nowMs).id)?.name).toBe('version 499')
    expect(updates).toBeLessThan(100)
  })
})
