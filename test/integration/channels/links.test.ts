import { lchown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { sshdMissing } from '../../support/sshd.ts'
import { bytes, type ChannelRig, createChannelRig, isRoot, missing, order, type Programs } from './rig.ts'

const nobody = 65_534

describe.skipIf(sshdMissing !== null || !isRoot)('links, for a login that is root', () => {
  let rig: ChannelRig
  beforeAll(async () => {
    rig = await createChannelRig()
  })
  afterAll(() => rig?.stop())
  afterEach(() => rig.reset())

  it.each(['usual', 'dash', 'busybox'] satisfies Programs[])(
    'one of another user is not followed, neither to read nor to write; its own is (%s)',
    async (programs) => {
      if (missing(programs) !== null) return
      const place = join(rig.directory, `links of ${programs}`)
      await mkdir(place)
      const [precious, trap, own] = [join(place, 'precious'), join(place, 'trap'), join(place, 'own')]
      await writeFile(precious, 'root:x:0:0')
      await symlink(precious, trap)
      await lchown(trap, nobody, nobody)
      await symlink(precious, own)
      const { node } = await rig.addNode({ programs })
      const channels = rig.channels()
      const content = bytes('http: {}\n')
      for (const wanted of [
        { kind: 'read', path: trap } as const,
        { kind: 'replace', path: trap, ifState: 'any', content } as const,
      ]) {
        const answer = await order(channels, node, wanted)
        expect(answer).toMatchObject({ kind: 'refused', code: 'REMOTE_PATH_INVALID' })
        expect(JSON.stringify(answer)).not.toContain('root:x')
      }
      expect(await readFile(precious, 'utf8')).toBe('root:x:0:0')
      expect(await order(channels, node, { kind: 'replace', path: own, ifState: 'any', content })).toMatchObject({
        kind: 'replaced',
      })
      expect(await readFile(precious, 'utf8')).toBe('http: {}\n')
    },
  )
})
