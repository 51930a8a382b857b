import { describe, expect, it } from 'vitest'
import type { FleetNode } from '../../../shared/model/node.ts'
import { overviewOf, standingOf } from './expiry.ts'

const hourMs = 3_600_000
const nodeWith = (validBefore: number | null, acceptedAt: number | null = 1): FleetNode =>
  ({
    certificate: validBefore === null ? null : { serial: '1', validAfter: 0, validBefore, acceptedAt },
  }) as unknown as FleetNode

describe('expiry overview', () => {
  it('N4 counts by the hour in which certificates run out', () => {
    const nodes = [
      nodeWith(1000 + 10),
      nodeWith(1000 + hourMs),
      nodeWith(1000 + 23.9 * hourMs),
      nodeWith(1000 + 24 * hourMs),
      nodeWith(1000),
      nodeWith(null),
    ]
    const overview = overviewOf(nodes, 1000)
    expect(overview.byHour[0]).toBe(1)
    expect(overview.byHour[1]).toBe(1)
    expect(overview.byHour[23]).toBe(1)
    expect(overview).toMatchObject({ expired: 1, later: 1, none: 1 })
  })

  it('F53 calls a certificate accepted only when a login with it has succeeded', () => {
    expect(standingOf(nodeWith(5000, null), 1000)).toBe('issued')
    expect(standingOf(nodeWith(5000, 900), 1000)).toBe('accepted')
    expect(standingOf(nodeWith(1000, 900), 1000)).toBe('expired')
    expect(standingOf(nodeWith(null), 1000)).toBe('none')
  })
})
