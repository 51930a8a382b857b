import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { NodeChannels, NodeOrder } from '../../../src/engine/ports.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { sshdMissing } from '../../support/sshd.ts'
import {
  bytes,
  type ChannelRig,
  createChannelRig,
  isRoot,
  missing,
  order,
  type Programs,
  readable,
  temporaries,
  timeoutMs,
} from './rig.ts'

const reasonAll = sshdMissing ?? (isRoot ? null : 'mounts, immutable files and other users need root')
if (reasonAll !== null) console.warn(`skipped: ${reasonAll}`)

const sha = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const write = (path: string, content: string | Uint8Array, more: Partial<NodeOrder> = {}): NodeOrder =>
  ({
    kind: 'replace',
    path,
    ifState: 'any',
    content: typeof content === 'string' ? bytes(content) : content,
    ...more,
  }) as NodeOrder

describe.skipIf(reasonAll !== null)('exchanges where the file system or the user is the trouble', () => {
  let rig: ChannelRig
  let made = 0
  const undo: (() => void)[] = []
  const run = (program: string, ...args: string[]): void => void execFileSync(program, args, { stdio: 'pipe' })

  beforeAll(async () => {
    rig = await createChannelRig()
  })
  afterAll(() => rig.stop())

  describe.each(['usual', 'dash', 'busybox'] satisfies Programs[])('with the programs of %s', (programs) => {
    const reason = missing(programs)
    let node: FleetNode
    let channels: NodeChannels
    let place: string

    beforeEach(async (context) => {
      if (reason !== null) return context.skip(reason)
      made += 1
      place = join(rig.directory, `root-${made}`)
      await mkdir(place)
      const added = await rig.addNode({ programs })
      node = added.node
      // sshd reads the principals as the user who logs in.
      await chmod(added.sshd.directory, 0o755)
      channels = rig.channels()
    })
    afterEach(async () => {
      await rig.reset()
      for (const step of undo.splice(0).reverse()) step()
    })

    const mounted = async (...options: string[]): Promise<string> => {
      const directory = join(place, 'disk')
      await mkdir(directory)
      run('mount', '-t', 'tmpfs', ...options, 'tmpfs', directory)
      undo.push(() => run('umount', directory))
      return directory
    }

    it('S1.44 a full disk leaves the old file whole and nothing beside it', async () => {
      const disk = await mounted('-o', 'size=1m')
      const path = join(disk, 'file')
      await writeFile(path, 'old')
      expect(await order(channels, node, write(path, Buffer.alloc(3_000_000, 'x')))).toMatchObject({
        kind: 'refused',
        code: 'REMOTE_DISK_FULL',
        evidence: [expect.stringContaining('No space left')],
      })
      expect(await readFile(path, 'utf8')).toBe('old')
      expect(await temporaries(disk)).toEqual([])
      // The shell is still in step with us.
      expect(await order(channels, node, write(path, 'new'))).toMatchObject({ kind: 'replaced', state: sha('new') })
    })

    it('S1.44 a read-only disk and an immutable file are named', async () => {
      const disk = await mounted('-o', 'size=1m')
      const path = join(disk, 'file')
      await writeFile(path, 'old')
      run('mount', '-o', 'remount,ro', disk)
      expect(await order(channels, node, write(path, 'new'))).toMatchObject({
        kind: 'refused',
        code: 'REMOTE_READ_ONLY',
      })
      const fixed = join(place, 'fixed')
      await writeFile(fixed, 'old')
      run('chattr', '+i', fixed)
      undo.push(() => run('chattr', '-i', fixed))
      expect(await order(channels, node, write(fixed, 'new'))).toMatchObject({
        kind: 'refused',
        code: 'REMOTE_FILE_IMMUTABLE',
      })
      expect(await order(channels, node, write(fixed, 'old'))).toEqual({ kind: 'same', state: sha('old') })
      expect(await temporaries(place)).toEqual([])
    })

    it('S1.44 a bind-mounted file is written in place, and is whole again where that fails', async () => {
      const disk = await mounted('-o', 'size=1m')
      const path = join(place, 'bound')
      const below = join(disk, 'below')
      await writeFile(below, 'the old content')
      await writeFile(path, '')
      run('mount', '--bind', below, path)
      undo.push(() => run('umount', path))
      const { ino } = await stat(path)
      expect(await order(channels, node, write(path, 'new'))).toEqual({
        kind: 'replaced',
        state: sha('new'),
        how: 'in-place',
      })
      expect([await readFile(below, 'utf8'), (await stat(path)).ino]).toEqual(['new', ino])
      expect(await order(channels, node, write(path, Buffer.alloc(3_000_000, 'x')))).toMatchObject({
        kind: 'refused',
        code: 'REMOTE_DISK_FULL',
      })
      expect(await readFile(below, 'utf8')).toBe('new')
      expect(await temporaries(place)).toEqual([])
    })

    it('S1.44 an ordinary user is refused without sudo, is told when sudo refuses, and goes through it where it may', async (context) => {
      if (!existsSync('/usr/bin/sudo') || !existsSync('/usr/sbin/useradd')) return context.skip('no sudo or no useradd')
      const user = `lsc${process.pid}x${made}`
      const home = join(place, 'home of user')
      run('useradd', '--password', '*', '--no-create-home', '--home-dir', home, '--shell', '/bin/sh', user)
      undo.push(() => run('userdel', '--force', user))
      await mkdir(home)
      run('chown', user, home)
      await chmod(place, 0o755)
      const asUser = { ...node, user }
      const path = join(place, 'hosts')
      await writeFile(path, 'old')
      await chmod(path, 0o600)
      const refused = (code: string) => ({ kind: 'refused', code })
      expect(await order(channels, asUser, write(path, 'new'))).toMatchObject(refused('REMOTE_PERMISSION_DENIED'))
      expect(await order(channels, asUser, { kind: 'read', path })).toMatchObject(refused('REMOTE_PERMISSION_DENIED'))
      const hidden = join(place, 'hidden')
      await mkdir(hidden, { mode: 0o700 })
      const below = { kind: 'read', path: join(hidden, 'deep/file') } as const
      expect(await order(channels, asUser, below)).toMatchObject(refused('REMOTE_PERMISSION_DENIED'))
      expect(await order(channels, asUser, write(path, 'new', { sudo: true }))).toMatchObject(refused('SUDO_REFUSED'))
      expect(await order(channels, asUser, write('~/own', 'mine'))).toMatchObject({ kind: 'replaced' })
      expect(await readFile(join(home, 'own'), 'utf8')).toBe('mine')
      const rule = `/etc/sudoers.d/${user}`
      await writeFile(rule, `${user} ALL=(root) NOPASSWD: ALL\n`, { mode: 0o440 })
      undo.push(() => spawnSync('rm', ['-f', rule]))
      const { answers } = await channels.exchange(
        asUser,
        [
          { kind: 'run', script: 'echo before any', when: 'after-change', sudo: true },
          write(path, 'new', { sudo: true }),
          { kind: 'read', path, sudo: true },
          { kind: 'run', script: 'id -u; pwd; cat; exit 4', stdin: bytes('in'), when: 'after-change', sudo: true },
          { kind: 'run', script: 'id -un', when: 'after-change' },
          write('~/roots', 'by root', { sudo: true }),
        ],
        { timeoutMs },
      )
      expect(answers.map(readable)).toEqual([
        { kind: 'skipped' },
        { kind: 'replaced', state: sha('new'), how: 'renamed' },
        { kind: 'content', state: sha('new'), content: 'new' },
        { kind: 'ran', exitCode: 4, stdout: `0\n${home}\nin`, stderr: '' },
        { kind: 'ran', exitCode: 0, stdout: `${user}\n`, stderr: '' },
        { kind: 'replaced', state: sha('by root'), how: 'renamed' },
      ])
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect(await readFile(join(home, 'roots'), 'utf8')).toBe('by root')
      // Its own links lead root where it could go itself; those of somebody else do not.
      await symlink(place, join(home, 'own link'))
      run('chown', '-h', user, join(home, 'own link'))
      await mkdir(join(place, 'other'))
      await symlink(place, join(place, 'other/link'))
      run('chown', '-h', '65534:65534', join(place, 'other/link'), join(place, 'other'))
      expect(await order(channels, asUser, write('~/own link/hosts', 'newer', { sudo: true }))).toMatchObject({
        kind: 'replaced',
      })
      const trap = join(place, 'other/link/hosts')
      for (const wanted of [write(trap, 'trapped', { sudo: true }), { kind: 'read', path: trap, sudo: true } as const])
        expect(await order(channels, asUser, wanted)).toMatchObject(refused('REMOTE_PATH_INVALID'))
      expect(await readFile(path, 'utf8')).toBe('newer')
      await rm(rule)
    })
  })
})
