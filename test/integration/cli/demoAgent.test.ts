import { execFile } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Agent } from '../../../src/shared/model/agent.ts'
import { DemoAgent, DemoStatus } from '../../../src/shared/model/demo.ts'
import { Run, runStates } from '../../../src/shared/model/run.ts'
import { type Daemon, json, makeHome, refused, runCli, serveDaemon } from './harness.ts'

const execute = promisify(execFile)
const RunList = z.object({ runs: z.array(Run) })

let place: Awaited<ReturnType<typeof makeHome>>
let daemon: Daemon

const runAgent = async ({ runCommand: [program = '', ...args] }: DemoAgent, key: string) =>
  execute(program, [...args, '--key', key, '--json'])

describe('an agent of the demo', () => {
  beforeAll(async () => {
    place = await makeHome()
    expect(await refused(place.home, ['demo', 'agent'])).toMatchObject({ exitCode: 5 })
    await json(place.home, ['demo', 'up', '--nodes', '5'], DemoStatus)
    daemon = await serveDaemon(place.home)
  })

  afterAll(async () => {
    await runCli(place.home, ['demo', 'down'])
    await daemon.stop()
    await place.remove()
  })

  it('S0.58 S0.68 S0.78 S0.86 S0.88 is enrolled with one command, pushes a thousand files, and is one run however often it is asked', async () => {
    const agent = await json(place.home, ['demo', 'agent'], DemoAgent)
    await runAgent(agent, 'first-run-of-the-demo')
    const { runs } = await json(place.home, ['runs', 'list'], RunList)
    const [run] = runs.filter(({ planKind }) => planKind === 'agent')
    expect(run).toMatchObject({
      status: 'succeeded',
      trigger: 'agent',
      nodeName: 'demo-agent-01',
      summary: { filesTotal: 1_000, filesTransferred: 1_000 },
      proof: { verify: { mode: 'agent', compared: 'checksum' } },
    })
    expect(run?.visits.map(({ state }) => state)).toEqual(runStates.slice(0, -1))
    expect(run?.summary?.durationMs).toBeGreaterThan(0)
    expect(run?.summary?.bytesTransferred).toBeGreaterThan(0)

    await runAgent(agent, 'first-run-of-the-demo')
    const again = await json(place.home, ['runs', 'list'], RunList)
    expect(again.runs.map(({ id }) => id)).toEqual(runs.map(({ id }) => id))

    const status = await json(place.home, ['demo', 'status'], DemoStatus)
    const storage = status.nodes.find(({ name }) => name === agent.storage)
    const arrived = join(storage?.directory ?? '', 'home', 'agents', agent.name)
    const directories = await readdir(arrived)
    expect(directories).toHaveLength(20)
    const log = await runCli(place.home, ['runs', 'log', run?.id ?? ''])
    for (const state of runStates.slice(0, -1)) expect(log.stdout).toContain(state)

    const node = await json(
      place.home,
      ['nodes', 'show', agent.name],
      z.object({ status: z.string(), transport: z.string() }),
    )
    expect(node).toEqual({ status: 'active', transport: 'poll' })
  })

  it('is gone with the fleet', async () => {
    await json(place.home, ['demo', 'up', '--nodes', '5'], DemoStatus)
    expect(await json(place.home, ['agents', 'list'], z.array(Agent))).toHaveLength(1)
    await runCli(place.home, ['demo', 'down'])
    expect(await json(place.home, ['agents', 'list'], z.array(Agent))).toEqual([])
    expect(await json(place.home, ['nodes', 'list'], z.array(z.unknown()))).toEqual([])
    await rm(join(place.home, 'demo'), { recursive: true, force: true })
  })
})
