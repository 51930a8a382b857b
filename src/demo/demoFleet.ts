import { mkdir, realpath, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import PQueue from 'p-queue'
import { exec } from '../platform/exec.ts'
import { parsePublicKeyLine } from '../platform/openssh/publicKey.ts'
import { AppError } from '../shared/errors.ts'
import type { DemoAgent, DemoFault, DemoNode, DemoStatus } from '../shared/model/demo.ts'
import type { SshdControl } from '../shared/model/node.ts'
import { type FreeEndpoint, findFreeEndpoint } from './addresses.ts'
import { catalogue } from './catalogue.ts'
import { type DemoAgentOrder, demoAgentNames, enrollDemoAgent } from './demoAgent.ts'
import { type DemoRepository, ensureDemoRepository } from './demoRepository.ts'
import { assertFaultPossible, proveFault } from './faults.ts'
import { type NodeRecord, readFleetFile, writeFleetFile } from './fleetFile.ts'
import { readPublicKeyLine } from './hostKey.ts'
import { type FleetLayout, fleetLayout, registryPaths, sshdControlPaths, targetDirectory } from './layout.ts'
import { writeNodeFiles } from './nodeFiles.ts'
import { ensurePrivilegeSeparationDirectory, isRunning, recordedProcesses, startNode } from './nodeProcess.ts'
import { demoPrincipal } from './nodeTemplates.ts'
import { endProcesses } from './processes.ts'
import { findSshd, loginUser, readSshVersion } from './programs.ts'
import { replaceFile } from './replaceFile.ts'
import { ensureSourceTree } from './sourceTree.ts'
import { ensureTraefik, recordedTraefik, traefikApi } from './traefikProcess.ts'

export interface DemoFleetOptions {
  /** Everything of the fleet is below it; it is removed by `down`. */
  readonly directory: string
}

/** What the engine needs to register the fleet and to seed a plan. */
export interface DemoRegistration {
  readonly user: string
  readonly principal: string
  readonly sourceDirectory: string
  readonly targetDirectory: string
  /** Public key line by node name: the key the node was born with, also while it serves another one. */
  readonly hostKeys: ReadonlyMap<string, string>
  /** How sshd of a node is changed and told so. */
  readonly sshd: SshdControl
  /** Where the seeded plans of routes and hosts write, and Traefik's API as a VPS reaches it; null without one. */
  readonly registry: typeof registryPaths & { readonly traefikApi: string | null }
}

/** sshd processes started side by side. */
const startConcurrency = 8

/**
 * Real SSH servers on this machine, each with a home, keys and faults of its own: for demonstrations and for tests
 * alike (N13). Servers outlive the process that starts them; all state is on disk, so that any later process can take
 * over, also after a crash or a reboot. Calls are carried out one after another.
 */
export class DemoFleet {
  readonly #directory: string
  readonly #queue = new PQueue({ concurrency: 1 })

  constructor(options: DemoFleetOptions) {
    this.#directory = options.directory
  }

  status(): Promise<DemoStatus> {
    return this.#exclusively((fleet) => this.#status(fleet))
  }

  /**
   * Creates and starts what is missing, so that at least `nodes` exist; what runs is left alone.
   * @throws AppError PROGRAM_MISSING, ADDRESS_IN_USE, PRECONDITION_FAILED; what was started until then keeps running
   */
  up(options: { readonly nodes: number; readonly trustedUserCa: string }): Promise<DemoStatus> {
    return this.#exclusively((fleet) => this.#up(fleet, options))
  }

  /** Ends every process and removes every file. Safe to repeat. */
  down(): Promise<DemoStatus> {
    return this.#exclusively((fleet) => this.#down(fleet))
  }

  /** Breaks a node for real, in place of what was broken before; its open sessions end. */
  fault(node: string, fault: DemoFault): Promise<DemoStatus> {
    return this.#exclusively((fleet) => this.#breakNode(fleet, node, fault))
  }

  /** Undoes the fault of a node, and starts it when it does not run. */
  heal(node: string): Promise<DemoStatus> {
    return this.#exclusively((fleet) => this.#heal(fleet, node))
  }

  /** @throws AppError GATEWAY_REFUSED when the agent could not enroll; then nothing of it is left */
  enrollAgent(order: DemoAgentOrder): Promise<DemoAgent> {
    return this.#exclusively((fleet) => enrollDemoAgent(fleet.directory, order))
  }

  agentNames(): Promise<string[]> {
    return this.#exclusively((fleet) => demoAgentNames(fleet.directory))
  }

  /** @throws AppError PROGRAM_MISSING */
  ensureRepository(): Promise<DemoRepository> {
    return this.#exclusively((fleet) => ensureDemoRepository(fleet.directory))
  }

  describeForRegistration(): Promise<DemoRegistration> {
    return this.#exclusively(async (fleet) => {
      const nodes = await readFleetFile(fleet)
      const keys = nodes.map(
        async ({ name }) => [name, await readPublicKeyLine(fleet.node(name).originalHostKey)] as const,
      )
      const hostKeys = new Map(await Promise.all(keys))
      return {
        user: loginUser(),
        principal: demoPrincipal,
        sourceDirectory: fleet.source,
        targetDirectory,
        hostKeys,
        sshd: await sshdControl(),
        registry: { ...registryPaths, traefikApi: await traefikApi(fleet) },
      }
    })
  }

  async #exclusively<T>(body: (fleet: FleetLayout) => Promise<T>): Promise<T> {
    return await this.#queue.add(async () => body(fleetLayout(await realDirectory(this.#directory))))
  }

  async #status(fleet: FleetLayout): Promise<DemoStatus> {
    const nodes = (await readFleetFile(fleet)).map((node) => toDemoNode(node, fleet))
    return { up: nodes.length > 0 && nodes.every((node) => node.running || node.fault === 'offline'), nodes }
  }

  async #up(
    fleet: FleetLayout,
    options: { readonly nodes: number; readonly trustedUserCa: string },
  ): Promise<DemoStatus> {
    const authority = assertAuthority(options.trustedUserCa)
    const programs = { sshd: await findSshd(), user: loginUser(), sshVersion: await readSshVersion() }
    await mkdir(fleet.directory, { recursive: true, mode: 0o700 })
    await ensurePrivilegeSeparationDirectory()
    await replaceFile(fleet.trustedUserCa, `${authority}\n`, 0o600)
    await ensureSourceTree(fleet.source)
    const nodes = await extendFleet(fleet, options.nodes)
    const missing = nodes.filter((node) => !isRunning(fleet.node(node.name)))
    await this.#restart(fleet, missing, programs)
    await ensureTraefik(fleet, nodes)
    return this.#status(fleet)
  }

  /** Ends what is left of these nodes and starts them anew. */
  async #restart(fleet: FleetLayout, nodes: readonly NodeRecord[], programs?: Programs): Promise<void> {
    if (nodes.length === 0) return
    const { sshd, ...options } = programs ?? {
      sshd: await findSshd(),
      user: loginUser(),
      sshVersion: await readSshVersion(),
    }
    await endNodes(fleet, nodes)
    const queue = new PQueue({ concurrency: startConcurrency })
    const start = async (node: NodeRecord): Promise<void> => {
      await writeNodeFiles(node, fleet, options)
      await startNode(node, fleet.node(node.name), sshd)
    }
    // All of them come to an end, one way or the other, before anybody may touch the fleet again.
    const results = await Promise.allSettled(nodes.map((node) => queue.add(() => start(node))))
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  async #down(fleet: FleetLayout): Promise<DemoStatus> {
    const nodes = (await readFleetFile(fleet)).flatMap((node) => recordedProcesses(fleet.node(node.name)))
    const known = [...nodes, ...(await recordedTraefik(fleet))]
    const left = await endProcesses((directory) => dirname(dirname(directory)) === fleet.directory, known)
    if (left.length > 0) throw couldNotEnd(left.map((process) => process.pid))
    await removeTree(fleet.directory)
    return { up: false, nodes: [] }
  }

  async #breakNode(fleet: FleetLayout, name: string, fault: DemoFault): Promise<DemoStatus> {
    const before = await this.#find(fleet, name)
    await assertFaultPossible(fault, before)
    try {
      await this.#change(fleet, { ...before, fault })
      await proveFault(fault, fleet.node(name))
    } catch (error) {
      // A fault that cannot be had leaves the node as it was.
      await this.#change(fleet, before)
      throw error
    }
    return this.#status(fleet)
  }

  async #heal(fleet: FleetLayout, name: string): Promise<DemoStatus> {
    const node = await this.#find(fleet, name)
    if (node.fault !== null || !isRunning(fleet.node(name))) await this.#change(fleet, { ...node, fault: null })
    return this.#status(fleet)
  }

  /** Remembers the new version first: after a crash in between, `up` completes it. */
  async #change(fleet: FleetLayout, wanted: NodeRecord): Promise<void> {
    const nodes = await readFleetFile(fleet)
    const node = { ...wanted, internalPort: wanted.fault === 'slow' ? await internalPort(wanted, nodes) : null }
    await writeFleetFile(
      fleet,
      nodes.map((each) => (each.name === node.name ? node : each)),
    )
    await this.#restart(fleet, [node])
    await ensureTraefik(fleet, [node])
  }

  async #find(fleet: FleetLayout, name: string): Promise<NodeRecord> {
    const nodes = await readFleetFile(fleet)
    const node = nodes.find((each) => each.name === name)
    if (node !== undefined) return node
    if (nodes.length === 0)
      throw new AppError('PRECONDITION_FAILED', 'There is no demo fleet. Start one: lockstep demo up')
    throw new AppError(
      'NOT_FOUND',
      `No demo node is called ${JSON.stringify(name)}. There are: ${nodes
        .slice(0, 20)
        .map((each) => each.name)
        .join(', ')}${nodes.length > 20 ? ', …' : ''}`,
    )
  }
}

