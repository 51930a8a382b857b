import {
  type KeyboardEvent,
  type PointerEvent,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react'
import type { NodeId } from '../../../../shared/model/ids.ts'
import { useNow } from '../../../stores/clock.ts'
import { tileSentence } from '../tileWords.ts'
import type { Camera } from './camera.ts'
import { toMap } from './camera.ts'
import { boxOf, type Direction, firstShown, type Hit, hitTest, neighbour, tilesIn } from './hitTest.ts'
import { groupOf, type MapLayout, type Point, tilePosition } from './layout.ts'
import { cardButtons, levelOf } from './level.ts'
import { MapController } from './MapController.ts'
import { MapTooltip } from './MapTooltip.tsx'
import { buildScene, type FleetGroup, type Scene, TileCache } from './scene.ts'
import type { FillBy } from './styles.ts'
import { onThemeChange, readMapTheme } from './theme.ts'
import { ZoomControls } from './ZoomControls.tsx'

interface FleetMapProps {
  readonly groups: readonly FleetGroup[]
  readonly collapsed: ReadonlySet<string>
  readonly fillBy: FillBy
  readonly selected: ReadonlySet<NodeId>
  readonly onSelectedChange: (selected: ReadonlySet<NodeId>) => void
  /** The node whose drawer is open. */
  readonly openNodeId: NodeId | null
  /** Pixels on the right that the drawer covers. */
  readonly coveredRight: number
  readonly onOpen: (nodeId: NodeId) => void
  readonly onFocusNode: (nodeId: NodeId | null) => void
  readonly onToggleGroup: (key: string) => void
  readonly onCardButton: (kind: 'resync' | 'renew', nodeId: NodeId) => void
}

/** Up to this many nodes all have their option in the document; above, only those around the focus. */
const allOptionsLimit = 400
const optionsAround = 24
const dragThresholdPixels = 4
/** How often remaining lifetimes are looked at again. */
const certificateStepMs = 15_000
const arrows: Readonly<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
}
const panStepPixels = 80
const zoomStep = 1.25

interface View {
  readonly camera: Camera
  readonly layout: MapLayout
}

