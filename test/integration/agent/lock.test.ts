import { execFileSync, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readLockContent } from '../../../src/core/agent/lock.ts'
import { processGroupIsAlive } from '../../../src/platform/processGroup.ts'
import { treeDigest } from '../../support/treeDigest.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type AgentRig, createAgentRig, ended, type RunAnswer } from './rig.ts'

describe('the lock of the machine', () => {
  let rig: AgentRig
  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.enroll()
    await rig.fill(20)
  })
  afterAll(() => rig.stop())
  afterEach(async () => {
    rig.controlPlane.faults = []
    await rm(rig.lockFile, { force: true, recursive: true })
    await rig.configure()
  })

  const foreign = { pid: 1, start_time: '2026-01-07T09:31:12Z', hostname: 'agent-of-another-machine', run_id: 'a9f3e1' }
  const leave = (content: object | string): Promise<void> =>
    writeFile(rig.lockFile, typeof content === 'string' ? content : JSON.stringify(content))
  const logOf = async (key: string): Promise<string> => readFile(join(rig.config, 'logs', 'runs', `${key}.log`), 'utf8')

  it('S0.46 S0.49 S0.50 D37 of agents started at the same instant exactly one works, the others end with 0 and say who does', async () => {
    rig.controlPlane.faults = [{ path: '/registrations/', answer: 500, times: 2 }]
    const answers = await Promise.all([1, 2, 3, 4].map((number) => rig.agent('run', '--key', `at-once-${number}`)))
    expect(answers.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0])
    const outs = answers.map(({ stdout }) => stdout)
    expect(outs.filter((out) => out.includes('succeeded'))).toHaveLength(1)
    expect(
      outs.filter((out) => /Another agent works: process \d+ on \S+ since 20\S+Z, run \S+\./.test(out)),
    ).toHaveLength(3)
    expect([...rig.controlPlane.runs.keys()].filter((key) => key.startsWith('at-once-'))).toHaveLength(1)
    expect(await readdir(join(rig.state, 'runs'))).toEqual([])
  })

  it('S0.46 S0.86 S0.88 agents that take up the same broken-off run at the same instant end it once', async () => {
    for (const state of ['ENSURE_CERT', 'VERIFY']) {
      const key = `taken-up-${state}`
      const killed = rig.spawnAgent('run', '--key', key)
      await waitFor(state, async () => {
        const [record] = await Promise.all(
          (await readdir(join(rig.state, 'runs')))
            .filter((name) => name.startsWith(key))
            .map(async (name) => readFile(join(rig.state, 'runs', name), 'utf8')),
        )
        return record?.includes(`"state":"${state}"`)
      })
      await ended(killed)
      const answers = await Promise.all([1, 2, 3].map(() => rig.agent('run', '--json', '--key', key)))
      expect(answers.map(({ exitCode, stderr }) => `${exitCode}${stderr}`)).toEqual(['0', '0', '0'])
      const ids = answers.map(({ stdout }) => (JSON.parse(stdout) as RunAnswer).runId).filter((id) => id !== undefined)
      expect(new Set(ids).size).toBe(1)
      expect(rig.controlPlane.runs.get(key)?.run).toMatchObject({ id: ids[0], status: 'succeeded' })
      expect(await readdir(join(rig.state, 'runs'))).toEqual([])
      expect(await readdir(rig.directory)).not.toContain('sync-agent.lock')
    }
  })

  it('S0.53 S0.54 S0.55 S0.56 S0.57 D5 holds pid, start, host and the key, then the run id', async () => {
    rig.controlPlane.faults = [{ path: '/registrations/', answer: 503 }]
    await rig.configure({ control_plane: { registration_timeout_seconds: 60 } })
    const child = rig.spawnAgent('run', '--key', 'key-in-the-lock')
    const content = async () => {
      const found = readLockContent(await readFile(rig.lockFile, 'utf8'))
      return found.status === 'held' ? found.content : null
    }
    const before = await waitFor('the lock', content)
    expect(before).toMatchObject({ pid: child.pid, hostname: hostname(), run_id: 'key-in-the-lock' })
    expect(before.start_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    rig.controlPlane.faults = [{ path: '/state', answer: 'hang' }]
    const after = await waitFor('the run id in the lock', async () => {
      const now = await content()
      return now !== null && now.run_id !== 'key-in-the-lock' ? now : null
    })
    expect(after.run_id).toBe(rig.controlPlane.runs.get('key-in-the-lock')?.run.id)
    expect(after.pid).toBe(child.pid)
    await ended(child)
    rig.controlPlane.faults = []
    await rig.agentJson('run')
  })

  it('S0.51 D7 reclaims the lock of a dead process, and of one whose pid another process has now', async () => {
    const reused = { ...foreign, hostname: hostname(), pid: process.pid, process: 'boot:1' }
    for (const [key, left] of Object.entries({
      'dead-holder': { ...foreign, hostname: hostname(), pid: 2 ** 22 - 3 },
      'reused-pid-1': reused,
      'reused-pid-2': { ...reused, process: undefined, start_time: '2020-01-01T00:00:00Z' },
    })) {
      await leave(left)
      expect((await rig.agentJson<RunAnswer>('run', '--key', key)).status, key).toBe('succeeded')
      expect(await logOf(key)).toContain('reclaimed the lock')
    }
  })

  it('S0.51 reclaims the lock of a zombie', async () => {
    // Nobody waits for the first program: the second takes the place of the shell that started it.
    const shell = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const pid = await new Promise<number>((resolve) => shell.stdout.once('data', (text) => resolve(Number(text))))
    await waitFor('the zombie', async () => / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')))
    await leave({ ...foreign, hostname: hostname(), pid, start_time: '2099-01-01T00:00:00Z' })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'zombie-holder')
    await ended(shell)
    expect(answer.status).toBe('succeeded')
  })

  it('S0.52 reclaims a corrupt lock and says so in the log', async () => {
    for (const [index, text] of ['', '{"pid": 12', 'no json at all', '{}'].entries()) {
      await leave(text)
      const answer = await rig.agentJson<RunAnswer>('run', '--key', `corrupt-lock-${index}`)
      expect(answer.status, text).toBe('succeeded')
      expect(await logOf(`corrupt-lock-${index}`)).toContain('(corrupt): it could not be read')
    }
    expect(await readFile(join(rig.config, 'logs', 'agent.log'), 'utf8')).toContain('reclaimed the lock')
  })

  it('whoever wrote the lock file does not steer the terminal of the person who looks at it', async () => {
    await leave({ ...foreign, hostname: 'h\u001b]0;owned\u0007\u009b2J\u202e' })
    for (const options of [[], ['--json']]) {
      const { stdout, stderr } = await rig.agent('status', ...options)
      expect(stdout).toContain('owned')
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    }
    const { stdout } = await rig.agent('status', '--json')
    expect(JSON.parse(stdout).lock.hostname).toContain('\u202e')
  })

  it('D6 D7 never takes a lock of another host: the run fails, names break-lock, and leaves the lock alone', async () => {
    await leave(foreign)
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'foreign-lock-1')
    expect(answer).toMatchObject({ status: 'failed', failure: { code: 'LOCK_HELD' }, reported: true })
    expect(answer.failure?.sentence).toContain('agent-of-another-machine')
    expect(answer.failure?.sentence).toContain('lockstep-agent break-lock')
    expect(JSON.parse(await readFile(rig.lockFile, 'utf8'))).toEqual(foreign)
    expect(rig.controlPlane.runs.get('foreign-lock-1')?.run).toMatchObject({ status: 'failed', state: 'FAILED' })

    const broken = await rig.agent('break-lock')
    expect(broken.exitCode).toBe(0)
    expect(broken.stdout).toContain('process 1 on agent-of-another-machine')
    expect((await rig.agentJson<RunAnswer>('run')).status).toBe('succeeded')
  })

  it('D7 break-lock asks twice about an agent that lives here', async () => {
    await leave({ ...foreign, hostname: hostname(), pid: process.pid, start_time: new Date().toISOString() })
    const refused = await rig.agent('break-lock')
    expect(refused.exitCode).toBe(4)
    expect(refused.stderr).toContain('An agent works on this machine')
    expect((await rig.agent('break-lock', '--force')).exitCode).toBe(0)
    expect(await readdir(rig.directory)).not.toContain('sync-agent.lock')
  })

  it('a lock that cannot be written: nothing is sent, the run fails with the reason and is reported', async () => {
    const missing = join(rig.directory, 'no-such-directory', 'agent.lock')
    await rig.configure({ lock_file: missing })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'no-lock-directory')
    expect(answer).toMatchObject({ status: 'failed', failure: { code: 'HOME_NOT_WRITABLE' }, reported: true })
    expect(answer.failure?.sentence).toContain(missing)
    expect(answer.visits.map(({ state }) => state)).not.toContain('PRE_FLIGHT_CHECK')
  })

  it('a lock on a full disk, and on a read-only one: the reason is named, nothing is sent and no run is lost', async (context) => {
    const disk = join(rig.directory, 'small-disk')
    await mkdir(disk)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' })
    } catch {
      return context.skip('mounting a small tmpfs needs root')
    }
    onTestFinished(() => void execFileSync('umount', [disk]))
    await rig.configure({ lock_file: join(disk, 'agent.lock') })
    const before = await treeDigest(rig.target)
    await writeFile(join(disk, 'filler'), Buffer.alloc(65_536)).catch(() => undefined)
    const full = await rig.agentJson<RunAnswer>('run', '--key', 'lock-on-full-disk')
    expect(full).toMatchObject({ status: 'failed', failure: { code: 'LOCAL_DISK_FULL' }, reported: true })
    await rm(join(disk, 'filler'))
    execFileSync('mount', ['-o', 'remount,ro', disk])
    const readOnly = await rig.agentJson<RunAnswer>('run', '--key', 'lock-read-only-1')
    expect(readOnly).toMatchObject({ status: 'failed', failure: { code: 'HOME_NOT_WRITABLE' }, reported: true })
    expect(readOnly.failure?.sentence).toContain('EROFS')
    expect(await treeDigest(rig.target)).toBe(before)
    for (const key of ['lock-on-full-disk', 'lock-read-only-1'])
      expect(rig.controlPlane.runs.get(key)?.run.status).toBe('failed')
  })

  it('a journal that cannot be written: nothing begins, and the message names the disk', async (context) => {
    const disk = join(rig.directory, 'full-state')
    await mkdir(disk)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' })
    } catch {
      return context.skip('mounting a small tmpfs needs root')
    }
    onTestFinished(() => void execFileSync('umount', [disk]))
    await rig.configure({ state_directory: disk })
    for (const directory of ['runs', 'spool']) await mkdir(join(disk, directory))
    await writeFile(join(disk, 'filler'), Buffer.alloc(65_536)).catch(() => undefined)
    const requests = rig.controlPlane.requests.length
    const answer = await rig.agent('run', '--key', 'journal-full-disk')
    expect(answer.exitCode).toBe(5)
    expect(answer.stderr).toContain('no space left to write')
    expect(rig.controlPlane.requests.slice(requests).filter((request) => request.includes('registrations'))).toEqual([])
  })

  it('ends a transfer that a killed agent left behind before it sends anything itself', async () => {
    const orphan = spawn('sleep', ['600'], {
      detached: true,
      stdio: 'ignore',
      env: { PATH: process.env.PATH, LOCKSTEP_AGENT_LOCK: rig.lockFile },
    })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'with-an-orphan')
    expect(answer.status).toBe('succeeded')
    expect(processGroupIsAlive(orphan.pid ?? 0)).toBe(false)
    expect(await logOf('with-an-orphan')).toContain('ended 1 transfers')
  })
})

