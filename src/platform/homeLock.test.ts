import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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

/** A process that waits for a line on stdin, tries to take the lock, prints what happened, and keeps what it has. */
function contender(): { readonly go: () => void; readonly outcome: Promise<string>; readonly child: ChildProcess } {
  const script = `
    const { acquireHomeLock } = await import(${JSON.stringify(moduleUrl)})
    process.stdin.on('end', () => process.exit(0))
    console.log('ready')
    process.stdin.once('data', async () => {
      try {
        const lock = await acquireHomeLock(${JSON.stringify(path)}, { nowMs: ${nowMs} })
        console.log('owner', lock.reclaimed?.reason ?? 'fresh')
      } catch (error) {
        console.log(error.code ?? String(error))
      }
    })`
  const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ready = lines.next()
  const outcome = (async () => {
    await ready
    return String((await lines.next()).value)
  })()
  return { go: () => void ready.then(() => child.stdin.write('go\n')), outcome, child }
}

async function race(count: number): Promise<{ readonly outcomes: string[]; readonly owner: ChildProcess | undefined }> {
  const contenders = Array.from({ length: count }, () => contender())
  for (const { go } of contenders) go()
  const outcomes = await Promise.all(contenders.map(({ outcome }) => outcome))
  const owner = contenders[outcomes.findIndex((outcome) => outcome.startsWith('owner'))]?.child
  return { outcomes, owner }
}

function assertOneOwner(outcomes: readonly string[], how: string): void {
  expect(outcomes.filter((outcome) => outcome === how)).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome === 'HOME_IN_USE')).toHaveLength(outcomes.length - 1)
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined) throw new Error('nobody owned the lock')
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

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

  it('S0.46-51 of 20 processes exactly one owns the home, fresh and again after each owner was killed', {
    timeout: 120_000,
  }, async () => {
    const fresh = await race(20)
    assertOneOwner(fresh.outcomes, 'owner fresh')
    let owner = fresh.owner
    for (let round = 0; round < 3; round += 1) {
      await kill(owner)
      const again = await race(20)
      assertOneOwner(again.outcomes, 'owner owner-dead')
      owner = again.owner
    }
  })

  it('S0.52 of 20 processes exactly one reclaims a corrupt lock', { timeout: 120_000 }, async () => {
    writeFileSync(path, 'garbage')
    const { outcomes } = await race(20)
    assertOneOwner(outcomes, 'owner corrupt')
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