/** Two canvases for the eyes, a listbox of real options for keyboards, screen readers and tests. */
export function FleetMap(props: FleetMapProps) {
  const { groups, collapsed, fillBy, selected } = props
  const frame = useRef<HTMLDivElement>(null)
  const base = useRef<HTMLCanvasElement>(null)
  const overlay = useRef<HTMLCanvasElement>(null)
  const layer = useRef<HTMLDivElement>(null)
  const controller = useRef<MapController | null>(null)
  const cache = useRef(new TileCache())
  const listId = useId()
  const [layout, setLayout] = useState<MapLayout | null>(null)
  const [focusedId, setFocusedId] = useState<NodeId | null>(null)
  const [hasFocus, setHasFocus] = useState(false)
  const [hovered, setHovered] = useState<{ readonly index: number; readonly at: Point } | null>(null)
  const clock = useNow(certificateStepMs)

  const scene = useMemo(() => {
    cache.current.setClock(clock)
    return buildScene(groups, fillBy, cache.current)
  }, [groups, fillBy, clock])
  const indexOf = useMemo(() => new Map(scene.nodes.map((node, index) => [node.id, index])), [scene])
  const focusIndex = focusedId === null ? undefined : indexOf.get(focusedId)

  const onView = useCallback((camera: Camera, nextLayout: MapLayout) => {
    setLayout(nextLayout)
    if (layer.current !== null)
      layer.current.style.transform = `translate(${camera.x}px, ${camera.y}px) scale(${camera.zoom})`
  }, [])

  useLayoutEffect(() => {
    const [baseCanvas, overlayCanvas, element] = [base.current, overlay.current, frame.current]
    if (baseCanvas === null || overlayCanvas === null || element === null) return
    const motion = window.matchMedia('(prefers-reduced-motion: reduce)')
    const map = new MapController(baseCanvas, overlayCanvas, {
      theme: readMapTheme(),
      reducedMotion: motion.matches,
      onView,
    })
    controller.current = map
    const resize = (): void =>
      map.resize({ width: element.clientWidth, height: element.clientHeight }, window.devicePixelRatio)
    const onMotion = (): void => map.setReducedMotion(motion.matches)
    const observer = new ResizeObserver(resize)
    observer.observe(element)
    motion.addEventListener('change', onMotion)
    const stopTheme = onThemeChange(() => map.setTheme(readMapTheme()))
    void document.fonts?.ready.then(() => map.requestFull())
    resize()
    return () => {
      observer.disconnect()
      motion.removeEventListener('change', onMotion)
      stopTheme()
      map.destroy()
      controller.current = null
    }
  }, [onView])

  useLayoutEffect(() => {
    controller.current?.setData({
      scene,
      groups: groups.map((group) => ({
        key: group.key,
        title: group.title,
        count: group.nodes.length,
        collapsed: collapsed.has(group.key),
      })),
    })
  }, [scene, groups, collapsed])

  const openIndex = props.openNodeId === null ? undefined : indexOf.get(props.openNodeId)
  useEffect(() => {
    const indices = new Set([...selected].flatMap((id) => indexOf.get(id) ?? []))
    if (openIndex !== undefined) indices.add(openIndex)
    controller.current?.setOverlay({
      selected: indices,
      focused: hasFocus ? (focusIndex ?? null) : null,
      hovered: hovered?.index ?? null,
    })
  }, [selected, indexOf, focusIndex, hasFocus, hovered, openIndex])

  useEffect(() => {
    if (openIndex !== undefined) controller.current?.reveal(openIndex, props.coveredRight)
  }, [openIndex, props.coveredRight])

  const focusOn = (index: number): void => {
    const id = scene.nodes[index]?.id
    if (id === undefined) return
    setFocusedId(id)
    props.onFocusNode(id)
    controller.current?.reveal(index, props.coveredRight)
  }
  const toggle = (index: number): void => {
    const id = scene.nodes[index]?.id
    if (id === undefined) return
    const next = new Set(selected)
    if (!next.delete(id)) next.add(id)
    props.onSelectedChange(next)
  }

  useWheelZoom(frame, controller, () => setHovered(null))
  const pointer = usePointer({
    frame,
    controller,
    scene,
    props,
    setHovered,
    toggle,
    focusOn: (index) => setFocusedId(scene.nodes[index]?.id ?? null),
  })

  const onKeyDown = (event: KeyboardEvent): void => {
    const map = controller.current
    if (map === null) return
    if (!handleMapKey(event, { map, scene, focusIndex, focusOn, toggle, props })) return
    event.preventDefault()
    event.stopPropagation()
  }

  const around = focusIndex ?? 0
  const shown =
    scene.nodes.length <= allOptionsLimit
      ? [0, scene.nodes.length]
      : [Math.max(0, around - optionsAround), Math.min(scene.nodes.length, around + optionsAround + 1)]
  return (
    <div
      ref={frame}
      className="absolute inset-0 touch-none overflow-hidden"
      onPointerDown={pointer.onPointerDown}
      onPointerMove={pointer.onPointerMove}
      onPointerUp={pointer.onPointerUp}
      onPointerCancel={pointer.onPointerUp}
      onPointerLeave={() => setHovered(null)}
    >
      <canvas ref={base} aria-hidden className="absolute inset-0 size-full" />
      <canvas ref={overlay} aria-hidden className="absolute inset-0 size-full" />
      <div
        role="listbox"
        aria-label={`Fleet map, ${scene.nodes.length} nodes`}
        aria-multiselectable
        aria-activedescendant={focusIndex === undefined ? undefined : `${listId}-${scene.nodes[focusIndex]?.id}`}
        tabIndex={0}
        data-fleet-map
        onKeyDown={onKeyDown}
        onFocus={() => {
          setHasFocus(true)
          if (focusIndex === undefined && controller.current !== null)
            focusOn(firstShown(controller.current.layout) ?? 0)
        }}
        onBlur={() => setHasFocus(false)}
        className="absolute inset-0 outline-none"
      >
        <div ref={layer} role="presentation" className="absolute top-0 left-0 origin-top-left">
          {layout !== null &&
            scene.nodes
              .slice(shown[0], shown[1])
              .map((node, offset) => (
                <MapOption
                  key={node.id}
                  id={`${listId}-${node.id}`}
                  index={(shown[0] ?? 0) + offset}
                  scene={scene}
                  layout={layout}
                  selected={selected.has(node.id)}
                  nowMs={clock}
                />
              ))}
        </div>
      </div>
      <GroupButtons groups={groups} layout={layout} collapsed={collapsed} onToggle={props.onToggleGroup} />
      <ZoomControls
        onZoom={(factor) => {
          const map = controller.current
          map?.zoomBy({ x: map.viewport.width / 2, y: map.viewport.height / 2 }, factor)
        }}
        onFit={() => controller.current?.fit()}
      />
      {hovered !== null && (
        <MapTooltip node={scene.nodes[hovered.index]} tile={scene.tiles[hovered.index]} at={hovered.at} />
      )}
    </div>
  )
}

