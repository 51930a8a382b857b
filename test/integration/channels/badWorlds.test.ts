import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { NodeAnswer } from '../../../src/engine/ports.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { freePort, sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'
import {
  bytes,
  type ChannelRig,
  createChannelRig,
  failureOf,
  missing,
  order,
  type Programs,
  readable,
  temporaries,
  text,
  timeoutMs,
} from './rig.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

const sha = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
/** One that has ended may wait for its parent, or for init, to take note. */
const alive = async (pid: number): Promise<boolean> => {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return !/\) Z/.test(state)
}

describe.skipIf(sshdMissing !== null)('exchanges in bad worlds', () => {
  let rig: ChannelRig
  let place: string
  let made = 0

  beforeAll(async () => {
    rig = await createChannelRig()
  })
  beforeEach(async () => {
    made += 1
    place = join(rig.directory, `world-${made}`)
    await mkdir(place)
  })
  afterEach(() => rig.reset())
  afterAll(() => rig.stop())

  it('S1.44 S1.78 a shell that prints a banner before and after is understood', async () => {
    const forced = 'ForceCommand echo "Welcome to $USER"; printf "no newline "; sh -c "$SSH_ORIGINAL_COMMAND"; echo bye'
    const { node } = await rig.addNode({ extraConfig: [forced] })
    const channels = rig.channels()
    const path = join(place, 'file')
    const replaced = await channels.exchange(
      node,
      [
        { kind: 'replace', path, ifState: 'any', content: bytes('x') },
        { kind: 'run', script: 'echo hi' },
      ],
      { timeoutMs },
    )
    expect(replaced.via).toBe('channel')
    expect(replaced.answers.map(readable)).toEqual([
      { kind: 'replaced', state: sha('x'), how: 'renamed' },
      { kind: 'ran', exitCode: 0, stdout: 'hi\n', stderr: '' },
    ])
  })

  it('S1.78 a shell that hangs after the login ends by the time limit, with a diagnosis', async () => {
    const { node } = await rig.addNode({ extraConfig: ['ForceCommand echo "mounting home"; exec sleep 60'] })
    const channels = rig.channels()
    const failure = await failureOf(
      channels.exchange(node, [{ kind: 'read', path: '/etc/hosts' }], { timeoutMs: 1_500 }),
    )
    expect(failure.code).toBe('CONNECTION_TIMED_OUT')
    expect(failure.diagnosis?.transient).toBe(true)
    expect(failure.diagnosis?.evidence.join('\n')).toContain('mounting home')
    expect(channels.openChannels()).toBe(0)
  })

  it('S1.78 a shell that refuses is one cause, with what it said', async () => {
    const { node } = await rig.addNode({ extraConfig: ['ForceCommand echo "This account is locked."; exit 1'] })
    const failure = await failureOf(
      rig.channels().exchange(node, [{ kind: 'read', path: '/etc/hosts' }], { timeoutMs }),
    )
    expect(failure.code).toBe('SHELL_REFUSED')
    expect(failure.diagnosis?.evidence.join('\n')).toContain('This account is locked.')
  })

  it('S1.44 a perfect copy of earlier answers passes for none', async () => {
    const log = join(place, 'wire')
    await writeFile(log, '')
    const forced = `ForceCommand cat ${log}; sh -c "$SSH_ORIGINAL_COMMAND" | tee -a ${log}`
    const { node } = await rig.addNode({ extraConfig: [forced] })
    const path = join(place, 'file')
    const first = rig.channels()
    expect(await order(first, node, { kind: 'replace', path, ifState: 'any', content: bytes('one') })).toMatchObject({
      kind: 'replaced',
    })
    expect(await order(first, node, { kind: 'read', path, unlessState: sha('one') })).toMatchObject({ kind: 'same' })
    const recorded = await readFile(log, 'utf8')
    expect(recorded).toContain(`replaced ${sha('one')} renamed`)
    await writeFile(path, 'two')
    // The banner is now everything that was ever answered, and so is what a script prints.
    const second = await rig.channels().exchange(
      node,
      [
        { kind: 'run', script: `cat ${log}; cat ${log} >&2` },
        { kind: 'read', path, unlessState: sha('one') },
      ],
      { timeoutMs },
    )
    expect(second.answers.map(readable)).toMatchObject([
      { kind: 'ran', stdout: expect.stringContaining(recorded), stderr: expect.stringContaining(recorded) },
      { kind: 'content', state: sha('two'), content: 'two' },
    ])
  })

  it('S1.44 no payload and no script shows in any process list', async () => {
    const canary = `canary${createHash('sha256').update(String(Math.random())).digest('hex')}`
    for (const programs of ['usual', 'dash'] as const) {
      const { node } = await rig.addNode({ programs })
      const script = `# ${canary}\ncat >/dev/null; for each in /proc/[0-9]*/cmdline; do cat "$each" 2>/dev/null; echo; done`
      const { answers } = await rig.channels().exchange(
        node,
        [
          { kind: 'replace', path: join(place, 'file'), ifState: 'any', content: bytes(canary) },
          { kind: 'run', script, stdin: bytes(canary) },
        ],
        { timeoutMs },
      )
      const list = answers[1]
      expect(list?.kind === 'ran' && text(list.stdout)).toContain('sshd')
      expect(list?.kind === 'ran' && text(list.stdout)).not.toContain(canary)
    }
  })

  it('S1.82 uses the shell where perl lacks its digest, and another session where only one is allowed', async () => {
    const perl = '#!/bin/sh\nexec /usr/bin/perl -e \'@INC=();eval $ARGV[2]\' x "$@"\n'
    const { node } = await rig.addNode({ commands: { perl }, extraConfig: ['MaxSessions 1'] })
    const channels = rig.channels()
    for (let round = 0; round < 3; round += 1) {
      const { via, answers } = await channels.exchange(node, [{ kind: 'run', script: 'echo $$' }], { timeoutMs })
      // Later ones may come before the server has counted out the command between them.
      if (round === 0) expect(via).toBe('channel')
      expect(answers[0]?.kind).toBe('ran')
      const result = await channels.pool.exec(node, 'echo other', { timeoutMs })
      expect(text(result.stdout)).toBe('other\n')
    }
    const none = await rig.addNode({ extraConfig: ['MaxSessions 0'] })
    const failure = await failureOf(channels.exchange(none.node, [{ kind: 'read', path: '/x' }], { timeoutMs }))
    expect(failure.code).toBe('CHANNEL_LIMIT')
  })

  it('S1.78 a script that takes too long is stopped, and the node is served again at once', async () => {
    const { node } = await rig.addNode()
    const channels = rig.channels()
    const path = join(place, 'pid')
    const failure = await failureOf(
      channels.exchange(node, [{ kind: 'run', script: `echo $$ >${path}; exec sleep 60` }], { timeoutMs: 2_000 }),
    )
    expect(failure.code).toBe('TIMED_OUT')
    const pid = Number(await readFile(path, 'utf8'))
    await waitFor('the end of the script', async () => !(await alive(pid)))
    expect(await order(channels, node, { kind: 'run', script: 'exit 3' })).toMatchObject({ exitCode: 3 })
  })

  it('S1.82 a worker that is killed is replaced, and a script that leaves something behind holds nobody up', async () => {
    const { node } = await rig.addNode()
    const channels = rig.channels()
    const flag = join(place, 'flag')
    const once = `if mkdir ${flag} 2>/dev/null; then kill -9 $PPID; fi; echo served`
    const { answers } = await channels.exchange(
      node,
      [
        { kind: 'replace', path: join(place, 'file'), ifState: 'any', content: bytes('x') },
        { kind: 'run', script: once, when: 'after-change' },
      ],
      { timeoutMs },
    )
    // Nobody could know whether the script had run, so it ran although nothing had to be written any more.
    expect(answers.map(readable)).toMatchObject([{ kind: 'same' }, { kind: 'ran', stdout: 'served\n' }])
    const left = await order(channels, node, { kind: 'run', script: 'sleep 60 & echo $!' })
    const pid = Number(left.kind === 'ran' && text(left.stdout))
    expect(await alive(pid)).toBe(true)
    process.kill(pid)
    const stubborn = await failureOf(channels.exchange(node, [{ kind: 'run', script: 'kill -9 $PPID' }], { timeoutMs }))
    expect(stubborn.code).toBe('CONNECTION_LOST')
  })

  it('S1.81 more than 16 MB is refused before anything is sent', async () => {
    const { node } = await rig.addNode()
    const channels = rig.channels()
    const path = join(place, 'large')
    const content = Buffer.alloc(17 * 1024 * 1024)
    const failure = await failureOf(
      channels.exchange(node, [{ kind: 'replace', path, ifState: 'any', content }], { timeoutMs }),
    )
    expect(failure.code).toBe('PAYLOAD_TOO_LARGE')
    expect(await readdir(place)).toEqual([])
  })

  it('S1.81 one exchange is a few KB of traffic more than its payload', async () => {
    const { node } = await rig.addNode()
    const channels = rig.channels()
    const content = bytes('x'.repeat(2_000))
    const change = (path: string) =>
      channels.exchange(node, [{ kind: 'replace', path, ifState: 'any', content }], { timeoutMs })
    await change(join(place, 'first'))
    const { bytes: sizeBytes } = await change(join(place, 'second'))
    expect(sizeBytes).toBeLessThan(2_000 + 500)
  })

  describe.each(['usual', 'dash', 'busybox'] satisfies Programs[])('with the programs of %s', (programs) => {
    const reason = missing(programs)

    it('two control planes at once: one wins, the other is told what lies there', async (context) => {
      if (reason !== null) return context.skip(reason)
      // Without `flock` there is nothing in a plain shell that two of them could meet at.
      if (programs === 'busybox') return context.skip('this busybox has no flock')
      const { node } = await rig.addNode({ programs })
      const both = [rig.channels(), rig.channels()]
      const path = join(place, 'file')
      await writeFile(path, 'old')
      for (let round = 0, state = sha('old'); round < 10; round += 1) {
        const contents = [`a${round}`, `b${round}`] as const
        const answers = await Promise.all(
          both.map((channels, index) =>
            order(channels, node, {
              kind: 'replace',
              path,
              ifState: state,
              content: bytes(contents[index] as string),
            }),
          ),
        )
        expect(answers.map((answer) => answer.kind).sort()).toEqual(['content', 'replaced'])
        const [lost] = answers.filter((answer): answer is NodeAnswer & { kind: 'content' } => answer.kind === 'content')
        state = lost?.state ?? ''
        expect(text(lost?.content ?? null)).toBe(await readFile(path, 'utf8'))
      }
      expect(await temporaries(place)).toEqual([])
    })

    it('S1.44 a connection that is cut at any byte leaves the old file or the new one, and nothing beside it', async (context) => {
      if (reason !== null) return context.skip(reason)
      const { node } = await rig.addNode({ programs })
      const path = join(place, 'file')
      const [old, new_] = [Buffer.alloc(150_000, 'old line\n'), Buffer.alloc(170_000, 'new line\n')]
      await writeFile(path, old)
      const seen = new Set<string>()
      for (let round = 0; round < 10; round += 1) {
        // The first ones fall into the login and the worker itself, most into the payload, the last behind it.
        const proxy = await cutAfter(node, 3_000 + round * 23_000)
        const through = rig.channels({ random: () => 0 })
        const content = round % 2 === 0 ? new_ : old
        await order(through, { ...node, port: proxy.port }, { kind: 'replace', path, ifState: 'any', content }).then(
          () => seen.add('done'),
          () => seen.add('cut'),
        )
        await proxy.close()
        const now = await readFile(path)
        expect(now.equals(old) || now.equals(new_), `round ${round}`).toBe(true)
      }
      expect(seen).toEqual(new Set(['done', 'cut']))
      await order(rig.channels(), node, { kind: 'replace', path, ifState: 'any', content: bytes('last') })
      expect(await readFile(path, 'utf8')).toBe('last')
      expect(await temporaries(place)).toEqual([])
    })
  })
})

/** Forwards to the node, and cuts both ways when so much has gone there. */
async function cutAfter(
  { address, port }: FleetNode,
  mostBytes: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  let leftBytes = mostBytes
  const server: Server = createServer((client) => {
    if (leftBytes <= 0) {
      client.destroy()
      return
    }
    const node = connect(port, address)
    for (const socket of [client, node]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    const cut = (): void => {
      client.destroy()
      node.destroy()
    }
    client.on('data', (chunk) => {
      node.write(chunk.subarray(0, leftBytes), () => {
        if (leftBytes <= 0) cut()
      })
      leftBytes -= Math.min(leftBytes, chunk.length)
    })
    node.on('data', (chunk) => client.write(chunk))
    client.on('close', cut)
    node.on('close', cut)
  })
  const free = await freePort()
  await new Promise<void>((resolve) => server.listen(free, '127.0.0.1', resolve))
  return {
    port: free,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
