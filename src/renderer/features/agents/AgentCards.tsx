import type { AgentId } from '../../../shared/model/ids.ts'
import { classNames } from '../../components/classNames.ts'
import { agentHash } from '../../stores/route.ts'
import { AgentMark } from './AgentMark.tsx'
import { Doing, LastRun, LastSeen } from './agentFacts.tsx'
import { type AgentRow, standingSentence } from './agentStanding.ts'

interface AgentCardsProps {
  readonly rows: readonly AgentRow[]
  readonly now: number
  readonly openId: AgentId | null
}

/** For a handful of agents: everything that matters of each, without columns. */
export function AgentCards({ rows, now, openId }: AgentCardsProps) {
  return (
    <ul
      aria-label="Agents"
      className="grid h-full auto-rows-min grid-cols-[repeat(auto-fill,minmax(320px,1fr))] gap-3 overflow-auto p-4"
    >
      {rows.map((row) => (
        <li key={row.agent.id}>
          <Card row={row} now={now} open={row.agent.id === openId} />
        </li>
      ))}
    </ul>
  )
}

function Card({ row, now, open }: { readonly row: AgentRow; readonly now: number; readonly open: boolean }) {
  const { agent, standing } = row
  const sentence = standingSentence(row, now)
  return (
    <article
      className={classNames(
        'relative flex h-full flex-col gap-2 rounded-md border bg-surface p-3 hover:border-line-strong',
        open && 'border-accent',
      )}
    >
      <header className="flex items-baseline justify-between gap-2">
        <h2 className="min-w-0 truncate text-15 font-semibold">
          <a href={agentHash(agent.id)} className="after:absolute after:inset-0 after:rounded-md">
            {agent.name}
          </a>
        </h2>
        <AgentMark standing={standing} withWord />
      </header>
      <p className="text-muted">{sentence ?? <Doing row={row} />}</p>
      <dl className="mt-auto grid grid-cols-[72px_1fr] gap-y-0.5">
        <dt className="text-faint">Host</dt>
        <dd className="min-w-0 truncate">
          <code className="text-12">{agent.hostname}</code>
        </dd>
        <dt className="text-faint">Last run</dt>
        <dd className="relative z-10 justify-self-start">
          <LastRun agent={agent} />
        </dd>
        <dt className="text-faint">Last seen</dt>
        <dd>
          <LastSeen agent={agent} />
        </dd>
      </dl>
    </article>
  )
}
