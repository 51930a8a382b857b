import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'
import {
  bytes,
  type ChannelRig,
  createChannelRig,
  failureOf,
  missing,
  order,
  type Programs,
  text,
  timeoutMs,
} from './rig.ts'

const hasFlock = existsSync('/usr/bin/flock')

describe.skipIf(sshdMissing !== null || !hasFlock)('a directory that somebody else has locked', () => {
  let rig: ChannelRig
  let place: string
  let holder: ChildProcess | null = null
  let made = 0

  beforeAll(async () => {
    rig = await createChannelRig()
  })
  afterAll(() => rig?.stop())
  afterEach(async () => {
    await release()
    await rig.reset()
  })

  const isLocked = (): boolean => {
    try {
      execFileSync('flock', ['-n', place, 'true'])
      return false
    } catch {
      return true
    }
  }
  /** As any user of the node can, who may read it. */
  async function lock(): Promise<void> {
    made += 1
    place = join(rig.directory, `locked-${made}`)
    await mkdir(place)
    holder = spawn('flock', ['-F', place, 'sleep', '120'], { stdio: 'ignore' })
    await waitFor('the lock is held', isLocked)
  }
  async function release(): Promise<void> {
    const child = holder
    holder = null
    if (child === null) return
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await ended
  }

  it.each(['usual', 'dash'] satisfies Programs[])(
    'S1.78 holds up no run without end: it is refused, and told why (%s)',
    async (programs) => {
      const reason = missing(programs)
      if (reason !== null) return
      await lock()
      const path = join(place, 'hosts')
      await writeFile(path, 'old')
      const { node } = await rig.addNode({ programs })
      const answer = await order(rig.channels(), node, { kind: 'replace', path, ifState: 'any', content: bytes('new') })
      expect(answer).toMatchObject({ kind: 'refused', code: 'REMOTE_COMMAND_FAILED' })
      expect(JSON.stringify(answer)).toContain('another program holds its lock')
      expect(await readFile(path, 'utf8')).toBe('old')
    },
  )

  it('S1.78 what waited for it when it was given up ends, and writes nothing later', async () => {
    await lock()
    const path = join(place, 'hosts')
    await writeFile(path, 'old')
    const { node } = await rig.addNode()
    const channels = rig.channels()
    const ran = await order(channels, node, { kind: 'run', script: 'echo $PPID' })
    const worker = ran.kind === 'ran' ? Number(text(ran.stdout)) : 0
    expect(worker).toBeGreaterThan(1)
    const stale = { kind: 'replace', path, ifState: 'any', content: bytes('stale') } as const
    await failureOf(channels.exchange(node, [stale], { timeoutMs: 1_000 }))
    await waitFor('the worker has ended', async () => {
      const state = await readFile(`/proc/${worker}/stat`, 'utf8').catch(() => ') Z')
      return /\) Z/.test(state)
    })
    await release()
    const exchange = await channels.exchange(node, [{ kind: 'read', path }], { timeoutMs })
    expect(text(exchange.answers[0]?.kind === 'content' ? exchange.answers[0].content : null)).toBe('old')
  })
})
