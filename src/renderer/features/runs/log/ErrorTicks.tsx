import { useEffect, useRef } from 'react'

const width = 6

interface ErrorTicksProps {
  readonly lines: readonly number[]
  readonly hits: readonly number[]
  readonly lineCount: number
  readonly height: number
}

/** Marks beside the scroll bar: where errors are, and where the search has found something. */
export function ErrorTicks({ lines, hits, lineCount, height }: ErrorTicksProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const context = canvas.current?.getContext('2d') ?? null
    if (context === null || canvas.current === null) return
    const style = getComputedStyle(canvas.current)
    context.clearRect(0, 0, width, height)
    const draw = (numbers: readonly number[], colour: string, thickness: number): void => {
      context.fillStyle = style.getPropertyValue(colour)
      const pixels = new Set(
        numbers.map((line) => Math.min(height - thickness, Math.floor((line / Math.max(1, lineCount)) * height))),
      )
      for (const at of pixels) context.fillRect(0, at, width, thickness)
    }
    draw(hits, '--pending', 2)
    draw(lines, '--error', 3)
  }, [lines, hits, lineCount, height])
  return (
    <canvas
      ref={canvas}
      width={width}
      height={Math.max(1, height)}
      aria-hidden
      className="pointer-events-none absolute top-0 right-3"
    />
  )
}
