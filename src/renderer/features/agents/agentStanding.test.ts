import { describe, expect, it } from 'vitest'
import type { Agent, AgentLock } from '../../../shared/model/agent.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { type AgentCondition, fakeAgent, silencedNode } from '../../api/links/fakeAgentFleet.ts'
import { fakeNode } from '../../api/links/fakeFleet.ts'
import {
  activityWords,
  countStandings,
  lockFacts,
  matchesAgent,
  readAgentFilter,
  signedSkew,
  skewWords,
  standingOf,
  standingSentence,
} from './agentStanding.ts'

const nowMs = 1_800_000_000_000
const hourMs = 3_600_000
const node = fakeNode(1, nowMs, 'in-step')

const agent = (condition: AgentCondition, change: Partial<Agent> = {}): Agent => ({
  ...fakeAgent(1, nowMs, condition),
  ...change,
})
const row = (of: Agent, on: FleetNode = node, schedule: string | null = '*/15 * * * *') => ({
  agent: of,
  node: on,
  schedule,
  standing: standingOf(of, on, nowMs),
})

describe('where an agent stands', () => {
  it.each(['running', 'idle', 'locked-out', 'failed', 'halted', 'revoked'] as const)(
    'tells %s by what it reported',
    (standing) => {
      expect(standingOf(agent(standing), node, nowMs)).toBe(standing)
    },
  )

  it('leaves it to the engine whether an agent is silent, and does not count minutes itself', () => {
    const quiet = agent('idle', { lastSeenAt: nowMs - 30 * 24 * hourMs })
    expect(standingOf(quiet, node, nowMs)).toBe('idle')
    expect(standingOf(quiet, silencedNode(node, quiet, nowMs), nowMs)).toBe('silent')
  })

  it('D8 says of a silent agent that it keeps its reports, and does not say what it does now', () => {
    const running = agent('running')
    const silent = row(running, silencedNode(node, running, nowMs))
    expect(activityWords(silent, nowMs)).toBe('not known')
    expect(standingSentence(silent, nowMs)).toMatch(/It was running, in push: how that went on is not known/)
    expect(standingSentence(silent, nowMs)).toMatch(/keeps its reports/)
  })

  it('sees an ended client certificate before anybody else has noticed', () => {
    const ended = agent('idle')
    const over = { ...ended, certificate: { ...ended.certificate, validBefore: nowMs - hourMs } }
    expect(standingOf(over, node, nowMs)).toBe('silent')
    expect(standingSentence(row(over), nowMs)).toMatch(/certificate ended 1 h ago.*Enroll it again/)
  })

  it('finds an enrolment that nothing followed', () => {
    const fresh = agent('idle', { lastSeenAt: null, enrolledAt: nowMs - 5_000 })
    expect(standingOf(fresh, node, nowMs)).toBe('idle')
    expect(activityWords(row(fresh), nowMs)).toBe('not heard yet')
    const old = { ...fresh, enrolledAt: nowMs - hourMs }
    expect(standingOf(old, node, nowMs)).toBe('silent')
    expect(standingSentence(row(old), nowMs)).toMatch(/not heard since/)
  })

  it('says when it runs next only as far as that is known', () => {
    const idle = agent('idle')
    const unknown = { ...idle, activity: { status: 'idle', nextRunAt: null } } as const
    expect(activityWords(row(idle), nowMs)).toBe('next in 11 min')
    expect(activityWords(row(unknown), nowMs)).toBe('waits for its time')
    expect(activityWords(row(unknown, node, null), nowMs)).toBe('no schedule')
    const ahead = { ...agent('running'), clockSkewMs: 94_000 }
    const begun = { ...ahead, activity: { ...ahead.activity, since: nowMs + 94_000 } } as typeof ahead
    expect(activityWords(row(begun), nowMs)).toBe('push, 0 s')
    const due = { ...idle, activity: { status: 'idle', nextRunAt: nowMs - 120_000 } } as const
    expect(activityWords(row(due), nowMs)).toBe('was due 2 min ago')
  })
})

describe('the lock of a host', () => {
  const lock = (standing: AgentLock['standing']): AgentLock => ({
    pid: 1234,
    startTime: '2026-01-07T09:31:12Z',
    hostname: 'agent-07',
    runId: 'a9f3e1',
    standing,
  })

  it('S0.50 calls a living holder no error and asks nothing of anybody', () => {
    expect(lockFacts(lock('alive'), 'agent-01')).toMatchObject({ tone: 'notice', command: null })
    expect(lockFacts(lock('alive'), 'agent-01').sentence).toMatch(/Process 1234 on agent-01 is at work.*no error/)
  })

  it('S0.51 says that a lock left behind is taken over by itself', () => {
    expect(lockFacts(lock('dead'), 'agent-01')).toMatchObject({ tone: 'calm', command: null })
    expect(lockFacts(lock('dead'), 'agent-01').sentence).toMatch(/gone.*by itself/)
  })

  it('S0.52 says that an unreadable lock is replaced and logged', () => {
    expect(lockFacts(lock('corrupt'), 'agent-01').sentence).toMatch(/replaces it and says so in its log/)
  })

  it('D7 names who wrote a lock of another machine, and the exact command to break it', () => {
    const facts = lockFacts(lock('foreign'), 'agent-01')
    expect(facts).toMatchObject({ tone: 'alarm', command: 'lockstep-agent break-lock' })
    expect(facts.sentence).toMatch(/^agent-07 wrote it.*never taken away by itself.*run this on agent-01:$/)
  })
})

it('shows how far the clock is off in seconds, with its direction', () => {
  expect(skewWords(94_000)).toBe('94 s ahead')
  expect(skewWords(-94_400)).toBe('94 s behind')
  expect(skewWords(400)).toBe('agrees')
  expect(skewWords(-2 * hourMs)).toBe('2 h behind')
  expect(signedSkew(94_000)).toBe('+94 s')
  expect(signedSkew(-31_000)).toBe('−31 s')
})

describe('the filter', () => {
  const rows = [row(agent('idle')), row(agent('failed', { hostname: 'db-export.lan', version: '0.0.9' }))]

  it('finds by any word of name, host, platform and version', () => {
    const found = (text: string) => rows.filter((each) => matchesAgent(each, { text, standings: [] })).length
    expect([found(''), found('LINUX'), found('db-export'), found('db 0.0.9'), found('nothing')]).toEqual([
      2, 2, 1, 1, 0,
    ])
  })

  it('narrows by where agents stand, and leaves out words it does not know', () => {
    const filter = readAgentFilter({ standing: 'failed,exploded' })
    expect(filter.standings).toEqual(['failed'])
    expect(rows.filter((each) => matchesAgent(each, filter))).toEqual([rows[1]])
  })

  it('counts every agent once', () => {
    expect(countStandings(rows)).toMatchObject({ idle: 1, failed: 1, silent: 0 })
  })
})
