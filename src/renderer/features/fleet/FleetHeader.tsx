import { LayoutGrid, Plus, RefreshCw, Rows3 } from 'lucide-react'
import type { FilterResult } from '../../../core/fleet/filter.ts'
import { type TileFill, tileFills } from '../../../core/fleet/health.ts'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { formatCount } from '../../components/format.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { KeyHint } from '../../components/KeyHint.tsx'
import { FillMark, fillWords, StaticKeyMark } from '../../components/StatusMark.tsx'
import { overlays } from '../../stores/overlays.ts'
import { displayKeys } from '../shortcuts/useGlobalShortcuts.ts'
import { staticKeyFilter } from './drawer/StaticKeySection.tsx'
import { FilterField } from './FilterField.tsx'
import type { GroupBy } from './fleetQuery.ts'
import type { FillBy } from './map/styles.ts'

interface FleetHeaderProps {
  readonly total: number
  readonly shown: number
  /** What is counted is the last known state. */
  readonly stale: boolean
  readonly counts: Readonly<Record<TileFill, number>>
  /** Nodes that we log in to with a static key: said whatever the map shows (D9). */
  readonly staticKeys: number
  readonly filter: string
  readonly parsed: FilterResult
  readonly view: 'map' | 'table'
  readonly groupBy: GroupBy
  readonly labels: readonly string[]
  readonly fillBy: FillBy
  readonly onQuery: (
    changes: Readonly<Record<string, string | undefined>>,
    options?: { readonly replace?: boolean },
  ) => void
  readonly onLeaveFilter: () => void
  /** How many of the shown nodes a push may reach: those in maintenance are left out. */
  readonly reachable: number
  readonly onResyncShown: () => void
  readonly onAdd: () => void
}

/** Good news first, then what is wrong, worst first. */
const countOrder: readonly TileFill[] = ['in-step', ...tileFills.filter((fill) => fill !== 'in-step')]

/** The header line is the status: each count narrows the map to what it counts. */
export function FleetHeader(props: FleetHeaderProps) {
  const { total, shown, counts, filter, onQuery } = props
  return (
    <header className="relative z-10 flex min-h-12 shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b bg-surface px-4 py-2">
      <h1 className="text-15 font-semibold">Fleet</h1>
      <fieldset
        className={classNames('flex flex-wrap items-center gap-0.5', props.stale && 'stale')}
        aria-label="Fleet status"
      >
        <CountButton active={filter === ''} onClick={() => onQuery({ filter: undefined })}>
          <strong className="font-semibold">{formatCount(total)}</strong> {total === 1 ? 'node' : 'nodes'}
        </CountButton>
        {countOrder.map((fill) => (
          <FillCount key={fill} fill={fill} count={counts[fill]} active={filter === `tile:${fill}`} onQuery={onQuery} />
        ))}
        <StaticKeyCount count={props.staticKeys} active={filter === staticKeyFilter} onQuery={onQuery} />
      </fieldset>
      {filter !== '' && props.parsed.ok && (
        <p role="status" className="text-muted">
          {formatCount(shown)} of {formatCount(total)} nodes
        </p>
      )}
      {/* The field gives way before the line breaks: a count that appears must not move the map under the pointer. */}
      <div className="ml-auto flex min-w-0 shrink grow basis-[644px] items-center justify-end gap-2">
        <FilterField
          value={filter}
          parsed={props.parsed}
          onChange={(next) => onQuery({ filter: next }, { replace: true })}
          onLeave={props.onLeaveFilter}
        />
        <ViewOptions {...props} />
        <ResyncShown {...props} />
        <Button variant="quiet" size="small" onClick={() => overlays.setState({ palette: true })}>
          <span className="sr-only">Find anything</span>
          <KeyHint keys={displayKeys('Mod+k')} />
        </Button>
      </div>
    </header>
  )
}

