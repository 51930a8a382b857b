import { type PointerEvent, useEffect, useRef } from 'react'
import { toMap } from './camera.ts'
import type { FleetMapProps } from './fleetMapProps.ts'
import { boxOf, type Hit, hitTest, tilesIn } from './hitTest.ts'
import { groupOf, type Point, tilePosition } from './layout.ts'
import { cardButtons, levelOf } from './level.ts'
import type { MapController } from './MapController.ts'
import type { Scene } from './scene.ts'

const dragThresholdPixels = 4

/** A wheel or a pinch zooms around the pointer. React listens passively, so this one is added by hand. */
export function useWheelZoom(
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
export function useMapPointer({ frame, controller, scene, props, setHovered, toggle, focusOn }: PointerContext) {
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
