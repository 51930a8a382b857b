import { describe, expect, it } from 'vitest'
import { type PaletteItem, rank, score } from './rank.ts'

const item = (kind: PaletteItem['kind'], label: string, detail = ''): PaletteItem => ({
  id: `${kind} ${label}`,
  kind,
  label,
  detail,
  keys: '',
  run: () => undefined,
})

const items = [
  item('node', 'worker-07', 'worker 10.0.0.7'),
  item('node', 'web-worker', 'vps 10.0.0.8'),
  item('action', 'Show the shortcuts'),
  item('run', 'edge → worker-07'),
  item('plan', 'edge config'),
  item('agent', 'db-export', 'agent on db-export.internal'),
]

describe('the palette', () => {
  it('puts what begins with the word before what only holds it', () => {
    expect(rank(items, 'worker', 10).map(({ label }) => label)).toEqual(['worker-07', 'web-worker', 'edge → worker-07'])
  })

  it('finds by what stands beside the name', () => {
    expect(rank(items, '10.0.0.8', 10).map(({ label }) => label)).toEqual(['web-worker'])
  })

  it('needs every word', () => {
    expect(score('worker nothing', 'worker-07')).toBe(0)
  })

  it('does not pour out the whole fleet before anything was typed', () => {
    expect(rank(items, '', 10).map(({ kind }) => kind)).toEqual(['action', 'plan'])
  })

  it('stops at its limit', () => {
    expect(rank(items, 'e', 2)).toHaveLength(2)
  })
})
