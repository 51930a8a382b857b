import { describe, expect, it } from 'vitest'
import { aService } from '../../../test/fakes/aRegistry.ts'
import { serviceWarnings } from './warnings.ts'

describe('warnings about services', () => {
  it('S1.23 S1.26 names who is reached when a subdomain is shared, and addresses that mean every node', () => {
    const open = aService()
    const hidden = aService({ name: 'hidden', port: 81, public: false })
    expect(serviceWarnings([open])).toEqual([])
    expect(serviceWarnings([open, hidden])).toEqual([
      '"hidden" and "demo" share the subdomain "demo"; on a VPS it leads to "demo", which is public.',
    ])
    expect(serviceWarnings([{ ...open, ip: '127.0.0.1' }])).toEqual([
      '"demo" has the address 127.0.0.1, which every node takes for itself.',
    ])
  })
})
