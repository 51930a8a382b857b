import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { renderNode } from './nodes.ts'

describe('a node on the command line', () => {
  it('F54 F56 D4 shows what was proven of its host certificate, its revocation list and its being a storage', () => {
    const bare = renderNode(aNode())
    for (const word of ['host cert', 'obeys list', 'storage ']) expect(bare).not.toContain(word)
    const text = renderNode(
      aNode({
        hostCertificate: {
          serial: '15',
          authorityFingerprint: 'SHA256:x',
          validAfter: 0,
          validBefore: 1000,
          verifiedAt: 0,
        },
        krl: { version: 6, verifiedAt: 2000 },
        storage: {
          settings: { user: 'sync', principals: ['sync-agent'], breakGlass: { kind: 'console', note: 'rack 4' } },
          appliedAt: 0,
          appliedBy: 'anna',
          verifiedAt: 3000,
          backupDirectory: '/var/backups/x',
        },
      }),
    )
    expect(text).toMatch(/host cert +serial 15, until 1970-01-01T00:00:01Z/)
    expect(text).toMatch(/obeys list +version 6, proven 1970-01-01T00:00:02Z/)
    expect(text).toMatch(/storage +sync with sync-agent; fresh login proven 1970-01-01T00:00:03Z; .*rack 4/)
  })
})