/** Plans may deliver directories that not even their owner may write to. */
async function removeTree(directory: string): Promise<void> {
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true, maxRetries: 5 })
  try {
    await remove()
  } catch {
    await exec({ command: 'chmod', args: ['-R', 'u+rwX', '--', directory], timeoutMs: 60_000, okExitCodes: 'any' })
    await remove()
  }
}

interface Programs {
  readonly sshd: string
  readonly user: string
  readonly sshVersion: number
}

async function sshdControl(): Promise<SshdControl> {
  const { configFile, pidFile } = sshdControlPaths
  return { configFile, program: await findSshd(), reload: { kind: 'pid-file', file: pidFile }, sudo: 'never' }
}

/** Processes are found by the real path of their node, so symbolic links are resolved up front. */
const realDirectory = (directory: string): Promise<string> => realpath(directory).catch(() => directory)

function toDemoNode(node: NodeRecord, fleet: FleetLayout): DemoNode {
  const layout = fleet.node(node.name)
  const { name, kind, address, port, fault } = node
  return { name, kind, address, port, running: isRunning(layout), fault, directory: layout.directory }
}

function assertAuthority(line: string): string {
  try {
    parsePublicKeyLine(line)
    return line.trim()
  } catch (error) {
    throw new AppError('INVALID_INPUT', 'The authority that demo nodes shall trust is not a public key line.', {
      cause: error,
    })
  }
}

