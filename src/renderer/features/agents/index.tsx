import { useDeferredValue, useMemo, useRef } from 'react'
import type { AgentId } from '../../../shared/model/ids.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useNow } from '../../stores/clock.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, updateQuery } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import type { ViewProps } from '../../views.ts'
import { type LoadedGateway, useGateway } from '../settings/gateway/useGateway.ts'
import { AgentCards } from './AgentCards.tsx'
import { AgentHeader, switchLayout } from './AgentHeader.tsx'
import { AgentTable } from './AgentTable.tsx'
import { useAgentRows } from './agentRows.ts'
import { type AgentRow, agentStandings, countStandings, matchesAgent, readAgentFilter } from './agentStanding.ts'
import { cli } from './cliCommands.ts'
import { AgentDrawer } from './drawer/AgentDrawer.tsx'
import { GatewayTrouble } from './GatewayTrouble.tsx'
import { AddAgent } from './join/AddAgent.tsx'
import { tokenStanding, useJoinTokens } from './joinTokens.ts'
import { TokenList } from './TokenList.tsx'

/** Up to this many agents are shown as cards, unless a person chose otherwise. */
const mostCards = 6
/** What a row says changes with time; so often it is said again. */
const clockStepMs = 5000

/** `#/agents`, `#/agents/tokens`; a drawer for one agent or for the way to one more. */
export function View({ route }: ViewProps) {
  const loaded = useReplica((state) => state.loaded)
  const gateway = useGateway()
  const adding = route.query.add !== undefined
  const openAdd = (): void => updateQuery({ add: '1', agent: undefined })
  useShortcuts([{ keys: '', label: 'Add an agent', group: 'Agents', run: openAdd }])
  if (!loaded) return <Loading />
  return (
    <div className="relative flex h-full flex-col">
      {route.path[0] === 'tokens' ? (
        <TokenList onAdd={openAdd} />
      ) : (
        <Agents route={route} gateway={gateway} onAdd={openAdd} />
      )}
      {adding && <AddAgent gateway={gateway} onClose={() => updateQuery({ add: undefined })} />}
    </div>
  )
}

function Loading() {
  return (
    <>
      <ViewHeader title="Agents" />
      <p role="status" className="p-4 text-muted">
        Asking the engine for the agents.
      </p>
    </>
  )
}

interface AgentsProps {
  readonly route: Route
  readonly gateway: LoadedGateway
  readonly onAdd: () => void
}

function useShownAgents(route: Route, now: number) {
  const rows = useAgentRows(now)
  const filter = useMemo(() => readAgentFilter(route.query), [route.query])
  const counts = useMemo(() => countStandings(rows), [rows])
  // Typing stays fluid with thousands of agents: what is found may follow a frame later.
  const wanted = useDeferredValue(filter)
  const shown = useMemo(() => rows.filter((row) => matchesAgent(row, wanted)), [rows, wanted])
  return { total: rows.length, filter, counts, shown }
}

function Agents({ route, gateway, onAdd }: AgentsProps) {
  const now = useNow(clockStepMs)
  const stale = useStale()
  const { total, filter, counts, shown } = useShownAgents(route, now)
  const { tokens } = useJoinTokens()
  const area = useRef<HTMLDivElement>(null)
  const openId = (route.query.agent as AgentId | undefined) ?? null
  const layout = layoutOf(route, total)
  // What agents said last is old as long as nothing listens to them.
  const unheard = total > 0 && gateway.gateway?.listening === false
  const focusMain = (): void => area.current?.querySelector<HTMLElement>('[role="grid"], article a')?.focus()
  useShortcuts([
    { keys: 'v', label: 'Switch between cards and table', group: 'Agents', run: () => switchLayout(layout) },
  ])
  return (
    <>
      <AgentHeader
        total={total}
        counts={counts}
        filter={filter}
        layout={layout}
        openTokens={tokens?.filter((token) => tokenStanding(token, now) === 'open').length ?? 0}
        gateway={gateway.gateway}
        stale={stale}
        onAdd={onAdd}
        onLeaveFilter={focusMain}
      />
      <GatewayTrouble gateway={gateway.gateway} active={total - counts.revoked} />
      {gateway.error !== null && (
        <div className="p-2">
          <ErrorNote error={gateway.error} onRetry={gateway.retry} />
        </div>
      )}
      <div ref={area} className="relative min-h-0 flex-1">
        <div className={classNames('absolute inset-0', (stale || unheard) && 'stale')}>
          {total === 0 ? (
            <NoAgents onAdd={onAdd} />
          ) : layout === 'cards' && shown.length > 0 ? (
            <AgentCards rows={worstFirst(shown)} now={now} openId={openId} />
          ) : (
            <AgentTable rows={shown} now={now} openId={openId} onOpen={openAgent} empty={<NoMatch />} />
          )}
        </div>
        {openId !== null && <AgentDrawer agentId={openId} onClose={() => updateQuery({ agent: undefined })} />}
      </div>
    </>
  )
}

const openAgent = (agentId: AgentId): void => updateQuery({ agent: agentId, add: undefined })

function layoutOf({ query }: Route, total: number): 'cards' | 'table' {
  if (query.view === 'cards' || query.view === 'table') return query.view
  return total <= mostCards ? 'cards' : 'table'
}

const worstFirst = (rows: readonly AgentRow[]): readonly AgentRow[] =>
  [...rows].sort(
    (a, b) =>
      agentStandings.indexOf(a.standing) - agentStandings.indexOf(b.standing) ||
      a.agent.name.localeCompare(b.agent.name, 'en', { numeric: true }),
  )

function NoMatch() {
  return (
    <div className="flex flex-col items-center gap-3 p-8 text-muted">
      No agent matches this filter.
      <Button size="small" onClick={() => updateQuery({ filter: undefined, standing: undefined })}>
        Clear the filter
      </Button>
    </div>
  )
}

function NoAgents({ onAdd }: { readonly onAdd: () => void }) {
  return (
    <EmptyState
      title="No agents yet"
      actions={
        <>
          <Button variant="primary" onClick={onAdd}>
            Add an agent
          </Button>
          <Button onClick={() => navigate(formatHash({ view: 'fleet' }))}>Show the fleet</Button>
        </>
      }
    >
      <p>
        An agent is for a host that pushes to storage by itself, on its own schedule, where this console does not log
        in. It reports every run here, with its eleven states, its output and what it verified.
      </p>
      <p className="mt-1">Adding one takes a join token from here and one command on the host.</p>
      <div className="mx-auto mt-4 w-80 text-left">
        <CliEquivalent command={cli.join(null, 3600)} />
      </div>
    </EmptyState>
  )
}
