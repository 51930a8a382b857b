import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDemoFleet } from '../../../src/demo/demoFleet.ts'
import { findProcesses } from '../../../src/demo/processes.ts'
import { exec } from '../../../src/platform/exec.ts'
import { isSameProcessAlive, readProcessIdentity } from '../../../src/platform/processIdentity.ts'
import type { DemoNode } from '../../../src/shared/model/demo.ts'
import { type FleetUnderTest, fleetUnderTest, makeAuthority, nodeNamed } from './harness.ts'

async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 20_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for ${what}`)
    await delay(20)
  }
}

const processesOf = (test: FleetUnderTest) => findProcesses((directory) => directory.startsWith(test.directory), [])

const serverPid = async (node: DemoNode): Promise<number> =>
  Number(await readFile(join(node.directory, 'run', 'sshd.pid'), 'utf8'))

let test: FleetUnderTest

beforeEach(async () => {
  test = await fleetUnderTest()
})

afterEach(async () => {
  await test.dispose()
})

const up = (nodes: number) => test.fleet.up({ nodes, trustedUserCa: test.authority })

describe('demo fleet', { timeout: 120_000 }, () => {
  it('D4 logs in with a sync-agent certificate and finds the node as its home', async () => {
    const node = nodeNamed(await up(2), 'edge-fra-1')
    const result = await test.ssh(node, [`pwd; printf '%s\\n' "$HOME"; id -un; ps -o pgid= -p $$ | tr -d ' '; echo $$`])
    expect(result.stderr).toBe('')
    const [cwd, home, user, group, pid] = result.stdout.split('\n')
    expect(cwd).toBe(join(node.directory, 'home'))
    expect(home).toBe(cwd)
    expect(user).toBe((await test.fleet.describeForRegistration()).user)
    expect(group, 'the command leads its process group').toBe(pid)
  })

  it('passes exit code, standard input and arguments through untouched', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const result = await test.ssh(node, [`cat; printf '<%s>' 'a  b' "\\$x" 'it'"'"'s'; exit 7`], {
      stdin: 'line one\nline two\n',
    })
    expect(result).toMatchObject({ exitCode: 7, stdout: "line one\nline two\n<a  b><$x><it's>" })
  })

  it('gives terminals a prompt that names the node', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const result = await exec({
      command: 'ssh',
      args: ['-tt', ...(await test.sshArguments(node))],
      stdin: 'cd /\nexit\n',
      timeoutMs: 30_000,
      okExitCodes: 'any',
    })
    expect(result.stdout).toContain(`${node.name}:~$ `)
    expect(result.stdout).toContain(`${node.name}:/$ `)
  })

  it('takes the seeded tree by rsync, odd names and all', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const { sourceDirectory, targetDirectory } = await test.fleet.describeForRegistration()
    const arguments_ = await test.sshArguments(node)
    const destination = arguments_.at(-1) ?? ''
    const shell = ['ssh', ...arguments_.slice(0, -1)].map((word) => `"${word}"`).join(' ')
    await exec({
      command: 'rsync',
      args: ['-a', '-s', '--mkpath', '-e', shell, `${sourceDirectory}/`, `${destination}:${targetDirectory.slice(2)}/`],
      timeoutMs: 60_000,
    })
    const difference = await exec({
      command: 'diff',
      args: ['-r', '--no-dereference', sourceDirectory, join(node.directory, 'home', targetDirectory.slice(2))],
      timeoutMs: 30_000,
    })
    expect(difference.stdout).toBe('')
    expect(await readdir(join(sourceDirectory, 'odd names'))).toEqual(
      expect.arrayContaining(['line\nbreak.txt', '-rf', '日本語.txt', "it's quoted.txt"]),
    )
    const files = await exec({
      command: 'find',
      args: [sourceDirectory, '-type', 'f', '-printf', '.'],
      timeoutMs: 30_000,
    })
    expect(files.stdout.length).toBeGreaterThan(250)
  })

  it('leaves running servers alone when it is started twice, and starts what died', async () => {
    const first = await up(3)
    const pids = await Promise.all(first.nodes.map(serverPid))
    process.kill(pids[1] as number, 'SIGKILL')
    await until('the server to die', async () =>
      (await test.fleet.status()).nodes[1]?.running === false ? true : undefined,
    )
    expect((await test.fleet.status()).up).toBe(false)
    const second = await up(5)
    expect(second.up).toBe(true)
    expect(second.nodes).toHaveLength(5)
    const after = await Promise.all(second.nodes.map(serverPid))
    expect([after[0], after[2]]).toEqual([pids[0], pids[2]])
    expect(after[1]).not.toBe(pids[1])
    expect(await up(2), 'a smaller number takes nothing away').toEqual(second)
  })

  it('trusts a new authority as soon as it is told, and the old one no more', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const other = join(test.directory, 'other')
    await mkdir(other)
    const authority = await makeAuthority(other)
    await test.fleet.up({ nodes: 1, trustedUserCa: authority })
    expect((await test.ssh(node, ['true'])).exitCode).toBe(255)
    await up(1)
    expect((await test.ssh(node, ['true'])).exitCode).toBe(0)
  })

  it('refuses an authority that is no public key', async () => {
    await expect(test.fleet.up({ nodes: 1, trustedUserCa: 'PermitRootLogin yes' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
  })

  it('takes simultaneous calls one after another', async () => {
    const results = await Promise.all([up(2), up(3), test.fleet.fault('ada-laptop', 'offline'), test.fleet.status()])
    expect(results.map((status) => status.nodes.length)).toEqual([2, 3, 3, 3])
    expect(results[3].nodes[0]).toMatchObject({ fault: 'offline', running: false })
  })

  it('names the nodes there are when asked for another one', async () => {
    await expect(test.fleet.fault('ada-laptop', 'offline')).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
    await up(1)
    await expect(test.fleet.fault('../ada-laptop', 'offline')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('ada-laptop') as string,
    })
  })
})

describe('faults of demo nodes are real', { timeout: 120_000 }, () => {
  const broken = async (fault: Parameters<FleetUnderTest['fleet']['fault']>[1]): Promise<DemoNode> => {
    await up(1)
    return nodeNamed(await test.fleet.fault('ada-laptop', fault), 'ada-laptop')
  }

  const healed = async (): Promise<void> => {
    const node = nodeNamed(await test.fleet.heal('ada-laptop'), 'ada-laptop')
    expect(node).toMatchObject({ fault: null, running: true })
    expect((await test.ssh(node, ['echo well > ~/probe && cat ~/probe && rm ~/probe'])).stdout).toBe('well\n')
  }

  it('offline refuses connections and ends open sessions with what they started', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const session = spawn('ssh', [...(await test.sshArguments(node)), 'echo $$; sleep 300 & wait'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [line] = (await once(session.stdout, 'data')) as [Buffer]
    const remote = readProcessIdentity(Number(line.toString()))
    if (remote === undefined) throw new Error('the session is gone before it was ended')
    const broken = nodeNamed(await test.fleet.fault(node.name, 'offline'), node.name)
    expect(broken.running).toBe(false)
    if (session.exitCode === null) await once(session, 'exit')
    expect(isSameProcessAlive(remote)).toBe(false)
    expect(processesOf(test)).toEqual([])
    const result = await test.ssh(node, ['true'])
    expect(result.exitCode).toBe(255)
    expect(result.stderr).toContain('Connection refused')
    expect((await up(1)).nodes[0], 'up does not heal').toMatchObject({ fault: 'offline', running: false })
    await healed()
  })

  it('slow works, and takes its time', async () => {
    const node = await broken('slow')
    expect(node.running).toBe(true)
    const startedMs = performance.now()
    const result = await test.ssh(node, ['wc -c'], { stdin: 'x'.repeat(1_000_000), timeoutMs: 60_000 })
    expect(result.stdout.trim()).toBe('1000000')
    // What the link lets through: a lower bound of physics, not a measurement of this machine.
    expect(performance.now() - startedMs).toBeGreaterThan(3_000)
    await healed()
  })

  it('disk-full lets everything be read and nothing be written', async () => {
    const node = await broken('disk-full')
    const result = await test.ssh(node, [
      'cat ~/README >/dev/null && echo readable; mkdir -p ~/sync/edge-config || echo x > ~/file',
    ])
    expect(result.stdout).toBe('readable\n')
    expect(result.stderr).toContain('No space left on device')
    expect(result.exitCode).not.toBe(0)
    expect((await test.ssh(node, ['df --output=avail ~'])).stdout.trim().split('\n').at(-1)?.trim()).toBe('0')
    expect((await readdir(join(node.directory, 'home'))).sort()).toEqual(['.machine', 'README'])
    await healed()
  })

  it('D4 wrong-principal refuses our certificate because of its principal', async () => {
    const node = await broken('wrong-principal')
    expect((await test.ssh(node, ['true'])).stderr).toContain('Permission denied')
    expect(await readFile(join(node.directory, 'sshd.log'), 'utf8')).toContain(
      'does not contain an authorized principal',
    )
    await healed()
  })

  it('expired refuses our certificate because the clock of the node runs ahead', async () => {
    if (!existsSync('/usr/bin/faketime')) return console.warn('skipped: faketime is not installed')
    const node = await broken('expired')
    expect((await test.ssh(node, ['true'])).stderr).toContain('Permission denied')
    expect(await readFile(join(node.directory, 'sshd.log'), 'utf8')).toContain('Certificate invalid: expired')
    await healed()
  })

  it('host-key-changed serves another key until it is healed', async () => {
    const node = await broken('host-key-changed')
    const result = await test.ssh(node, ['true'])
    expect(result.exitCode).toBe(255)
    expect(result.stderr).toContain('REMOTE HOST IDENTIFICATION HAS CHANGED')
    await healed()
  })

  it('one fault takes the place of another', async () => {
    await broken('slow')
    const node = nodeNamed(await test.fleet.fault('ada-laptop', 'wrong-principal'), 'ada-laptop')
    expect(node).toMatchObject({ fault: 'wrong-principal', running: true })
    expect((await test.ssh(node, ['true'])).exitCode).toBe(255)
    await healed()
  })
})

describe('demo fleet down', { timeout: 120_000 }, () => {
  it('leaves no process and no file, also of sessions whose server was killed', async () => {
    const status = await up(3)
    const node = nodeNamed(status, 'ada-laptop')
    await test.fleet.fault('edge-fra-1', 'slow')
    const session = spawn('ssh', [...(await test.sshArguments(node)), 'echo ready; sleep 300'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await once(session.stdout, 'data')
    process.kill(await serverPid(node), 'SIGKILL')
    await rm(join(test.directory, 'home', 'demo', 'fleet.json'))
    expect(processesOf(test).length).toBeGreaterThan(4)
    expect(await test.fleet.down()).toEqual({ up: false, nodes: [] })
    if (session.exitCode === null) await once(session, 'exit')
    expect(processesOf(test)).toEqual([])
    expect(existsSync(join(test.directory, 'home', 'demo'))).toBe(false)
    expect(await test.fleet.down(), 'a second time').toEqual({ up: false, nodes: [] })
  })

  it('removes read-only directories that a plan has delivered', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const locked = join(node.directory, 'home', 'locked')
    await mkdir(locked)
    await writeFile(join(locked, 'file'), '')
    await chmod(locked, 0o500)
    await test.fleet.down()
    expect(existsSync(node.directory)).toBe(false)
  })

  it("does not end a person's shell that stands in a node's directory", async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const bystander = spawn('sleep', ['300'], { cwd: join(node.directory, 'home'), stdio: 'ignore' })
    await once(bystander, 'spawn')
    await test.fleet.down()
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull()
    bystander.kill()
    await once(bystander, 'exit')
  })

  it('takes over from a starter that was killed half-way', async () => {
    const program = `
      const { createDemoFleet } = await import(${JSON.stringify(new URL('../../../src/demo/demoFleet.ts', import.meta.url).href)})
      await createDemoFleet({ directory: process.argv[1] }).up({ nodes: 40, trustedUserCa: process.argv[2] })`
    const directory = join(test.directory, 'home', 'demo')
    await mkdir(join(test.directory, 'home'), { recursive: true })
    const starter = spawn(process.execPath, ['--input-type=module', '-e', program, directory, test.authority], {
      stdio: 'ignore',
    })
    await until('the first servers', () => (processesOf(test).length >= 3 ? true : undefined))
    starter.kill('SIGKILL')
    await once(starter, 'exit')
    const status = await createDemoFleet({ directory }).up({ nodes: 4, trustedUserCa: test.authority })
    expect(status.up).toBe(true)
    expect((await test.ssh(nodeNamed(status, 'worker-02'), ['echo in'])).stdout).toBe('in\n')
  })

  it('starts anew after a reboot, when recorded pids belong to strangers', async () => {
    const [node] = (await up(1)).nodes as [DemoNode]
    const pid = await serverPid(node)
    process.kill(pid, 'SIGKILL')
    await until('the server to die', async () => ((await test.fleet.status()).up ? undefined : true))
    const bystander = spawn('sleep', ['300'], { stdio: 'ignore' })
    await once(bystander, 'spawn')
    await writeFile(
      join(node.directory, 'run', 'processes.json'),
      JSON.stringify([{ pid: bystander.pid, startTime: 'before:1' }]),
    )
    expect((await test.fleet.status()).nodes[0]?.running).toBe(false)
    expect((await up(1)).up).toBe(true)
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull()
    bystander.kill()
    await once(bystander, 'exit')
  })
})
