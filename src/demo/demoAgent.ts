import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { exec } from '../platform/exec.ts'
import { AppError } from '../shared/errors.ts'
import type { DemoAgent } from '../shared/model/demo.ts'

/** What a demo agent pushes to, and the word that lets it in. */
export interface DemoAgentOrder {
  readonly name: string
  readonly joinSecret: string
  readonly storage: {
    readonly name: string
    readonly address: string
    readonly port: number
    readonly user: string
    readonly hostKeyFingerprint: string
  }
}

const enrollTimeoutMs = 60_000
const files = 1_000
const filesInDirectory = 50

const agentsDirectory = (fleetDirectory: string): string => join(fleetDirectory, 'agents')

/** Beside this module as source, beside or above it as a bundle. */
function agentProgram(): string {
  const candidates = ['../agent/main.ts', '../agent/lockstep-agent.mjs', '../../agent/lockstep-agent.mjs'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new AppError('UNSUPPORTED', 'This build has no lockstep-agent beside it; enroll one of your own.')
}

/** Names of the agents that were enrolled below this fleet. */
export async function demoAgentNames(fleetDirectory: string): Promise<string[]> {
  return readdir(agentsDirectory(fleetDirectory)).catch(() => [])
}

/**
 * A host of its own in a directory: a thousand files, an `agent.yaml` that pushes them to a storage of the demo, and the
 * real agent program, enrolled through the gateway. The agent runs when it is told to; nothing stays behind running.
 */
export async function enrollDemoAgent(fleetDirectory: string, order: DemoAgentOrder): Promise<DemoAgent> {
  const { name, storage } = order
  const directory = join(agentsDirectory(fleetDirectory), name)
  const config = join(directory, 'etc')
  const source = join(directory, 'data')
  await mkdir(config, { recursive: true, mode: 0o700 })
  await writeSource(source)
  await writeFile(join(config, 'agent.yaml'), stringify(configurationOf(order, directory, source)))
  const program = agentProgram()
  const enrolled = await exec({
    command: process.execPath,
    args: [program, 'enroll', '--config', config, '--join-file', '-', '--storage-host-key', storage.hostKeyFingerprint],
    env: { ELECTRON_RUN_AS_NODE: '1', HOME: directory },
    stdin: `${order.joinSecret}\n`,
    timeoutMs: enrollTimeoutMs,
    okExitCodes: 'any',
  })
  if (enrolled.exitCode !== 0) {
    await rm(directory, { recursive: true, force: true })
    throw new AppError('GATEWAY_REFUSED', `The demo agent could not enroll: ${enrolled.stderr.trim()}`)
  }
  return {
    name,
    directory,
    sourceDirectory: source,
    storage: storage.name,
    runCommand: [process.execPath, program, 'run', '--config', config],
  }
}

function configurationOf({ name, storage }: DemoAgentOrder, directory: string, source: string): unknown {
  return {
    storage: { host: storage.address, port: storage.port, user: storage.user },
    sync: { push: [{ source, target: `~/agents/${name}` }], verify: 'checksum' },
    lock_file: join(directory, 'sync-agent.lock'),
    state_directory: join(directory, 'state'),
  }
}

async function writeSource(source: string): Promise<void> {
  for (let index = 0; index < files; index += 1) {
    const folder = join(source, `batch-${String(Math.floor(index / filesInDirectory)).padStart(2, '0')}`)
    if (index % filesInDirectory === 0) await mkdir(folder, { recursive: true })
    const text = `record ${index}\n`.repeat(10 + (index % 40))
    await writeFile(join(folder, `record-${String(index).padStart(4, '0')}.txt`), text)
  }
}
