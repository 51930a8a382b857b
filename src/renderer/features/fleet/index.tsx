import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { countFills, countStaticKeys } from '../../../core/fleet/health.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { classNames } from '../../components/classNames.ts'
import { EmptyState } from '../../components/EmptyState.tsx'
import { engineNowMs } from '../../stores/clock.ts'
import { type RenewOperation, type ResyncOperation, startRenew, startResync } from '../../stores/operations.ts'
import { preferences, usePaneSize, usePreference } from '../../stores/preferences.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { updateQuery } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import { requestTerminal } from '../../stores/terminalRequests.ts'
import type { ViewProps } from '../../views.ts'
import { AddNode } from '../firstRun/AddNode.tsx'
import { DemoProgress } from '../firstRun/DemoProgress.tsx'
import { FirstRun } from '../firstRun/FirstRun.tsx'
import { BatchBar } from './BatchBar.tsx'
import { drawerPane, NodeDrawer } from './drawer/NodeDrawer.tsx'
import { FleetHeader } from './FleetHeader.tsx'
import { filterNodes, groupNodes, labelKeys, NameOrder, parseFilter, parseGroupBy } from './fleetQuery.ts'
import { Legend } from './Legend.tsx'
import { FleetMap } from './map/FleetMap.tsx'
import { parseFillBy } from './map/styles.ts'
import { NodeTable } from './NodeTable.tsx'
import { NoMatch } from './NoMatch.tsx'
import { PushDecision, type PushQuestion } from './PushDecision.tsx'
import { SelectionBar } from './SelectionBar.tsx'
import { useFill } from './useFill.ts'

const noSelection: ReadonlySet<NodeId> = new Set()

/** A static key has nothing to renew. Where there is nothing else, the engine says so in its own words. */
function reachOf(kind: PushQuestion['kind'], nodes: readonly FleetNode[]): Pick<PushQuestion, 'nodes' | 'leftOut'> {
  const withCertificate = nodes.filter(({ login }) => login.kind === 'certificate')
  if (kind === 'resync' || withCertificate.length === 0) return { nodes }
  return { nodes: withCertificate, leftOut: nodes.length - withCertificate.length }
}

/** The fleet: one map, or one table, of every node that the filter means. What is shown is all in the address. */
export function View({ route }: ViewProps) {
  const loaded = useReplica((state) => state.loaded)
  const nodes = useReplica((state) => state.nodes)
  const adding = route.query.add !== undefined
  const openAdd = (): void => updateQuery({ add: '1', node: undefined })
  if (!loaded) return <Loading />
  return (
    <div className="relative flex h-full flex-col">
      {nodes.size === 0 ? <FirstRun onAdd={openAdd} /> : <Fleet route={route} nodes={nodes} onAdd={openAdd} />}
      {adding && <AddNode onClose={() => updateQuery({ add: undefined })} />}
    </div>
  )
}

/** Only before the very first answer: afterwards the last known state stays in sight. */
function Loading() {
  return (
    <EmptyState title="Loading the fleet">
      <p role="status">Asking the engine for the present state of every node.</p>
    </EmptyState>
  )
}

interface FleetProps extends ViewProps {
  readonly nodes: ReadonlyMap<NodeId, FleetNode>
  readonly onAdd: () => void
}

function useFleetQuery(route: ViewProps['route'], nodes: FleetProps['nodes']) {
  const order = useRef(new NameOrder())
  const filter = route.query.filter ?? ''
  const groupBy = parseGroupBy(route.query.group)
  // Typing stays fluid with thousands of nodes: what is found may follow a frame later.
  const deferredFilter = useDeferredValue(filter)
  const parsed = useMemo(() => parseFilter(filter), [filter])
  const sorted = useMemo(() => order.current.sort(nodes), [nodes])
  const shown = useMemo(() => filterNodes(sorted, parseFilter(deferredFilter), engineNowMs()), [sorted, deferredFilter])
  const groups = useMemo(() => groupNodes(shown, groupBy), [shown, groupBy])
  const counts = useMemo(() => countFills(nodes.values(), engineNowMs()), [nodes])
  const staticKeys = useMemo(() => countStaticKeys(nodes.values()), [nodes])
  const labels = useMemo(() => labelKeys(nodes.values()), [nodes])
  return { filter, groupBy, parsed, shown, groups, counts, staticKeys, labels }
}