describe('many processes at one lock', () => {
  it('S0.46 S0.51 never two holders, when all of them reclaim the same dead lock', async () => {
    const rig = await createAgentRig()
    onTestFinished(() => rig.stop())
    const program = `
      import { appendFileSync } from 'node:fs'
      import { lockSelf, takeLock, releaseLock } from '${join(import.meta.dirname, '../../../src/agent/lockFile.ts')}'
      const self = lockSelf([process.argv[2]])
      for (let round = 0; round < 10; round += 1) {
        const decision = await takeLock(process.argv[1], self, process.argv[2])
        if (decision.kind === 'yield') continue
        appendFileSync(process.argv[3], 'in\\n')
        await new Promise((resolve) => setTimeout(resolve, 2))
        appendFileSync(process.argv[3], 'out\\n')
        if (Math.random() < 0.3) process.exit(0)
        await releaseLock(process.argv[1], self)
      }`
    const journal = join(rig.directory, 'holders')
    await writeFile(journal, '')
    await writeFile(
      rig.lockFile,
      JSON.stringify({ pid: 2 ** 22 - 3, start_time: '2026-01-07T09:31:12Z', hostname: hostname(), run_id: 'x' }),
    )
    const children = Array.from({ length: 6 }, (_, index) =>
      spawn(
        process.execPath,
        ['--input-type=module-typescript', '-e', program, '--', rig.lockFile, `holder-${index}`, journal],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
        },
      ),
    )
    await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))))
    const lines = (await readFile(journal, 'utf8')).trim().split('\n')
    expect(lines.length).toBeGreaterThan(10)
    expect(lines).toEqual(lines.map((_line, index) => (index % 2 === 0 ? 'in' : 'out')))
  })
})
