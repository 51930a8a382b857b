import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { NodeChannels } from '../../../src/engine/ports.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { sshdMissing } from '../../support/sshd.ts'
import {
  bytes,
  type ChannelRig,
  createChannelRig,
  missing,
  order,
  type Programs,
  readable,
  temporaries,
  timeoutMs,
} from './rig.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

const sha = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

type Way = 'channel' | 'exec'

/** Ends the first shell that is asked for, so that no channel is to be had. */
const firstShellFails = (directory: string): string =>
  `#!/bin/sh\nif mkdir "${directory}/seen" 2>/dev/null; then exit 1; fi\nPATH=\${PATH#*:}\nexec sh "$@"\n`

const worlds: readonly (readonly [string, Programs, Way])[] = [
  ['perl', 'usual', 'channel'],
  ['dash', 'dash', 'channel'],
  ['bash', 'bash', 'channel'],
  ['busybox', 'busybox', 'channel'],
  ['dash by exec', 'dash', 'exec'],
  ['bash by exec', 'bash', 'exec'],
  ['busybox by exec', 'busybox', 'exec'],
]

describe.skipIf(sshdMissing !== null)('orders of an exchange on real nodes', () => {
  let rig: ChannelRig

  beforeAll(async () => {
    rig = await createChannelRig()
  })
  afterAll(() => rig.stop())

  describe.each(worlds)('with %s', (_, programs, way) => {
    const reason = missing(programs)
    let node: FleetNode
    let channels: NodeChannels
    let place: string

    beforeEach(async (context) => {
      if (reason !== null) return context.skip(reason)
      place = join(rig.directory, `place ${Math.random().toString(36).slice(2)}`)
      await mkdir(place)
      const commands = way === 'exec' ? { sh: firstShellFails(place) } : {}
      node = (await rig.addNode({ programs, commands })).node
      channels = rig.channels()
    })
    afterEach(() => rig.reset())

    it('S1.44 S1.82 D14 writes, proves, writes nothing twice and compares before it swaps, in one round trip', async () => {
      const path = join(place, 'routes.yml')
      const replace = { kind: 'replace', path, ifState: 'missing', content: bytes('a: 1\n') } as const
      const first = await channels.exchange(node, [replace, { kind: 'read', path }], { timeoutMs })
      expect(first.via).toBe(way)
      expect(first.login).toMatchObject({ nodeId: node.id, clockSkewMs: 0 })
      expect(first.answers.map(readable)).toEqual([
        { kind: 'replaced', state: sha('a: 1\n'), how: 'renamed' },
        { kind: 'content', state: sha('a: 1\n'), content: 'a: 1\n' },
      ])
      expect((await stat(path)).mode & 0o777).toBe(0o644)
      const { ino } = await stat(path)
      expect(await order(channels, node, replace)).toEqual({ kind: 'same', state: sha('a: 1\n') })
      expect((await stat(path)).ino).toBe(ino)
      const other = { ...replace, content: bytes('b') }
      expect(readable(await order(channels, node, other))).toEqual({
        kind: 'content',
        state: sha('a: 1\n'),
        content: 'a: 1\n',
      })
      expect(await readFile(path, 'utf8')).toBe('a: 1\n')
      const swapped = await order(channels, node, { ...other, ifState: sha('a: 1\n') })
      expect(swapped).toEqual({ kind: 'replaced', state: sha('b'), how: 'renamed' })
      expect(await order(channels, node, { kind: 'read', path, unlessState: sha('b') })).toEqual({
        kind: 'same',
        state: sha('b'),
      })
      expect(await temporaries(place)).toEqual([])
    })

    it('S1.44 keeps every byte: none, NUL, no newline at the end, 10 MB', async () => {
      const path = join(place, 'file')
      const contents = [
        bytes(''),
        bytes('no newline'),
        Buffer.from([0, 1, 2, 0, 255, 10, 0]),
        Buffer.alloc(10_000_000, 'hosts of many\n'),
        bytes('\n\n'),
      ]
      for (const content of contents) {
        const replaced = await order(channels, node, { kind: 'replace', path, ifState: 'any', content })
        expect(replaced).toEqual({ kind: 'replaced', state: sha(content), how: 'renamed' })
        expect((await readFile(path)).equals(content)).toBe(true)
        const read = await order(channels, node, { kind: 'read', path })
        expect(read.kind === 'content' && Buffer.from(read.content ?? []).equals(content)).toBe(true)
      }
    })

    it('D17 takes every path as it is: blanks, quotes, newlines, dashes, unicode, and ~ of the node', async () => {
      const names = [
        '-rf',
        'two words',
        `"'$(id)\`id\`;`,
        'line\nbreak\n',
        'back\\slash \\0101',
        'größe ✓',
        '*',
        '%s %b',
      ]
      for (const name of names) {
        const path = join(place, name)
        const replaced = await order(channels, node, {
          kind: 'replace',
          path,
          ifState: 'missing',
          content: bytes(name),
        })
        expect(replaced, name).toMatchObject({ kind: 'replaced', state: sha(name) })
        expect(await readFile(path, 'utf8')).toBe(name)
      }
      const inHome = `.lockstep-test-${process.pid}-${Math.random()}`
      await writeFile(join(userInfo().homedir, inHome), 'home')
      expect(readable(await order(channels, node, { kind: 'read', path: `~/${inHome}` }))).toMatchObject({
        content: 'home',
      })
      await rm(join(userInfo().homedir, inHome))
    })

    it('keeps mode and symbolic link, makes directories only when told to, and refuses what is no file', async () => {
      await mkdir(join(place, 'real'))
      const target = join(place, 'real', 'file')
      await writeFile(target, 'old')
      await chmod(target, 0o640)
      const link = join(place, 'link')
      await symlink('real/file', link)
      await writeFile(join(place, 'real', '.file.lockstep-0123456789ab'), 'left by an exchange that died')
      const write = (path: string, makeDirectory = false) =>
        order(channels, node, { kind: 'replace', path, ifState: 'any', content: bytes('new'), makeDirectory })
      expect(await write(link)).toMatchObject({ kind: 'replaced' })
      expect((await lstat(link)).isSymbolicLink()).toBe(true)
      expect(await readFile(target, 'utf8')).toBe('new')
      expect((await stat(target)).mode & 0o777).toBe(0o640)
      expect(await temporaries(join(place, 'real'))).toEqual([])
      expect(await write(join(place, 'a/b/c'))).toMatchObject({ kind: 'refused', code: 'REMOTE_PATH_INVALID' })
      expect(await write(join(place, 'a/b/c'), true)).toMatchObject({ kind: 'replaced' })
      expect(await write(join(place, 'real'))).toMatchObject({ kind: 'refused', code: 'REMOTE_PATH_INVALID' })
      expect(await write(join(target, 'below'), true)).toMatchObject({ kind: 'refused', code: 'REMOTE_PATH_INVALID' })
      expect(await write('relative')).toMatchObject({ kind: 'refused', code: 'REMOTE_PATH_INVALID' })
      await symlink('loop', join(place, 'loop'))
      expect(await write(join(place, 'loop'))).toMatchObject({ kind: 'refused', code: 'REMOTE_PATH_INVALID' })
      expect(await order(channels, node, { kind: 'read', path: join(place, 'nothing/here') })).toEqual({
        kind: 'content',
        state: 'missing',
        content: null,
      })
    })

    it('runs scripts apart from the channel: input, output, exit code, and only after a change when told to', async () => {
      const path = join(place, 'file')
      // Where a shell ended without a word, nobody knows what it did, and scripts after a change run in any case.
      await order(channels, node, { kind: 'read', path })
      const { answers } = await channels.exchange(
        node,
        [
          { kind: 'run', script: 'echo never', when: 'after-change' },
          { kind: 'replace', path, ifState: 'any', content: bytes('x') },
          { kind: 'run', script: 'cat; echo "to stderr $# $-x" >&2; pwd; exit 7\n', stdin: bytes('in\0put\n') },
          { kind: 'run', script: 'cat', when: 'after-change' },
          { kind: 'run', script: 'printf %s "$l_nonce$nonce"; exit' },
        ],
        { timeoutMs },
      )
      const home = userInfo().homedir
      expect(answers.map(readable)).toEqual([
        { kind: 'skipped' },
        { kind: 'replaced', state: sha('x'), how: 'renamed' },
        { kind: 'ran', exitCode: 7, stdout: `in\0put\n${home}\n`, stderr: expect.stringMatching(/^to stderr 0 /) },
        { kind: 'ran', exitCode: 0, stdout: '', stderr: '' },
        { kind: 'ran', exitCode: 0, stdout: '', stderr: '' },
      ])
      const deaf = { kind: 'run', script: 'exit 2', stdin: Buffer.alloc(200_000, 'ignored\n') } as const
      expect(readable(await order(channels, node, deaf))).toEqual({ kind: 'ran', exitCode: 2, stdout: '', stderr: '' })
      const loud = await order(channels, node, { kind: 'run', script: 'seq 1 200000; echo end >&2' })
      expect(loud.kind === 'ran' && [loud.stdout.length, loud.exitCode]).toEqual([262_144, 0])
      expect(readable(loud)).toMatchObject({ stderr: 'end\n' })
    })
  })
})
