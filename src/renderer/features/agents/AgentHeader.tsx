import { LayoutGrid, List, Plus, Search } from 'lucide-react'
import { useRef } from 'react'
import type { GatewayStatus } from '../../../shared/model/agent.ts'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { formatCount, plural } from '../../components/format.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { formatHash, gatewayHash, updateQuery } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import { GatewayMark } from '../settings/gateway/GatewayMark.tsx'
import { AgentMark } from './AgentMark.tsx'
import { type AgentFilter, type AgentStanding, agentStandings, standingWords } from './agentStanding.ts'

interface AgentHeaderProps {
  readonly total: number
  readonly counts: Readonly<Record<AgentStanding, number>>
  readonly filter: AgentFilter
  readonly layout: 'cards' | 'table'
  readonly openTokens: number
  readonly gateway: GatewayStatus | undefined
  readonly stale: boolean
  readonly onAdd: () => void
  readonly onLeaveFilter: () => void
}

/** How many stand where, as buttons that filter; the door they come through; the way to one more. */
export function AgentHeader(props: AgentHeaderProps) {
  const { total, counts, filter, layout, openTokens, gateway, stale, onAdd, onLeaveFilter } = props
  const toggle = (standing: AgentStanding): void => {
    const next = filter.standings.includes(standing)
      ? filter.standings.filter((each) => each !== standing)
      : [...filter.standings, standing]
    updateQuery({ standing: next.join(',') })
  }
  return (
    <ViewHeader
      title="Agents"
      summary={
        <span className={classNames('flex flex-wrap items-center gap-x-3', stale && 'stale')}>
          <span>{plural(total, 'agent')}</span>
          {agentStandings
            .filter((standing) => counts[standing] > 0)
            .map((standing) => (
              <button
                key={standing}
                type="button"
                aria-pressed={filter.standings.includes(standing)}
                onClick={() => toggle(standing)}
                className={classNames(
                  'flex items-center gap-1.5 rounded-sm px-1 hover:text-text',
                  filter.standings.includes(standing) && 'bg-selection text-text',
                )}
              >
                <span aria-hidden className="inline-flex">
                  <AgentMark standing={standing} />
                </span>
                {formatCount(counts[standing])} {standingWords[standing]}
              </button>
            ))}
          {gateway !== undefined && (
            <a href={gatewayHash} className="flex items-center gap-1.5 hover:text-text">
              gateway <GatewayMark gateway={gateway} />
            </a>
          )}
          <a href={formatHash({ view: 'agents', path: ['tokens'] })} className="hover:text-text hover:underline">
            {openTokens === 0 ? 'join tokens' : plural(openTokens, 'open join token')}
          </a>
        </span>
      }
      actions={
        <div className="flex items-center gap-2">
          {total > 0 && (
            <>
              <FilterField text={filter.text} onLeave={onLeaveFilter} />
              <IconButton
                label={layout === 'cards' ? 'Show as a table (v)' : 'Show as cards (v)'}
                icon={layout === 'cards' ? <List className="size-4" /> : <LayoutGrid className="size-4" />}
                onClick={() => switchLayout(layout)}
              />
            </>
          )}
          <Button variant="primary" icon={<Plus aria-hidden className="size-4" />} disabled={stale} onClick={onAdd}>
            Add an agent
          </Button>
        </div>
      }
    />
  )
}

export const switchLayout = (layout: 'cards' | 'table'): void =>
  updateQuery({ view: layout === 'cards' ? 'table' : 'cards' })

function FilterField({ text, onLeave }: { readonly text: string; readonly onLeave: () => void }) {
  const input = useRef<HTMLInputElement>(null)
  useShortcuts([{ keys: '/', label: 'Filter the agents', group: 'Agents', run: () => input.current?.select() }])
  return (
    <div className="relative w-52">
      <Search aria-hidden className="absolute top-2 left-2 size-4 text-faint" />
      <input
        ref={input}
        type="search"
        spellCheck={false}
        autoComplete="off"
        aria-label="Filter the agents"
        placeholder="Name, host or version"
        value={text}
        onChange={(event) => updateQuery({ filter: event.target.value }, { replace: true })}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            if (text === '') input.current?.blur()
            else updateQuery({ filter: undefined }, { replace: true })
          } else if (event.key === 'Enter' || event.key === 'ArrowDown') onLeave()
          else return
          event.preventDefault()
        }}
        className="h-8 w-full rounded-md border border-line-strong bg-ground pr-2 pl-8 placeholder:text-faint"
      />
    </div>
  )
}
