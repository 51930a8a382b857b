import { type Run, RunStatus } from '../../../shared/model/run.ts'

/** What the list is narrowed to; lives in the address, so that a list can be shared. */
export interface RunListFilter {
  /** Part of a node's name, any case. */
  readonly node: string
  /** Name of a plan, exactly. */
  readonly plan: string
  readonly statuses: readonly RunStatus[]
  /** Only runs created in this time before now; null for all. */
  readonly withinMs: number | null
}

export const timeRanges = [
  { id: '1h', label: 'Last hour', withinMs: 3_600_000 },
  { id: '24h', label: 'Last 24 hours', withinMs: 86_400_000 },
  { id: '7d', label: 'Last 7 days', withinMs: 604_800_000 },
] as const

/** Unknown words in a shared link are left out, not refused. */
export function readFilter(query: Readonly<Record<string, string>>): RunListFilter {
  const statuses = (query.status ?? '').split(',').flatMap((word) => {
    const parsed = RunStatus.safeParse(word)
    return parsed.success ? [parsed.data] : []
  })
  const range = timeRanges.find((each) => each.id === query.since)
  return { node: query.node ?? '', plan: query.plan ?? '', statuses, withinMs: range?.withinMs ?? null }
}

export function matchesRun(run: Run, filter: RunListFilter, nowMs: number): boolean {
  if (filter.statuses.length > 0 && !filter.statuses.includes(run.status)) return false
  if (filter.plan !== '' && run.planName !== filter.plan) return false
  if (filter.withinMs !== null && run.createdAt < nowMs - filter.withinMs) return false
  return filter.node === '' || run.nodeName.toLowerCase().includes(filter.node.toLowerCase())
}
