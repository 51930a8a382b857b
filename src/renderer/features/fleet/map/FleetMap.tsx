import { type KeyboardEvent, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { NodeId } from '../../../../shared/model/ids.ts'
import { plural } from '../../../components/format.ts'
import { useNow } from '../../../stores/clock.ts'
import type { Camera } from './camera.ts'
import type { FleetMapProps } from './fleetMapProps.ts'
import { firstShown } from './hitTest.ts'
import type { MapLayout, Point } from './layout.ts'
import { MapController } from './MapController.ts'
import { GroupButtons, MapOption } from './MapOptions.tsx'
import { MapTooltip } from './MapTooltip.tsx'
import { handleMapKey } from './mapKeys.ts'
import { buildScene, TileCache } from './scene.ts'
import { onThemeChange, readMapTheme } from './theme.ts'
import { useMapPointer, useWheelZoom } from './useMapPointer.ts'
import { ZoomControls } from './ZoomControls.tsx'

/** Up to this many nodes all have their option in the document; above, only those around the focus. */
const allOptionsLimit = 400
const optionsAround = 24
/** How often remaining lifetimes are looked at again. */
const certificateStepMs = 15_000
/** Two canvases for the eyes, a listbox of real options for keyboards, screen readers and tests. */
export function FleetMap(props: FleetMapProps) {
  const { groups, collapsed, fill, selected } = props
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
    return buildScene(groups, fill, cache.current)
  }, [groups, fill, clock])
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
  const pointer = useMapPointer({
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
        aria-label={`Fleet map, ${plural(scene.nodes.length, 'node')}`}
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