/** Every node that is shown, after the preview has named them. */
function ResyncShown({ filter, parsed, reachable, stale, onResyncShown }: FleetHeaderProps) {
  return (
    <Button
      size="small"
      icon={<RefreshCw aria-hidden className="size-3.5" />}
      onClick={onResyncShown}
      disabled={stale || !parsed.ok || reachable === 0}
    >
      {filter === '' ? 'Resync all…' : `Resync ${formatCount(reachable)} shown…`}
    </Button>
  )
}

function CountButton({
  active,
  onClick,
  children,
  label,
}: {
  readonly active: boolean
  readonly onClick: () => void
  readonly children: React.ReactNode
  readonly label?: string
}) {
  return (
    <button
      type="button"
      aria-pressed={active}
      aria-label={label}
      onClick={onClick}
      className={classNames(
        'inline-flex h-7 items-center gap-1.5 rounded-md px-2 text-muted hover:bg-hover hover:text-text',
        active && 'bg-selection text-text',
      )}
    >
      {children}
    </button>
  )
}

/** Pressed again it lets go. A count of none is not shown, but for the green one. */
function FillCount({
  fill,
  count,
  active,
  onQuery,
}: {
  readonly fill: TileFill
  readonly count: number
  readonly active: boolean
  readonly onQuery: FleetHeaderProps['onQuery']
}) {
  if (count === 0 && fill !== 'in-step' && !active) return null
  return (
    <CountButton
      active={active}
      onClick={() => onQuery({ filter: active ? undefined : `tile:${fill}` })}
      label={`${formatCount(count)} ${fillWords[fill]}`}
    >
      <FillMark fill={fill} />
      <strong className="font-semibold text-text">{formatCount(count)}</strong> {fillWords[fill]}
    </CountButton>
  )
}

function StaticKeyCount({
  count,
  active,
  onQuery,
}: {
  readonly count: number
  readonly active: boolean
  readonly onQuery: FleetHeaderProps['onQuery']
}) {
  if (count === 0 && !active) return null
  return (
    <CountButton
      active={active}
      onClick={() => onQuery({ filter: active ? undefined : staticKeyFilter })}
      label={`${formatCount(count)} with a static key`}
    >
      <StaticKeyMark />
      <strong className="font-semibold text-text">{formatCount(count)}</strong> static key
    </CountButton>
  )
}

function ViewOptions({ view, groupBy, labels, fillBy, onQuery, onAdd }: FleetHeaderProps) {
  const select = 'h-8 rounded-md border border-line-strong bg-ground px-1.5 text-12'
  return (
    <>
      {view === 'map' && (
        <>
          <select
            aria-label="Group by"
            className={classNames(select, 'max-w-24')}
            value={groupBy}
            onChange={(event) => onQuery({ group: event.target.value === 'kind' ? undefined : event.target.value })}
          >
            <option value="kind">by kind</option>
            {labels.map((label) => (
              <option key={label} value={`label.${label}`}>
                by {label}
              </option>
            ))}
            <option value="none">one group</option>
          </select>
          <select
            aria-label="Fill shows"
            className={classNames(select, 'max-w-28')}
            value={fillBy}
            onChange={(event) => onQuery({ fill: event.target.value === 'sync' ? undefined : event.target.value })}
          >
            <option value="sync">fill: sync</option>
            <option value="drift">fill: drift</option>
            <option value="certificate">fill: certificates</option>
            <option value="krl">fill: revocations</option>
          </select>
        </>
      )}
      <IconButton
        label={view === 'map' ? 'Show as a table (v)' : 'Show as a map (v)'}
        side="bottom"
        icon={view === 'map' ? <Rows3 className="size-4" /> : <LayoutGrid className="size-4" />}
        onClick={() => onQuery({ view: view === 'map' ? 'table' : undefined })}
      />
      <IconButton label="Add a node" side="bottom" icon={<Plus className="size-4" />} onClick={onAdd} />
    </>
  )
}
