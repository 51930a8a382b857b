import { chmod, lchown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
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

  it.each(['usual', 'dash', 'busybox'] satisfies Programs[])(
    'on the way to a file none is followed that another user could have put there, however it is reached (%s)',
    async (programs) => {
      if (missing(programs) !== null) return
      const place = join(rig.directory, `ways of ${programs}`)
      const at = (...parts: string[]): string => join(place, ...parts)
      await mkdir(at('private/etc'), { recursive: true })
      await writeFile(at('private/etc/hosts'), 'root:x:0:0')
      await mkdir(at('eve/sub'), { recursive: true })
      await symlink(at('private/etc'), at('eve/conf'))
      await lchown(at('eve/conf'), nobody, nobody)
      await lchown(at('eve'), nobody, nobody)
      await symlink('eve', at('to-eve'))
      await symlink('eve/conf/hosts', at('file-through-eve'))
      // Anybody could have put it there, although root owns the directory.
      await mkdir(at('shared'))
      await chmod(at('shared'), 0o1777)
      await symlink('../private/etc', at('shared/conf'))
      await lchown(at('shared/conf'), nobody, nobody)
      const { node } = await rig.addNode({ programs })
      const channels = rig.channels()
      const content = bytes('http: {}\n')
      const traps = [
        'eve/conf/hosts',
        'eve/sub/../conf/hosts',
        'to-eve/conf/hosts',
        'file-through-eve',
        'shared/conf/hosts',
      ]
      for (const trap of traps)
        for (const wanted of [
          { kind: 'read', path: at(trap) } as const,
          { kind: 'replace', path: at(trap), ifState: 'any', content } as const,
        ]) {
          const answer = await order(channels, node, wanted)
          expect(answer, trap).toMatchObject({
            kind: 'refused',
            code: 'REMOTE_PATH_INVALID',
            evidence: [expect.stringContaining('a link of another user')],
          })
        }
      expect(await readFile(at('private/etc/hosts'), 'utf8')).toBe('root:x:0:0')
    },
  )

  it.each(['usual', 'dash', 'busybox'] satisfies Programs[])(
    'links of root are followed, and those that lie where only root can put one (%s)',
    async (programs) => {
      if (missing(programs) !== null) return
      const place = join(rig.directory, `own ways of ${programs}`)
      const at = (...parts: string[]): string => join(place, ...parts)
      await mkdir(at('private/etc'), { recursive: true })
      await mkdir(at('eve'))
      await symlink('private/etc', at('etc'))
      await symlink(at('etc/../etc'), at('far'))
      await symlink('private/etc', at('given'))
      await lchown(at('given'), nobody, nobody)
      await symlink('../private', at('eve/root-made'))
      await lchown(at('eve'), nobody, nobody)
      const { node } = await rig.addNode({ programs })
      const channels = rig.channels()
      for (const [index, way] of ['etc', 'far', 'given', 'eve/root-made/etc', 'private/../etc'].entries()) {
        const content = bytes(`${index}\n`)
        const answer = await order(channels, node, {
          kind: 'replace',
          path: at(way, 'hosts'),
          ifState: 'any',
          content,
        })
        expect(answer, way).toMatchObject({ kind: 'replaced', how: 'renamed' })
        expect(await readFile(at('private/etc/hosts'), 'utf8')).toBe(`${index}\n`)
      }
      await symlink('loop', at('loop'))
      expect(await order(channels, node, { kind: 'read', path: at('loop/hosts') })).toMatchObject({
        kind: 'refused',
        code: 'REMOTE_PATH_INVALID',
      })
    },
  )
})