function Fleet({ route, nodes, onAdd }: FleetProps) {
  const link = useLink()
  const stale = useStale()
  const { filter, groupBy, parsed, shown, groups, counts, staticKeys, labels } = useFleetQuery(route, nodes)
  const [selected, setSelected] = useState<ReadonlySet<NodeId>>(noSelection)
  const [focusedId, setFocusedId] = useState<NodeId | null>(null)
  const [question, setQuestion] = useState<PushQuestion | null>(null)
  const [batch, setBatch] = useState<ResyncOperation | RenewOperation | null>(null)
  const collapsed = usePreference((state) => state.collapsedGroups)
  const collapsedKeys = useMemo(() => new Set(collapsed), [collapsed])
  const [drawerWidth] = usePaneSize(drawerPane.name, drawerPane.defaultWidth)
  const area = useRef<HTMLDivElement>(null)
  const view = route.query.view === 'table' ? 'table' : 'map'
  const fill = useFill(parseFillBy(route.query.fill))
  const openId = (route.query.node as NodeId | undefined) ?? null
  const open = (nodeId: NodeId): void => updateQuery({ node: nodeId, add: undefined })
  const close = (): void => updateQuery({ node: undefined })

  // What the filter hides cannot stay selected: a push would reach what nobody sees.
  useEffect(() => {
    const visible = new Set(shown.map((node) => node.id))
    setSelected((before) =>
      [...before].every((id) => visible.has(id)) ? before : new Set([...before].filter((id) => visible.has(id))),
    )
  }, [shown])

  const reachable = useMemo(() => shown.filter((node) => !node.maintenance), [shown])
  const chosen = useMemo(() => shown.filter((node) => selected.has(node.id)), [shown, selected])
  const targets = (): readonly FleetNode[] => {
    if (chosen.length > 0) return chosen
    const one = nodes.get((openId ?? focusedId) as NodeId)
    return one === undefined ? [] : [one]
  }
  const ask = (kind: PushQuestion['kind']): void => {
    const reached = targets()
    if (reached.length > 0 && !stale) setQuestion({ kind, ...reachOf(kind, reached) })
  }
  const focusMain = (): void => area.current?.querySelector<HTMLElement>('[data-fleet-map], [role="grid"]')?.focus()
  useShortcuts([
    { keys: 'r', label: 'Resync the selected nodes', group: 'Fleet', run: () => ask('resync') },
    { keys: 'c', label: 'Renew their certificates', group: 'Fleet', run: () => ask('renew') },
    {
      keys: 't',
      label: 'Open a terminal on the node',
      group: 'Fleet',
      run: () => targets()[0] !== undefined && !stale && requestTerminal({ nodeId: (targets()[0] as FleetNode).id }),
    },
    {
      keys: 'v',
      label: 'Switch between map and table',
      group: 'Fleet',
      run: () => updateQuery({ view: view === 'map' ? 'table' : undefined }),
    },
    { keys: '', label: 'Add a node', group: 'Fleet', run: onAdd },
  ])
  const started = (operation: ResyncOperation | RenewOperation): void => {
    const [only, ...others] = operation.nodeIds
    if (others.length === 0 && only !== undefined) {
      // After the question has given the focus back, so that the drawer may take it.
      setTimeout(() => open(only))
      return
    }
    // The tiles show how it goes; outlines would only cover that.
    setSelected(noSelection)
    setBatch(operation)
  }
  const toggleGroup = (key: string): void =>
    preferences.setState((state) => ({
      collapsedGroups: state.collapsedGroups.includes(key)
        ? state.collapsedGroups.filter((each) => each !== key)
        : [...state.collapsedGroups, key],
    }))
  const pressCard = (kind: 'resync' | 'renew', nodeId: NodeId): void => {
    if (stale) return
    if (kind === 'resync') void startResync(link, { nodeIds: [nodeId] })
    else void startRenew(link, { nodeIds: [nodeId] })
    open(nodeId)
  }

  return (
    <>
      <FleetHeader
        total={nodes.size}
        shown={shown.length}
        stale={stale}
        counts={counts}
        staticKeys={staticKeys}
        filter={filter}
        parsed={parsed}
        view={view}
        groupBy={groupBy}
        labels={labels}
        fillBy={fill.by}
        onQuery={updateQuery}
        onLeaveFilter={focusMain}
        reachable={reachable.length}
        onResyncShown={() => setQuestion({ kind: 'resync', nodes: reachable, everyShown: true })}
        onAdd={onAdd}
      />
      <div ref={area} className="relative min-h-0 flex-1">
        <div className={classNames('absolute inset-0', stale && (view === 'map' ? 'stale-map' : 'stale'))}>
          {view === 'table' ? (
            <NodeTable
              nodes={shown}
              selected={selected}
              onSelectedChange={setSelected}
              onOpen={open}
              onFocusNode={setFocusedId}
              empty={<NoMatch filter={filter} />}
            />
          ) : shown.length === 0 ? (
            <NoMatch filter={filter} />
          ) : (
            <FleetMap
              groups={groups}
              collapsed={collapsedKeys}
              fill={fill}
              selected={selected}
              onSelectedChange={setSelected}
              openNodeId={openId}
              coveredRight={openId === null ? 0 : drawerWidth}
              onOpen={open}
              onFocusNode={setFocusedId}
              onToggleGroup={toggleGroup}
              onCardButton={pressCard}
            />
          )}
        </div>
        {view === 'map' && shown.length > 0 && <Legend nodes={shown} fill={fill} />}
        <DemoProgress className="absolute top-3 right-4 z-10 w-72 rounded-md border bg-raised p-3 shadow-float" />
        {chosen.length === 0 && batch !== null && (
          <BatchBar
            operation={batch}
            onResyncFailed={(failed) => setQuestion({ kind: 'resync', nodes: failed })}
            onRenewAgain={({ key }, nodeIds) => void startRenew(link, { nodeIds, key }).then(setBatch)}
            onClose={() => setBatch(null)}
          />
        )}
        {chosen.length > 0 && (
          <SelectionBar
            nodes={chosen}
            total={nodes.size}
            disabled={stale}
            onResync={() => ask('resync')}
            onRenew={() => ask('renew')}
            onClear={() => setSelected(noSelection)}
          />
        )}
        {openId !== null && <NodeDrawer nodeId={openId} onClose={close} />}
      </div>
      {question !== null && (
        <PushDecision
          question={question}
          total={nodes.size}
          filter={filter}
          onClose={() => setQuestion(null)}
          onStarted={started}
        />
      )}
    </>
  )
}