interface MapOptionProps {
  readonly id: string
  readonly index: number
  readonly scene: Scene
  readonly layout: MapLayout
  readonly selected: boolean
  readonly nowMs: number
}

/** Lies unseen over its tile, so that what a person points at and what a screen reader names are the same thing. */
function MapOption({ id, index, scene, layout, selected, nowMs }: MapOptionProps) {
  const node = scene.nodes[index]
  const tile = scene.tiles[index]
  const group = groupOf(layout, index)
  if (node === undefined || tile === undefined || group === undefined || group.collapsed) return null
  const at = tilePosition(layout, group, index)
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the listbox keeps the focus and names its active descendant
    <div
      id={id}
      role="option"
      aria-selected={selected}
      aria-setsize={scene.nodes.length}
      aria-posinset={index + 1}
      aria-label={tileSentence(node, tile, nowMs)}
      data-node={node.name}
      data-fill={tile.fill}
      data-busy={tile.busy || undefined}
      className="absolute"
      style={{ left: at.x, top: at.y, width: layout.side, height: layout.side }}
    />
  )
}

/** Titles are painted on the canvas; these carry their clicks and their names. Out of sight but for the focus ring. */
function GroupButtons({
  groups,
  layout,
  collapsed,
  onToggle,
}: {
  readonly groups: readonly FleetGroup[]
  readonly layout: MapLayout | null
  readonly collapsed: ReadonlySet<string>
  readonly onToggle: (key: string) => void
}) {
  if (layout === null) return null
  return (
    <div className="pointer-events-none absolute inset-0">
      {groups.map((group) => (
        <button
          key={group.key}
          type="button"
          aria-expanded={!collapsed.has(group.key)}
          aria-label={`${group.title}, ${group.nodes.length} nodes`}
          onClick={() => onToggle(group.key)}
          className="absolute top-1 left-1 h-6 w-px rounded-md opacity-0 focus-visible:pointer-events-auto focus-visible:w-auto focus-visible:bg-raised focus-visible:px-2 focus-visible:opacity-100"
        >
          {collapsed.has(group.key) ? 'Show' : 'Fold'} {group.title}
        </button>
      ))}
    </div>
  )
}

interface KeyContext {
  readonly map: MapController
  readonly scene: Scene
  readonly focusIndex: number | undefined
  readonly focusOn: (index: number) => void
  readonly toggle: (index: number) => void
  readonly props: FleetMapProps
}

