import { type Area, ellipsize, type Frame, interfaceFont, tilesInArea } from './frame.ts'
import { barHeightPixels, headerPixels, type PlacedGroup, type Point } from './layout.ts'
import { paintTiles } from './paintTiles.ts'
import { beginShape } from './shapes.ts'
import { styles } from './styles.ts'

export interface GroupCounts {
  readonly title: string
  readonly byStyle: readonly number[]
}

function paintTitle(frame: Frame, group: PlacedGroup, counts: GroupCounts): void {
  const { context, theme, camera } = frame
  const x = group.x * camera.zoom + camera.x
  const baseline = (group.y + headerPixels) * camera.zoom + camera.y - 9
  const room = Math.max(group.width * camera.zoom, 60)
  const countRoom = String(group.count).length * 8
  context.textBaseline = 'alphabetic'
  context.font = `600 13px ${interfaceFont}`
  context.fillStyle = theme.text
  const title = ellipsize(context, `${group.collapsed ? '▸' : '▾'} ${counts.title}`, room - 8 - countRoom)
  context.fillText(title, x, baseline)
  let at = x + context.measureText(title).width + 8
  context.font = `12px ${interfaceFont}`
  const parts: (readonly [string, string])[] = [[String(group.count), theme.faint]]
  counts.byStyle.forEach((count, style) => {
    const token = styles[style]?.token
    if (count > 0 && token !== 'in-step')
      parts.push([`${count} ${styles[style]?.word}`, theme.styleColours[style] ?? theme.faint])
  })
  for (const [text, colour] of parts) {
    const width = context.measureText(text).width
    if (at + width > x + room) break
    context.fillStyle = colour
    context.fillText(text, at, baseline)
    at += width + 8
  }
}

/** A collapsed group: one bar, a part for each style, at least two pixels so that one error of 10,000 is still seen. */
function paintBar(frame: Frame, group: PlacedGroup, counts: GroupCounts): void {
  const { context, camera, theme } = frame
  const top = Math.round((group.y + headerPixels) * camera.zoom + camera.y)
  const height = Math.max(4, Math.round(barHeightPixels * camera.zoom))
  let left = group.x * camera.zoom + camera.x
  const width = group.width * camera.zoom
  counts.byStyle.forEach((count, style) => {
    if (count === 0) return
    const part = Math.max(2, (count / Math.max(1, group.count)) * width)
    const shape = beginShape(context, 'solid', height, theme.styleColours[style] ?? '')
    shape.add(context, left, top, Math.max(1, part - 1), height)
    shape.end()
    left += part
  })
}

function paintArea(frame: Frame, groups: readonly GroupCounts[], area: Area): void {
  const { context, theme, layout, camera } = frame
  context.fillStyle = theme.ground
  context.fillRect(area.x, area.y, area.width, area.height)
  paintTiles(frame, tilesInArea(layout, camera, area))
  layout.groups.forEach((group, index) => {
    const counts = groups[index]
    if (counts === undefined) return
    paintTitle(frame, group, counts)
    if (group.collapsed) paintBar(frame, group, counts)
  })
}

/** The whole map. */
export const paintMap = (frame: Frame, groups: readonly GroupCounts[]): void =>
  paintArea(frame, groups, { x: 0, y: 0, ...frame.viewport })

/** Room for what sticks out of a cell. */
const stripMargin = 4

/** The map after a pan by whole device pixels: what is painted already is moved, and only the strips that came into sight are new. */
export function shiftMap(frame: Frame, groups: readonly GroupCounts[], shift: Point): void {
  const { context, viewport } = frame
  const { canvas } = context
  context.save()
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.drawImage(
    canvas,
    Math.round((shift.x * canvas.width) / viewport.width),
    Math.round((shift.y * canvas.height) / viewport.height),
  )
  context.restore()
  const strips: readonly Area[] = [
    {
      x: shift.x > 0 ? 0 : viewport.width + shift.x - stripMargin,
      y: 0,
      width: shift.x === 0 ? 0 : Math.abs(shift.x) + stripMargin,
      height: viewport.height,
    },
    {
      x: 0,
      y: shift.y > 0 ? 0 : viewport.height + shift.y - stripMargin,
      width: viewport.width,
      height: shift.y === 0 ? 0 : Math.abs(shift.y) + stripMargin,
    },
  ]
  for (const strip of strips) {
    if (strip.width === 0 || strip.height === 0) continue
    context.save()
    context.beginPath()
    context.rect(strip.x, strip.y, strip.width, strip.height)
    context.clip()
    paintArea(frame, groups, strip)
    context.restore()
  }
}

/** Clears and paints the titles and bars, whose counts follow every change of a tile. */
export function repaintTitles(frame: Frame, groups: readonly GroupCounts[]): void {
  const { context, theme, layout, camera } = frame
  layout.groups.forEach((group, index) => {
    const counts = groups[index]
    if (counts === undefined) return
    const height = (headerPixels + (group.collapsed ? barHeightPixels : 0)) * camera.zoom
    const top = group.y * camera.zoom + camera.y
    const bottom = Math.floor(top + height) - (group.collapsed ? 0 : 5)
    context.fillStyle = theme.ground
    context.fillRect(
      Math.floor(group.x * camera.zoom + camera.x),
      Math.ceil(top),
      Math.ceil(group.width * camera.zoom) + 8,
      bottom - Math.ceil(top),
    )
    paintTitle(frame, group, counts)
    if (group.collapsed) paintBar(frame, group, counts)
  })
}
