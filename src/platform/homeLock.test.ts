import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acquireHomeLock, readHomeLockOwner } from './homeLock.ts'
import { readProcessIdentity } from './processIdentity.ts'

const moduleUrl = new URL('./homeLock.ts', import.meta.url).href
const nowMs = Date.UTC(2026, 0, 7, 9, 31, 12)

let directory: string
let path: string
let children: ChildProcess[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-lock-'))
  path = join(directory, 'engine.lock')
  children = []
})
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  rmSync(directory, { recursive: true, force: true })
})

type Outcomes = readonly string[]

/** A process that waits for a line on stdin, tries to take each lock, prints how each went, and keeps what it has. */
function contender(paths: readonly string[]) {
  const script = `
    const { acquireHomeLock } = await import(${JSON.stringify(moduleUrl)})
    const attempt = (path) => acquireHomeLock(path, { nowMs: ${nowMs} }).then(
      (lock) => 'owner ' + (lock.reclaimed?.reason ?? 'fresh'), (error) => error.code ?? String(error))
    process.stdin.on('end', () => process.exit(0))
    process.stdin.once('data', async () => {
      const outcomes = []
      for (const path of ${JSON.stringify(paths)}) outcomes.push(await attempt(path))
      console.log(JSON.stringify(outcomes))
    })
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    ready: async () => expect((await lines.next()).value).toBe('ready'),
    go: () => child.stdin.write('go\n'),
    outcomes: async () => JSON.parse(String((await lines.next()).value)) as Outcomes,
  }
}

/** Starts them at the same moment: all are ready before the first may begin. */
async function race(count: number, paths: readonly string[]) {
  const contenders = Array.from({ length: count }, () => contender(paths))
  await Promise.all(contenders.map(({ ready }) => ready()))
  for (const { go } of contenders) go()
  return { contenders, outcomes: await Promise.all(contenders.map(({ outcomes }) => outcomes())) }
}

function assertOneOwnerEach(outcomes: readonly Outcomes[], how: string): void {
  for (const index of outcomes[0]?.keys() ?? []) {
    const ofThisLock = outcomes.map((ofContender) => ofContender[index])
    expect(ofThisLock.filter((outcome) => outcome === how)).toEqual([how])
    expect(ofThisLock.filter((outcome) => outcome === 'HOME_IN_USE')).toHaveLength(outcomes.length - 1)
  }
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const lockPaths = (count: number) =>
  Array.from({ length: count }, (_, index) => {
    mkdirSync(join(directory, String(index)))
    return join(directory, String(index), 'engine.lock')
  })

describe('home lock', () => {
  it('S0.53-56 writes who owns the home, private to the user, and removes it on release', async () => {
    const lock = await acquireHomeLock(path, { nowMs })
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      pid: process.pid,
      startTime: readProcessIdentity(process.pid)?.startTime,
      hostname: hostname(),
      instanceId: lock.owner.instanceId,
      acquiredAt: '2026-01-07T09:31:12.000Z',
    })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(lock.reclaimed).toBeUndefined()
    lock.release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('S0.50 refuses while the owner lives, and says who it is', async () => {
    const lock = await acquireHomeLock(path, { nowMs })
    await expect(acquireHomeLock(path, { nowMs })).rejects.toMatchObject({
      code: 'HOME_IN_USE',
      data: { owner: { pid: process.pid, instanceId: lock.owner.instanceId } },
    })
    lock.release()
  })

  it('D6 releases nothing that is not its own', async () => {
    const lock = await acquireHomeLock(path, { nowMs })
    const other = { ...lock.owner, instanceId: 'somebody-else' }
    writeFileSync(path, JSON.stringify(other))
    lock.release()
    expect(await readHomeLockOwner(path)).toEqual(other)
  })

  it('S0.52 reclaims a corrupt lock and reports it', async () => {
    writeFileSync(path, '{"pid": 12')
    const lock = await acquireHomeLock(path, { nowMs })
    expect(lock.reclaimed).toEqual({ reason: 'corrupt', owner: undefined })
    lock.release()
  })

  it('D7 never reclaims a lock of another host by itself, but does when a person breaks it', async () => {
    const foreign = await acquireHomeLock(path, { nowMs, hostname: 'another-host' })
    const owner = { ...foreign.owner, pid: 999_999_999 }
    writeFileSync(path, JSON.stringify(owner))
    await expect(acquireHomeLock(path, { nowMs })).rejects.toMatchObject({ code: 'HOME_IN_USE', data: { owner } })
    const lock = await acquireHomeLock(path, { nowMs, breakInstanceId: owner.instanceId })
    expect(lock.reclaimed).toEqual({ reason: 'confirmed-by-a-person', owner })
    lock.release()
  })

  it('D7 is not fooled by a pid that was given to another process', async () => {
    const lock = await acquireHomeLock(path, { nowMs })
    const earlier = { ...lock.owner, startTime: 'earlier:1', instanceId: 'earlier' }
    writeFileSync(path, JSON.stringify(earlier))
    const next = await acquireHomeLock(path, { nowMs })
    expect(next.reclaimed?.reason).toBe('owner-dead')
    next.release()
  })

  it('S0.46-51 of 20 processes exactly one owns each home, fresh and again after all owners were killed', {
    timeout: 120_000,
  }, async () => {
    const paths = lockPaths(40)
    const first = await race(20, paths)
    assertOneOwnerEach(first.outcomes, 'owner fresh')
    await Promise.all(first.contenders.map(({ child }) => kill(child)))
    const second = await race(20, paths)
    assertOneOwnerEach(second.outcomes, 'owner owner-dead')
    for (const path of paths) expect(readdirSync(join(path, '..'))).toEqual(['engine.lock'])
  })

  it('S0.52 of 20 processes exactly one reclaims each corrupt lock', { timeout: 120_000 }, async () => {
    const paths = lockPaths(40)
    for (const path of paths) writeFileSync(path, 'garbage')
    const { outcomes } = await race(20, paths)
    assertOneOwnerEach(outcomes, 'owner corrupt')
  })

  it('is not blocked by a claim whose holder was killed between claim and replacement', async () => {
    const dead = {
      pid: 999_999_999,
      startTime: 'gone:1',
      hostname: hostname(),
      acquiredAt: new Date(nowMs).toISOString(),
    }
    writeFileSync(path, JSON.stringify({ ...dead, instanceId: 'dead-owner' }))
    const { createHash } = await import('node:crypto')
    const claim = createHash('sha256').update('engine.lock\ndead-owner').digest('hex').slice(0, 32)
    writeFileSync(`${path}.claim-${claim}`, JSON.stringify({ ...dead, instanceId: 'dead-claimant' }))
    const lock = await acquireHomeLock(path, { nowMs })
    expect(lock.reclaimed?.reason).toBe('owner-dead')
    expect(existsSync(`${path}.claim-${claim}`)).toBe(false)
    lock.release()
    expect(readdirSync(directory)).toEqual([])
  })
})
