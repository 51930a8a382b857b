import { describe, expect, it } from 'vitest'
import { Address, DisplayName } from '../shared/model/text.ts'
import { catalogue } from './catalogue.ts'

describe('catalogue of demo nodes', () => {
  it('gives a thousand nodes names and addresses of their own', () => {
    const entries = catalogue(1000)
    expect(new Set(entries.map((entry) => entry.name)).size).toBe(1000)
    expect(new Set(entries.map((entry) => entry.preferredAddress)).size).toBe(1000)
    for (const entry of entries) {
      expect(DisplayName.safeParse(entry.name).success).toBe(true)
      expect(Address.safeParse(entry.preferredAddress).success).toBe(true)
      expect(entry.name).toMatch(/^[a-z0-9-]+$/)
    }
  })

  it('keeps the names of the smaller fleet in the larger one', () => {
    expect(catalogue(50).slice(0, 12)).toEqual(catalogue(12))
  })

  it('has every kind that syncs among the first twelve', () => {
    expect(new Set(catalogue(12).map((entry) => entry.kind))).toEqual(
      new Set(['laptop', 'vps', 'worker', 'storage', 'vm']),
    )
  })
})