/** @returns whether the key meant something here */
function handleMapKey(event: KeyboardEvent, { map, scene, focusIndex, focusOn, toggle, props }: KeyContext): boolean {
  const direction = arrows[event.key]
  const middle = { x: map.viewport.width / 2, y: map.viewport.height / 2 }
  if (direction !== undefined && (event.ctrlKey || event.metaKey)) {
    map.panBy(
      direction === 'left' ? panStepPixels : direction === 'right' ? -panStepPixels : 0,
      direction === 'up' ? panStepPixels : direction === 'down' ? -panStepPixels : 0,
    )
    return true
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return false
  if (direction !== undefined) {
    const from = focusIndex ?? firstShown(map.layout) ?? 0
    const to = neighbour(map.layout, from, direction)
    if (event.shiftKey) {
      const ids = [from, to].flatMap((index) => scene.nodes[index]?.id ?? [])
      props.onSelectedChange(new Set([...props.selected, ...ids]))
    }
    focusOn(to)
    return true
  }
  const id = focusIndex === undefined ? undefined : scene.nodes[focusIndex]?.id
  if (event.key === 'Home') focusOn(0)
  else if (event.key === 'End') focusOn(scene.nodes.length - 1)
  else if (event.key === 'Enter' && id !== undefined) props.onOpen(id)
  else if (event.key === ' ' && focusIndex !== undefined) toggle(focusIndex)
  else if (event.key === 'Escape' && props.selected.size > 0) props.onSelectedChange(new Set())
  else if (event.key === '+' || event.key === '=') map.zoomBy(anchorOf(map, focusIndex) ?? middle, zoomStep)
  else if (event.key === '-') map.zoomBy(anchorOf(map, focusIndex) ?? middle, 1 / zoomStep)
  else if (event.key === '0') map.fit()
  else return false
  return true
}

function anchorOf(map: MapController, index: number | undefined): Point | null {
  const group = index === undefined ? undefined : groupOf(map.layout, index)
  if (index === undefined || group === undefined || group.collapsed) return null
  const at = tilePosition(map.layout, group, index)
  const half = map.layout.side / 2
  return { x: (at.x + half) * map.camera.zoom + map.camera.x, y: (at.y + half) * map.camera.zoom + map.camera.y }
}

/** A wheel or a pinch zooms around the pointer. React listens passively, so this one is added by hand. */
function useWheelZoom(
  frame: { readonly current: HTMLDivElement | null },
  controller: { readonly current: MapController | null },
  onMove: () => void,
): void {
  const moved = useRef(onMove)
  moved.current = onMove
  useEffect(() => {
    const element = frame.current
    if (element === null) return
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault()
      const map = controller.current
      if (map === null) return
      moved.current()
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1
      if (event.shiftKey) {
        map.panBy(-(event.deltaX || event.deltaY) * lines, 0)
        return
      }
      const box = element.getBoundingClientRect()
      const speed = event.ctrlKey ? 0.01 : 0.0016
      map.zoomBy({ x: event.clientX - box.left, y: event.clientY - box.top }, Math.exp(-event.deltaY * lines * speed))
    }
    element.addEventListener('wheel', onWheel, { passive: false })
    return () => element.removeEventListener('wheel', onWheel)
  }, [frame, controller])
}

interface PointerContext {
  readonly frame: { readonly current: HTMLDivElement | null }
  readonly controller: { readonly current: MapController | null }
  readonly scene: Scene
  readonly props: FleetMapProps
  readonly setHovered: (hovered: { readonly index: number; readonly at: Point } | null) => void
  readonly toggle: (index: number) => void
  readonly focusOn: (index: number) => void
}

type Drag = { readonly kind: 'pan' | 'lasso'; readonly from: Point; readonly last: Point; readonly moved: boolean }

