import { createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentRig, createAgentRig } from './rig.ts'

/** Command lines of everything that runs below this process, sampled while `work` lasts. */
async function commandLinesDuring(work: Promise<unknown>): Promise<Set<string>> {
  const seen = new Set<string>()
  let over = false
  const end = work.finally(() => {
    over = true
  })
  while (!over) {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
        if (
          !environment.includes(`LOCKSTEP_TEST_FILE=${process.env.LOCKSTEP_TEST_FILE}`) &&
          !environment.includes('LOCKSTEP_AGENT_LOCK=')
        )
          continue
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
      } catch {
        // Gone meanwhile.
      }
    }
    await turn()
  }
  await end
  return seen
}

describe('secrets of the agent', () => {
  let rig: AgentRig
  const output: string[] = []
  const token = 'canary-join-token-3f9a1c77'

  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.configure()
    await rig.fill(300)
  })
  afterAll(() => rig.stop())

  const agent = async (...args: string[]): Promise<void> => {
    const { stdout, stderr } = await rig.agent(...args)
    output.push(stdout, stderr)
  }

  it('S0.31 neither keys nor the join token reach an argument, an output, a log, a journal or the control plane', async () => {
    const secret = rig.controlPlane.joinSecret(token)
    const tokenFile = join(rig.directory, 'token')
    await writeFile(tokenFile, secret)
    const lines = await commandLinesDuring(
      (async () => {
        await agent('enroll', '--join-file', tokenFile)
        await agent('enroll', '--join-file', tokenFile)
        await agent('run', '--json')
        const [host] = rig.sshd.hostKeys
        await writeFile(join(rig.config, 'ssh', 'known_hosts'), `[127.0.0.1]:${rig.sshd.port} ${host}\n`)
        await agent('run', '--json')
        await agent('run')
        rig.controlPlane.faults = [{ path: '/registrations/', answer: 500 }]
        await agent('run')
        await agent('status', '--json')
        await agent('doctor', '--json')
      })(),
    )
    rig.controlPlane.faults = []
    expect([...lines].some((line) => line.includes('rsync'))).toBe(true)

    const clientKey = await readFile(join(rig.config, 'control-plane', 'client.key'), 'utf8')
    const scalar = createPrivateKey(clientKey).export({ format: 'jwk' }).d ?? ''
    const sshKey = await readFile(join(rig.config, 'ssh', 'agent_key'), 'utf8')
    const body = (pem: string): string[] =>
      pem.split('\n').filter((line) => line.length > 40 && !line.startsWith('---'))
    const canaries = [token, secret, scalar, ...body(clientKey), ...body(sshKey).slice(1)]
    expect(canaries.length).toBeGreaterThan(5)

    const texts = [...lines, ...output, ...(await everythingWritten(rig))]
    texts.push(...[...rig.controlPlane.runs.values()].map((known) => JSON.stringify(known.run) + known.log.toString()))
    texts.push(JSON.stringify(rig.controlPlane.heartbeats))
    for (const canary of canaries) {
      const found = texts.filter((text) => text.includes(canary))
      expect(
        found.map((text) => text.slice(0, 200)),
        'a secret was seen',
      ).toEqual([])
    }
  })
})

/** Every file of the agent but the keys themselves and what the test put there. */
async function everythingWritten({ config, state }: AgentRig): Promise<string[]> {
  const keys = ['agent_key', 'client.key']
  const files = await Promise.all(
    [config, state].map((directory) => readdir(directory, { recursive: true, withFileTypes: true })),
  )
  return Promise.all(
    files
      .flat()
      .filter((entry) => entry.isFile() && !keys.includes(entry.name))
      .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
  )
}
