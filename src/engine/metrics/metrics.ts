import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { computeTile, tileFills } from '../../core/fleet/health.ts'
import type { EngineEvent } from '../../shared/model/event.ts'
import { type FleetNode, NodeKind, NodeStatus } from '../../shared/model/node.ts'
import type { Repository } from '../../shared/model/repository.ts'
import { RolloutStatus } from '../../shared/model/rollout.ts'
import { isFinal, type Run } from '../../shared/model/run.ts'
import { type StoreCommit, storeCommitChannel } from '../store/commitChannel.ts'
import type { EngineMeasures } from './measures.ts'

/**
 * Figures for Prometheus (S1F.3). Every label has a closed list of values: kinds, states and codes; never a name, an
 * address or an id, so that neither their number nor what they tell grows with the fleet.
 */
export interface Metrics {
  /** Text format 0.0.4. */
  render(): Promise<string>
  stop(): void
}

const runSeconds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]
const commitSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2]
/** A finer look costs the idle process its wake-ups. */
const loopResolutionMs = 100
const nanosecondsPerSecond = 1e9

/** What is left of a certificate, as label and upper bound. */
const remainingSteps: readonly (readonly [string, number])[] = [
  ['expired', 0],
  ['10m', 600_000],
  ['1h', 3_600_000],
  ['4h', 14_400_000],
  ['16h', 57_600_000],
  ['more', Number.POSITIVE_INFINITY],
]
const withoutRemaining = ['none', 'static-key'] as const

export function createMetrics(measures: EngineMeasures, options: { readonly version: string }): Metrics {
  const registry = new Registry()
  const counted = countEvents(registry)
  const unsubscribe = measures.store.onCommitted(counted)
  const commits = new Histogram({
    name: 'lockstep_store_commit_seconds',
    help: 'Duration of a commit of the store, with its sync to disk.',
    buckets: commitSeconds,
    registers: [registry],
  })
  const onCommit = (message: unknown): void => commits.observe((message as StoreCommit).durationMs / 1000)
  storeCommitChannel.subscribe(onCommit)
  const loopDelay = monitorEventLoopDelay({ resolution: loopResolutionMs })
  loopDelay.enable()
  const gauges = createGauges(registry)
  gauges.info.set({ version: options.version }, 1)
  let rendering: Promise<string> | null = null
  const renderOnce = async (): Promise<string> => {
    await look(measures, gauges)
    lookAtProcess(gauges, loopDelay)
    return registry.metrics()
  }
  return {
    // Whoever asks meanwhile gets the same look: a scrape that is slow must not pile up.
    render: () => {
      rendering ??= renderOnce().finally(() => {
        rendering = null
      })
      return rendering
    },
    stop: () => {
      unsubscribe()
      storeCommitChannel.unsubscribe(onCommit)
      loopDelay.disable()
      registry.clear()
    },
  }
}

/** @returns the listener that counts what has ended since the start of this process */
function countEvents(registry: Registry): (events: readonly EngineEvent[]) => void {
  const registers = [registry]
  const duration = new Histogram({
    name: 'lockstep_run_duration_seconds',
    help: 'From the start of a run to its end, over all its tries.',
    labelNames: ['kind', 'status'],
    buckets: runSeconds,
    registers,
  })
  const failures = new Counter({
    name: 'lockstep_run_failures_total',
    help: 'Runs that failed, by the code of their cause.',
    labelNames: ['kind', 'code'],
    registers,
  })
  const rollouts = new Counter({
    name: 'lockstep_rollouts_finished_total',
    help: 'Rollouts that have ended.',
    labelNames: ['status'],
    registers,
  })
  const revisions = new Counter({
    name: 'lockstep_registry_revisions_total',
    help: 'Revisions of a registry that were saved.',
    labelNames: ['registry'],
    registers,
  })
  const countRun = ({ planKind: kind, status, failure, startedAt, createdAt, finishedAt }: Run): void => {
    if (!isFinal(status)) return
    duration.observe({ kind, status }, Math.max(0, (finishedAt ?? createdAt) - (startedAt ?? createdAt)) / 1000)
    if (failure !== null) failures.inc({ kind, code: failure.code })
  }
  return (events) => {
    for (const { change } of events) {
      if (change.kind === 'run.saved') countRun(change.run)
      else if (change.kind === 'registry.saved') revisions.inc({ registry: change.revision.registry })
      else if (change.kind === 'rollout.saved' && change.rollout.finishedAt !== null)
        rollouts.inc({ status: change.rollout.status })
    }
  }
}

const fetchStatus = ({ fetchedAt, diagnosis }: Repository['state']): 'never' | 'fetched' | 'failing' => {
  if (diagnosis !== null) return 'failing'
  return fetchedAt === null ? 'never' : 'fetched'
}

type Gauges = ReturnType<typeof createGauges>

