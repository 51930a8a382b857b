import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { fingerprintOf, formatPublicKeyLine, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { WireWriter } from '../../platform/openssh/wire.ts'
import { foreignKeys, keysForNode, renderTrustFile } from './trustFile.ts'

const key = (fill: number) => {
  const publicKey = formatPublicKeyLine(new WireWriter().string('ssh-ed25519').string(Buffer.alloc(32, fill)).bytes())
  return { publicKey, fingerprint: fingerprintOf(parsePublicKeyLine(publicKey).blob) }
}

describe('the file of trusted keys', () => {
  it('S0.18 knows its own earlier keys from those of somebody else', () => {
    const written = renderTrustFile([key(1), key(2)])
    expect(foreignKeys(written, [key(3)])).toEqual([])
    expect(foreignKeys(`${written}${key(4).publicKey} somebody\n`, [key(3)])).toEqual([key(4).fingerprint])
    expect(foreignKeys(`${key(1).publicKey}\n`, [key(1)])).toEqual([])
    expect(foreignKeys('# a comment\n\n', [])).toEqual([])
    expect(foreignKeys('cert-authority nonsense\n', [])).toEqual(['cert-authority nonsense'])
  })

  it('D38 keeps the break-glass authority of a storage among the keys, once', () => {
    const settings = {
      user: 'sync',
      principals: ['sync-agent'],
      breakGlass: { kind: 'second-authority', publicKey: key(9).publicKey },
    }
    const storage = { settings, appliedAt: 0, appliedBy: 'x', verifiedAt: 0, backupDirectory: '/b' }
    expect(keysForNode(aNode({ storage }), [key(1)]).map(({ fingerprint }) => fingerprint)).toEqual([
      key(1).fingerprint,
      key(9).fingerprint,
    ])
    expect(keysForNode(aNode({ storage }), [key(9)])).toHaveLength(1)
    expect(keysForNode(aNode(), [key(1)])).toEqual([key(1)])
  })
})
