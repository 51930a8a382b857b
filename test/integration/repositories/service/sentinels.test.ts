import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newRun } from '../../../../src/core/run/newRun.ts'
import type { RemoteCommandResult, SshPool } from '../../../../src/engine/ports.ts'
import { createSentinels, type Sentinels } from '../../../../src/engine/repositories/sentinels.ts'
import { openStore, type SqliteStore } from '../../../../src/engine/store/index.ts'
import { systemClock } from '../../../../src/platform/clock.ts'
import { RepositoryId } from '../../../../src/shared/model/ids.ts'
import { Plan } from '../../../../src/shared/model/plan.ts'
import { RepositoryInput } from '../../../../src/shared/model/repository.ts'
import { aNode } from '../../../fakes/aNode.ts'
import { aRun } from '../../../fakes/aRun.ts'
import { commitOf } from '../../../fakes/fakeMirrors.ts'
import { commandInput } from '../../../support/commandInput.ts'

const nodeCount = 200
const runId = aRun().id
const plan = Plan.parse({
  id: aRun().planId,
  name: 'bring',
  kind: 'repository',
  selector: '*',
  spec: { repository: 'project' },
  revision: 1,
  digest: 'a'.repeat(64),
  createdAt: 0,
  updatedAt: 0,
})

let directory: string
let store: SqliteStore
let sentinels: Sentinels
let answer: (nodeName: string) => Partial<RemoteCommandResult> | Error
let atOnce: { now: number; most: number }
let commands: string[]

const says = (text: string): Partial<RemoteCommandResult> => ({ exitCode: 0, stdout: new TextEncoder().encode(text) })
const nodeId = (index: number): string => `01900000-0000-7000-8000-${String(index + 1).padStart(12, '0')}`

const exec: SshPool['exec'] = async (node, command, { stdin }) => {
  atOnce.now += 1
  atOnce.most = Math.max(atOnce.most, atOnce.now)
  commands.push(`${command}\n${(await commandInput(stdin)).toString('utf8')}`)
  await new Promise((resolve) => setImmediate(resolve))
  atOnce.now -= 1
  const said = answer(node.name)
  if (said instanceof Error) throw said
  return { exitCode: 0, signal: null, stdout: new Uint8Array(), stderr: new Uint8Array(), ...said }
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ls-sentinels-'))
  store = await openStore({ databaseFile: ':memory:', backupsDirectory: directory, clock: systemClock })
  atOnce = { now: 0, most: 0 }
  commands = []
  answer = () => says(`${commitOf('1')}\n`)
  sentinels = createSentinels({ store, sshPool: { exec }, clock: systemClock })
  const observed = { revision: 1, digest: 'b'.repeat(64), verifiedAt: 1, runId, commit: commitOf('1') }
  const state = { planId: plan.id, planName: 'bring', desiredRevision: 1, observed, driftSince: null, lastRunId: runId }
  await store.transact(async (transaction) => {
    await transaction.savePlan(plan)
    await transaction.saveRepository({
      id: RepositoryId.parse(nodeId(9_999)),
      settings: RepositoryInput.parse({ name: 'project', remote: 'https://git.example/p.git' }),
      hasToken: false,
      state: { heads: { main: commitOf('1') }, fetchedAt: 0, diagnosis: null, warnings: [] },
      createdAt: 0,
      updatedAt: 0,
    })
    for (let index = 0; index < nodeCount; index += 1)
      await transaction.saveNode(aNode({ id: nodeId(index), name: `node-${index}`, plans: [state] }))
  })
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

const driftOf = async (name: string) => (await store.findNodeByName(name))?.plans[0]?.driftSince ?? null

describe('S2.7 S2.15 sentinels of many nodes', () => {
  it('S2.15 S2.27 are read side by side, so many at once and no more, by a command that writes nothing', async () => {
    const readings = await sentinels.verify({ repository: 'project', plans: [], nodes: [] })
    expect(readings).toHaveLength(nodeCount)
    expect(new Set(readings.map(({ status }) => status))).toEqual(new Set(['matches']))
    expect(atOnce.most).toBeGreaterThan(1)
    expect(atOnce.most).toBeLessThanOrEqual(32)
    expect(commands[0]).toContain('.sync_rev')
    const writes = commands.filter((command) => /\b(?:git|rm|mv|tee|touch)\b|>(?!&[12]|\/dev\/null)/.test(command))
    expect(writes).toEqual([])
  })

  it('S2.16 one that says something else has drifted; what it says is bounded', async () => {
    answer = (name) => says(name === 'node-7' ? `\u001b[31m${'z'.repeat(100_000)}` : commitOf('1'))
    const readings = await sentinels.verify({ repository: 'project', plans: [], nodes: [] })
    const [other] = readings.filter(({ status }) => status === 'differs')
    expect(other?.nodeId).toBe(nodeId(7))
    expect(other?.found?.length).toBeLessThan(300)
    expect(await driftOf('node-7')).not.toBeNull()
    expect(await driftOf('node-8')).toBeNull()
  })

  it('S2.7 a run that works there has the word: what is seen meanwhile is shown, and is no drift', async () => {
    const { id, idempotencyKey, batchId } = aRun()
    const run = newRun({
      id,
      idempotencyKey,
      batchId,
      planId: plan.id,
      planName: plan.name,
      planKind: 'repository',
      planRevision: 1,
      nodeId: aNode({ id: nodeId(3) }).id,
      nodeName: 'node-3',
      trigger: 'operator',
      requestedBy: 'tester',
      createdAt: 0,
    })
    await store.transact((transaction) => transaction.saveRun({ ...run, status: 'running' }))
    answer = () => ({ exitCode: 9 })
    const readings = await sentinels.verify({ repository: 'project', plans: [], nodes: ['node-3', 'node-4'] })
    expect(readings.map(({ status }) => status)).toEqual(['absent', 'absent'])
    expect(await driftOf('node-3')).toBeNull()
    expect(await driftOf('node-4')).not.toBeNull()
  })

  it('S2.15 one that cannot be asked or read is unreadable with its cause, and keeps its proof', async () => {
    answer = (name) =>
      name === 'node-1'
        ? new Error('the connection broke')
        : { exitCode: 1, stderr: new TextEncoder().encode('ls: cannot access: Permission denied\n') }
    const readings = await sentinels.verify({ repository: 'project', plans: [], nodes: ['node-1', 'node-2'] })
    expect(readings.map(({ status, diagnosis }) => [status, diagnosis?.code])).toEqual([
      ['unreadable', 'INTERNAL'],
      ['unreadable', 'REMOTE_PERMISSION_DENIED'],
    ])
    expect(readings[1]?.diagnosis?.evidence.join()).toContain('Permission denied')
    expect([await driftOf('node-1'), await driftOf('node-2')]).toEqual([null, null])
  })
})