function createGauges(registry: Registry) {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge<Label>({ name, help, labelNames, registers: [registry] })
  return {
    info: gauge('lockstep_info', 'The version that runs.', 'version'),
    nodes: gauge('lockstep_nodes', 'Nodes by what their tile shows.', 'kind', 'fill'),
    statuses: gauge('lockstep_nodes_status', 'Nodes by status.', 'kind', 'status'),
    drift: gauge('lockstep_nodes_drifted', 'Nodes where another state was found than the verified one.', 'kind'),
    certificates: gauge(
      'lockstep_node_certificates',
      'Nodes by what is left of the certificate we log in with; an upper bound.',
      'remaining',
    ),
    openRuns: gauge('lockstep_runs_open', 'Runs that are not final.', 'kind', 'status'),
    openRollouts: gauge('lockstep_rollouts_open', 'Rollouts that are not final.', 'status'),
    connections: gauge('lockstep_ssh_connections', 'Open SSH connections.'),
    channels: gauge('lockstep_node_channels', 'Open shells of nodes that take orders.'),
    sources: gauge('lockstep_registry_sources', 'Sources of registries.', 'registry', 'place', 'status'),
    repositories: gauge('lockstep_repositories', 'Repositories by how the last fetch ended.', 'status'),
    vault: gauge('lockstep_vault_unlocked', '1 when the key vault is open.'),
    reconcileAge: gauge('lockstep_reconcile_age_seconds', 'Since the last reconcile began; NaN when there was none.'),
    reconcileInterval: gauge('lockstep_reconcile_interval_seconds', 'How often the whole fleet is reconciled.'),
    loopDelay: gauge(
      'lockstep_event_loop_delay_seconds',
      'How late the event loop was since the last look.',
      'quantile',
    ),
    resident: gauge('process_resident_memory_bytes', 'Resident memory.'),
    heap: gauge('lockstep_heap_used_bytes', 'Used heap of V8.'),
    cpu: gauge('process_cpu_seconds_total', 'CPU time used, user and system.'),
    startTime: gauge('process_start_time_seconds', 'When the engine started, in epoch seconds.'),
  }
}

async function look({ store, clock, status, connections, channels, sources }: EngineMeasures, gauges: Gauges) {
  const [nodes, runs, rollouts, repositories, followed, engine] = await Promise.all([
    store.listNodes(),
    store.listOpenRuns(),
    store.listRollouts({ limit: 1000, open: true }),
    store.listRepositories(),
    // Figures of everything else must not hang on one part.
    sources.list().catch(() => []),
    status(),
  ])
  lookAtNodes(nodes, gauges, clock.nowMs())
  gauges.openRuns.reset()
  for (const { planKind: kind, status: runStatus } of runs) gauges.openRuns.inc({ kind, status: runStatus })
  for (const name of RolloutStatus.options) gauges.openRollouts.set({ status: name }, 0)
  for (const { status: name } of rollouts) gauges.openRollouts.inc({ status: name })
  gauges.sources.reset()
  for (const { registry, place, state } of followed)
    gauges.sources.inc({ registry, place: place.kind, status: state.status })
  for (const status of ['never', 'fetched', 'failing'] as const) gauges.repositories.set({ status }, 0)
  for (const { state } of repositories) gauges.repositories.inc({ status: fetchStatus(state) })
  gauges.connections.set(connections())
  gauges.channels.set(channels())
  gauges.vault.set(engine.vault.unlocked ? 1 : 0)
  const { lastAt, intervalMs } = engine.reconcile
  gauges.reconcileAge.set(lastAt === null ? Number.NaN : Math.max(0, engine.now - lastAt) / 1000)
  gauges.reconcileInterval.set(intervalMs / 1000)
  gauges.startTime.set(engine.startedAt / 1000)
}

/** Zeros are told, too: a rate over a series that comes and goes means nothing. */
function lookAtNodes(nodes: readonly FleetNode[], gauges: Gauges, nowMs: number): void {
  for (const kind of NodeKind.options) {
    gauges.drift.set({ kind }, 0)
    for (const fill of tileFills) gauges.nodes.set({ kind, fill }, 0)
    for (const status of NodeStatus.options) gauges.statuses.set({ kind, status }, 0)
  }
  for (const remaining of [...withoutRemaining, ...remainingSteps.map(([name]) => name)])
    gauges.certificates.set({ remaining }, 0)
  for (const node of nodes) {
    const { fill, drift, certificate } = computeTile(node, nowMs)
    gauges.nodes.inc({ kind: node.kind, fill })
    gauges.statuses.inc({ kind: node.kind, status: node.status })
    if (drift) gauges.drift.inc({ kind: node.kind })
    gauges.certificates.inc({ remaining: remainingLabel(certificate.level, certificate.remainingMs) })
  }
}

function remainingLabel(level: string, remainingMs: number): string {
  const without = withoutRemaining.find((name) => name === level)
  return without ?? remainingSteps.find(([, upToMs]) => remainingMs <= upToMs)?.[0] ?? 'more'
}

function lookAtProcess(
  { resident, heap, cpu, loopDelay }: Gauges,
  histogram: ReturnType<typeof monitorEventLoopDelay>,
): void {
  const { user, system } = process.cpuUsage()
  resident.set(process.memoryUsage.rss())
  heap.set(process.memoryUsage().heapUsed)
  cpu.set((user + system) / 1e6)
  // The histogram holds the time between two looks, which includes the resolution itself.
  const late = (nanoseconds: number): number =>
    Math.max(0, nanoseconds / nanosecondsPerSecond - loopResolutionMs / 1000) || 0
  loopDelay.set({ quantile: '0.5' }, late(histogram.percentile(50)))
  loopDelay.set({ quantile: '0.99' }, late(histogram.percentile(99)))
  loopDelay.set({ quantile: '1' }, late(histogram.max))
  histogram.reset()
}