const endpointsOf = (nodes: readonly NodeRecord[]): Set<string> =>
  new Set(nodes.flatMap((node) => [`${node.address}:${node.port}`, `${node.address}:${node.internalPort}`]))

async function internalPort(node: NodeRecord, nodes: readonly NodeRecord[]): Promise<number> {
  return (await findFreeEndpoint({ address: node.address }, endpointsOf(nodes))).port
}

/** Adds records until `count` exist. All nodes share one port number where they can, which reads better. */
async function extendFleet(fleet: FleetLayout, count: number): Promise<readonly NodeRecord[]> {
  const nodes = [...(await readFleetFile(fleet))]
  const taken = endpointsOf(nodes)
  const names = new Set(nodes.map((node) => node.name))
  let port = nodes[0]?.port
  for (const { preferredAddress, name, kind } of catalogue(count)) {
    if (names.has(name)) continue
    const preferred = port === undefined ? { address: preferredAddress } : { address: preferredAddress, port }
    const endpoint: FreeEndpoint = await findFreeEndpoint(preferred, taken)
    taken.add(`${endpoint.address}:${endpoint.port}`)
    port ??= endpoint.port
    nodes.push({ name, kind, ...endpoint, internalPort: null, fault: null })
  }
  await writeFleetFile(fleet, nodes)
  return nodes
}

async function endNodes(fleet: FleetLayout, nodes: readonly NodeRecord[]): Promise<void> {
  const layouts = nodes.map((node) => fleet.node(node.name))
  const directories = new Set(layouts.map((layout) => layout.directory))
  const left = await endProcesses((directory) => directories.has(directory), layouts.flatMap(recordedProcesses))
  if (left.length > 0) throw couldNotEnd(left.map((process) => process.pid))
  await Promise.all(layouts.map((layout) => rm(layout.processes, { force: true })))
}

const couldNotEnd = (pids: readonly number[]): AppError =>
  new AppError('STOP_NOT_CONFIRMED', `These processes of the demo fleet did not end: ${pids.join(', ')}.`, {
    data: { pids },
  })

/** @see DemoFleet */
export const createDemoFleet = (options: DemoFleetOptions): DemoFleet => new DemoFleet(options)
