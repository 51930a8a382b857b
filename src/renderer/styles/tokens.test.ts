import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

type Theme = 'dark' | 'light'

const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8')

function tokensOf(theme: Theme): ReadonlyMap<string, string> {
  const block = css.slice(css.indexOf(`[data-theme="${theme}"]`))
  const body = block.slice(block.indexOf('{') + 1, block.indexOf('}'))
  return new Map(
    [...body.matchAll(/--([a-z-]+):\s*(#[0-9a-f]{6});/g)].map((match) => [match[1] as string, match[2] as string]),
  )
}

/** Relative luminance as WCAG 2.2 defines it. */
function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(first: string, second: string): number {
  const [high, low] = [luminance(first), luminance(second)].sort((a, b) => b - a) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

const grounds = ['ground', 'surface', 'raised', 'hover', 'selection']
const texts = ['text', 'muted', 'faint', 'accent', 'in-step', 'pending', 'error', 'halted', 'unreachable']
const shapes = ['in-step', 'pending', 'error', 'busy', 'halted', 'unreachable', 'never-synced', 'maintenance', 'accent']

describe.each(['dark', 'light'] as const)('tokens of the %s theme', (theme) => {
  const tokens = tokensOf(theme)
  const value = (name: string): string => {
    const hex = tokens.get(name)
    if (hex === undefined) throw new Error(`no token --${name} in the ${theme} theme`)
    return hex
  }

  const textPairs = [
    ...texts.flatMap((text) => ['ground', 'surface', 'raised', 'hover'].map((ground) => [text, ground] as const)),
    ['text', 'selection'] as const,
    ['muted', 'selection'] as const,
    ['on-accent', 'accent'] as const,
    ['on-error', 'error'] as const,
  ]
  it.each(textPairs)('text %s on %s has at least 4.5:1', (text, ground) => {
    expect(contrast(value(text), value(ground))).toBeGreaterThanOrEqual(4.5)
  })

  it.each(shapes.flatMap((shape) => grounds.map((ground) => [shape, ground] as const)))(
    'shape %s on %s has at least 3:1',
    (shape, ground) => {
      expect(contrast(value(shape), value(ground))).toBeGreaterThanOrEqual(3)
    },
  )

  it('defines every token of the other theme', () => {
    expect([...tokens.keys()].sort()).toEqual([...tokensOf(theme === 'dark' ? 'light' : 'dark').keys()].sort())
  })
})
