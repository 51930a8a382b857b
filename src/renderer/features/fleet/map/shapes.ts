import type { Shape } from './styles.ts'

/** Below this side a shape is only a square of colour. */
export const shapedSide = 7

type Emit = (context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number) => void

const square: Emit = (context, x, y, width, height) => context.rect(x, y, width, height)

/** Edge of a hollow tile, and the width of bars, for a side. */
const edgeOf = (side: number): number => Math.max(1, Math.min(6, Math.round(side * 0.2)))

const ring: Emit = (context, x, y, width, height) => {
  const edge = edgeOf(Math.min(width, height)) + (width >= 12 ? 1 : 0)
  context.rect(x, y, width, height)
  context.rect(x + edge, y + edge, width - 2 * edge, height - 2 * edge)
}

/** The lower right half, under a thin frame that keeps the tile a square. */
const half: Emit = (context, x, y, width, height) => {
  context.moveTo(x + width, y)
  context.lineTo(x + width, y + height)
  context.lineTo(x, y + height)
  context.closePath()
  if (width < 10) return
  context.rect(x, y, width - 1, 1)
  context.rect(x, y, 1, height - 1)
}

const barred: Emit = (context, x, y, width, height) => {
  const count = width >= 22 ? 3 : 2
  const bar = width / (count * 2 - 1)
  for (let each = 0; each < count; each += 1) context.rect(x + each * 2 * bar, y, bar, height)
}

const dashed: Emit = (context, x, y, width, height) => context.rect(x + 0.75, y + 0.75, width - 1.5, height - 1.5)

/** Parallel lines from lower left to upper right, cut to the tile by arithmetic instead of by a clip. */
const hatched: Emit = (context, x, y, width, height) => {
  context.rect(x + 0.5, y + 0.5, width - 1, height - 1)
  const step = Math.max(3, Math.min(7, width / 4))
  for (let offset = step; offset < width + height; offset += step) {
    const startX = Math.max(0, offset - height)
    const endX = Math.min(width, offset)
    context.moveTo(x + startX, y + offset - startX)
    context.lineTo(x + endX, y + offset - endX)
  }
}

/** Nine dots, or four where nine would run together. */
const dotted: Emit = (context, x, y, width, height) => {
  const count = Math.min(width, height) >= 14 ? 3 : 2
  const dot = { width: width / (count * 2 - 1), height: height / (count * 2 - 1) }
  for (let row = 0; row < count; row += 1)
    for (let column = 0; column < count; column += 1)
      context.rect(x + column * 2 * dot.width, y + row * 2 * dot.height, dot.width, dot.height)
}

interface ShapePainter {
  readonly emit: Emit
  readonly finish: (context: CanvasRenderingContext2D, side: number) => void
}

const fill = (context: CanvasRenderingContext2D): void => context.fill()

const painters: Readonly<Record<Shape, ShapePainter>> = {
  solid: { emit: square, finish: fill },
  flat: { emit: square, finish: fill },
  ring: { emit: ring, finish: (context) => context.fill('evenodd') },
  half: { emit: half, finish: fill },
  barred: { emit: barred, finish: fill },
  dotted: { emit: dotted, finish: fill },
  dashed: {
    emit: dashed,
    finish: (context, side) => {
      const dash = Math.max(2, Math.min(6, side / 5))
      context.lineWidth = side >= 12 ? 1.5 : 1
      context.setLineDash([dash, dash * 0.8])
      context.stroke()
      context.setLineDash([])
    },
  },
  hatched: {
    emit: hatched,
    finish: (context) => {
      context.lineWidth = 1
      context.stroke()
    },
  },
}

const plainSquares: ShapePainter = { emit: square, finish: fill }

/** Many tiles of one shape and colour are one path. */
export function beginShape(
  context: CanvasRenderingContext2D,
  shape: Shape,
  side: number,
  colour: string,
): { readonly add: Emit; readonly end: () => void } {
  const painter = side < shapedSide ? plainSquares : painters[shape]
  context.fillStyle = colour
  context.strokeStyle = colour
  context.beginPath()
  return { add: painter.emit, end: () => painter.finish(context, side) }
}
