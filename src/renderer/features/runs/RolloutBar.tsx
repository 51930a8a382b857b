import type { Rollout } from '../../../shared/model/rollout.ts'
import { formatCount } from '../../components/format.ts'
import { openNodes, outcomeWords } from './rolloutWords.ts'

const colours = {
  succeeded: 'bg-in-step',
  failed: 'bg-error',
  unreachable: 'bg-unreachable',
  canceled: 'bg-muted',
  working: 'bg-busy',
} as const

/** How far a rollout has come: one bar, as long as its nodes. */
export function RolloutBar({ rollout }: { readonly rollout: Rollout }) {
  const { counts, nodes } = rollout
  const { working } = openNodes(rollout)
  const parts = [
    ...(['succeeded', 'failed', 'unreachable', 'canceled'] as const).map((outcome) => ({
      id: outcome,
      count: counts[outcome],
      words: outcomeWords[outcome],
    })),
    { id: 'working' as const, count: working, words: 'being worked on' },
  ].filter(({ count }) => count > 0)
  const words = parts.map(({ count, words: what }) => `${formatCount(count)} ${what}`).join(', ')
  return (
    <span
      role="img"
      aria-label={words === '' ? 'nothing begun' : words}
      title={words}
      className="flex h-2.5 w-full overflow-hidden rounded-sm border border-line-strong"
    >
      {parts.map(({ id, count }) => (
        <span key={id} className={colours[id]} style={{ width: `${(100 * count) / Math.max(1, nodes.length)}%` }} />
      ))}
    </span>
  )
}
