import type { KeyboardEvent } from 'react'
import type { FleetMapProps } from './fleetMapProps.ts'
import { type Direction, firstShown, neighbour } from './hitTest.ts'
import { groupOf, type Point, tilePosition } from './layout.ts'
import type { MapController } from './MapController.ts'
import type { Scene } from './scene.ts'

const arrows: Readonly<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
}
const panStepPixels = 80
const zoomStep = 1.25

export interface KeyContext {
  readonly map: MapController
  readonly scene: Scene
  readonly focusIndex: number | undefined
  readonly focusOn: (index: number) => void
  readonly toggle: (index: number) => void
  readonly props: FleetMapProps
}

/** @returns whether the key meant something here */
export function handleMapKey(
  event: KeyboardEvent,
  { map, scene, focusIndex, focusOn, toggle, props }: KeyContext,
): boolean {
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