/** Drag pans, Shift and drag draws a lasso, a click opens, Shift or Ctrl and a click select. */
function usePointer({ frame, controller, scene, props, setHovered, toggle, focusOn }: PointerContext) {
  const drag = useRef<Drag | null>(null)
  const pointOf = (event: PointerEvent): Point => {
    const box = frame.current?.getBoundingClientRect()
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) }
  }
  const hitAt = (point: Point): Hit => {
    const map = controller.current
    return map === null ? { kind: 'ground' } : hitTest(map.layout, toMap(map.camera, point))
  }
  const onPointerDown = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.button > 1 || (event.target instanceof Element && event.target.closest('button') !== null)) return
    const point = pointOf(event)
    drag.current = { kind: event.shiftKey ? 'lasso' : 'pan', from: point, last: point, moved: false }
    event.currentTarget.setPointerCapture(event.pointerId)
  }
  const onPointerMove = (event: PointerEvent<HTMLDivElement>): void => {
    const map = controller.current
    const point = pointOf(event)
    const current = drag.current
    if (map === null) return
    if (current === null) {
      const hit = hitAt(point)
      if (frame.current !== null) frame.current.style.cursor = hit.kind === 'ground' ? 'default' : 'pointer'
      setHovered(hit.kind === 'tile' && levelOf(map.side) !== 'card' ? { index: hit.index, at: point } : null)
      return
    }
    const moved = current.moved || Math.hypot(point.x - current.from.x, point.y - current.from.y) > dragThresholdPixels
    drag.current = { ...current, last: point, moved }
    if (!moved) return
    setHovered(null)
    if (current.kind === 'pan') map.panBy(point.x - current.last.x, point.y - current.last.y)
    else map.setOverlay({ lasso: [current.from, point] })
  }
  const finishLasso = (map: MapController, from: Point, to: Point): void => {
    const caught = tilesIn(map.layout, boxOf(toMap(map.camera, from), toMap(map.camera, to)))
    map.setOverlay({ lasso: null })
    props.onSelectedChange(new Set([...props.selected, ...caught.flatMap((index) => scene.nodes[index]?.id ?? [])]))
  }
  const click = (point: Point, event: PointerEvent): void => {
    const hit = hitAt(point)
    if (hit.kind === 'title' || hit.kind === 'bar') props.onToggleGroup(hit.group.key)
    if (hit.kind === 'ground' && props.selected.size > 0) props.onSelectedChange(new Set())
    if (hit.kind !== 'tile') return
    focusOn(hit.index)
    if (event.shiftKey || event.ctrlKey || event.metaKey) toggle(hit.index)
    else openOrPress(hit.index, point)
  }
  const openOrPress = (index: number, point: Point): void => {
    const map = controller.current
    const id = scene.nodes[index]?.id
    if (map === null || id === undefined) return
    const button = levelOf(map.side) === 'card' ? cardButtonAt(map, index, point) : null
    if (button === null) props.onOpen(id)
    else props.onCardButton(button, id)
  }
  const onPointerUp = (event: PointerEvent<HTMLDivElement>): void => {
    const current = drag.current
    const map = controller.current
    drag.current = null
    if (current === null || map === null) return
    if (event.type === 'pointercancel') map.setOverlay({ lasso: null })
    else if (!current.moved) click(current.from, event)
    else if (current.kind === 'lasso') finishLasso(map, current.from, current.last)
  }
  return { onPointerDown, onPointerMove, onPointerUp }
}

function cardButtonAt(map: MapController, index: number, screen: Point): 'resync' | 'renew' | null {
  const group = groupOf(map.layout, index)
  if (group === undefined) return null
  const at = tilePosition(map.layout, group, index)
  const x = screen.x - Math.round(at.x * map.camera.zoom + map.camera.x)
  const y = screen.y - Math.round(at.y * map.camera.zoom + map.camera.y)
  return (
    cardButtons(map.side).find(
      (button) => x >= button.x && x < button.x + button.width && y >= button.y && y < button.y + button.height,
    )?.kind ?? null
  )
}
