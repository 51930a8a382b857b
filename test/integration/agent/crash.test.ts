import { readdirSync, readFileSync } from 'node:fs'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { JournalRecord } from '../../../src/agent/run/journal.ts'
import { type RunState, runStates } from '../../../src/shared/model/run.ts'
import { treeDigest } from '../../support/treeDigest.ts'
import { type AgentRig, createAgentRig, ended, type RunAnswer } from './rig.ts'

const rounds = Number(process.env.AGENT_CRASH_ROUNDS ?? 12)
const seed = Number(process.env.AGENT_CRASH_SEED ?? Date.now() % 1_000_000)
const killsPerRound = 2
/** Rounds more for a state that none of its own was quick enough for. */
const mostTriesAgain = 10

/** A small linear congruential generator: a failed round can be had again with AGENT_CRASH_SEED. */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

let rig: AgentRig

/** What the journal of this run says right now, drafts too; the newest counts. */
function journalOf(key: string): JournalRecord | null {
  const directory = join(rig.state, 'runs')
  let newest: JournalRecord | null = null
  for (const name of namesIn(directory).filter((file) => file.startsWith(key))) {
    try {
      const record = JournalRecord.parse(JSON.parse(readFileSync(join(directory, name), 'utf8')))
      if (newest === null || record.sequence > newest.sequence) newest = record
    } catch {
      // Gone between the list and the look.
    }
  }
  return newest
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'))
  } catch {
    return []
  }
}

/** Kills the agent as soon as its journal shows the state, or at the moment given. @returns the state it died in */
async function killIn(key: string, when: RunState | number): Promise<RunState | null> {
  const child = rig.spawnAgent('run', '--key', key)
  if (typeof when === 'number') await pause(when)
  else while (child.exitCode === null && journalOf(key)?.run.state !== when) await turn()
  await ended(child, 'SIGKILL')
  const left = journalOf(key)
  return left?.run.state ?? null
}

describe('kill -9 of the agent', () => {
  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.enroll()
    await rig.fill(200)
  })
  afterAll(() => rig.stop())

  it(
    `S0.51 S0.59 S0.60 S0.71 S0.82 S0.86 S0.87 S0.88 ${rounds} rounds of ${killsPerRound} kills, in every state and at any moment: one run, no lock in the way, the same tree (seed ${seed})`,
    async () => {
      const random = randomFrom(seed)
      const hits = new Map<RunState, number>()
      // A second try of this test begins with runs that nobody knows.
      const tryId = Date.now()
      const before = rig.controlPlane.runs.size
      let played = 0

      async function play(target: RunState | undefined): Promise<void> {
        const round = played
        played += 1
        const key = `crash-${seed}-${tryId}-${round}`
        const fails = target === 'FAILED'
        await writeFile(join(rig.source, `d${round % 10}`, `round-${round}.txt`), `${seed} ${round} ${random()}\n`)
        if (fails) await rename(rig.source, `${rig.source}.away`)
        const ids = new Set<string>()
        for (let kill = 0; kill < killsPerRound; kill += 1) {
          const diedIn = await killIn(key, target ?? Math.floor(random() * 900))
          if (diedIn !== null) hits.set(diedIn, (hits.get(diedIn) ?? 0) + 1)
          const known = rig.controlPlane.runs.get(key)
          if (known !== undefined) ids.add(known.run.id)
        }
        const answer = await rig.agentJson<RunAnswer>('run', '--key', key)
        ids.add(answer.runId)
        const told = `round ${round} (${target ?? 'any moment'}): ${answer.failure?.sentence ?? ''}`
        expect(answer.lockedOut, told).toBe(false)
        expect(answer.status, told).toBe(fails ? 'failed' : 'succeeded')
        expect([...ids], `${told} one run id`).toHaveLength(1)
        expect(rig.controlPlane.runs.get(key)?.run.status, told).toBe(fails ? 'failed' : 'succeeded')
        if (fails) await rename(`${rig.source}.away`, rig.source)
        else expect(await treeDigest(rig.target), told).toBe(await treeDigest(rig.source))
        expect(await readdir(join(rig.state, 'runs')), told).toEqual([])
        expect(namesIn(join(rig.state, 'spool')), told).toEqual([])
        expect(await readdir(rig.directory), told).not.toContain('sync-agent.lock')
      }

      for (let round = 0; round < rounds; round += 1) await play(runStates[round % (runStates.length + 1)])
      // Some states last a millisecond: the agent may have left one between our look and the kill.
      for (const state of runStates.slice(0, Math.min(rounds, runStates.length)))
        for (let again = 0; again < mostTriesAgain && !hits.has(state); again += 1) await play(state)
      console.log(`killed in: ${runStates.map((state) => `${state} ${hits.get(state) ?? 0}`).join(', ')}`)
      expect(rig.controlPlane.runs.size - before, 'one run for each key').toBe(played)
      const missed = runStates.slice(0, Math.min(rounds, runStates.length)).filter((state) => !hits.has(state))
      expect(missed, 'every state was hit').toEqual([])
    },
    rounds * 30_000 + 60_000,
  )
})
