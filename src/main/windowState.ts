import { readFileSync } from 'node:fs'
import { z } from 'zod'

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const WindowState = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int().min(200).max(20_000),
  height: z.number().int().min(200).max(20_000),
  maximized: z.boolean(),
})
export type WindowState = z.infer<typeof WindowState>

export const defaultSize = { width: 1280, height: 800 } as const
export const minimumSize = { width: 860, height: 560 } as const

/** A missing or damaged file is as good as none. */
export function readWindowState(file: string): WindowState | null {
  try {
    return WindowState.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

/** @returns where to open, or only how large when that place is on no screen any more */
export function placeWindow(
  state: WindowState | null,
  workAreas: readonly Rectangle[],
): { width: number; height: number; x?: number; y?: number } {
  if (state === null) return { ...defaultSize }
  const { x, y, width, height } = state
  const titleIsVisible = workAreas.some(
    (area) =>
      x + width > area.x + 80 && x < area.x + area.width - 80 && y >= area.y - 10 && y < area.y + area.height - 40,
  )
  return titleIsVisible ? { x, y, width, height } : { width, height }
}
