import { createRouterClient, implement } from '@orpc/server'
import { contract, type EngineClient } from '../../../shared/contract/index.ts'
import { AppError } from '../../../shared/errors.ts'
import type { AuditEntry } from '../../../shared/model/audit.ts'
import type { WatchMessage } from '../../../shared/model/event.ts'
import type { NodeId, TerminalId } from '../../../shared/model/ids.ts'
import type { FleetNode, OfferedHostKey } from '../../../shared/model/node.ts'
import type { Terminal } from '../../../shared/model/terminal.ts'
import { decodeTerminalFrame, encodeTerminalFrame } from '../../../shared/terminalFrames.ts'
import type { EngineLink, LinkStatus, TerminalDuplex } from '../link.ts'
import { createSubscribable, type Settable } from '../subscribable.ts'
import { createDuplex } from './duplex.ts'
import { agentRoutes, FakeAgents } from './fakeAgents.ts'
import { FakeEngine, type FakeEngineOptions } from './fakeEngine.ts'
import { fakeId, fakeNode, fakePlan } from './fakeFleet.ts'
import { guideRoutes } from './fakeGuides.ts'
import { FakeRegistry, registryRoutes } from './fakeRegistry.ts'
import { FakeRepositories } from './fakeRepositories.ts'
import { repositoryRoutes } from './fakeRepositoryRoutes.ts'
import { FakeRollouts, rolloutRoutes } from './fakeRollouts.ts'
import { FakeTrust, trustRoutes } from './fakeTrust.ts'

/** A link to an engine inside this page. Never part of the product: only tests, the dev entry and the bench import it. */
export interface FakeLink extends EngineLink {
  readonly engine: FakeEngine
  readonly trust: FakeTrust
  readonly agents: FakeAgents
  readonly registry: FakeRegistry
  readonly repositories: FakeRepositories
  readonly rollouts: FakeRollouts
  readonly status: Settable<LinkStatus>
  /** Ends all streams as a lost connection does, and starts the engine anew under another instance id. */
  restart(): void
  /** Ends all streams; the engine itself goes on. */
  breakStreams(): void
  readonly copied: string[]
}

const offeredKey = (address: string): OfferedHostKey => ({
  keyType: 'ssh-ed25519',
  publicKey: btoa(`offered by ${address}`),
  fingerprint: `SHA256:${btoa(`offered by ${address} ${'o'.repeat(30)}`).slice(0, 43)}`,
  banner: 'SSH-2.0-OpenSSH_9.2p1',
})

/** What is sent waits in a queue until it is read; the end or the failure of the stream comes after it. */
async function* streamOf(
  engine: FakeEngine,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<WatchMessage, void> {
  const queue: WatchMessage[] = engine.events
    .filter((event) => event.seq > afterSeq)
    .map((event) => ({ kind: 'event', event }))
  queue.push({ kind: 'live', seq: engine.seq })
  let wake = (): void => undefined
  const stop = engine.listen((message) => {
    queue.push(message)
    wake()
  })
  const onAbort = (): void => wake()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      const message = queue.shift()
      if (message !== undefined) yield message
      else await new Promise<void>((resolve) => (wake = resolve))
    }
    throw new AppError('ENGINE_UNAVAILABLE', 'The connection was lost.')
  } finally {
    stop()
    signal.removeEventListener('abort', onAbort)
  }
}

const toBase64 = (text: string): string => btoa(text)

export function createFakeLink(options: FakeEngineOptions = {}): FakeLink {
  const engine = new FakeEngine(options)
  const status = createSubscribable<LinkStatus>('live')
  const trust = new FakeTrust(engine)
  const agents = new FakeAgents(engine)
  const registry = new FakeRegistry(engine)
  const repositories = new FakeRepositories(engine)
  const rollouts = new FakeRollouts(engine)
  registry.onSaved = ({ number, registry: kind }, plans) => {
    if (plans.length === 0) return
    const cause = { kind: 'registry', registry: kind, revision: number } as const
    rollouts.begin({ cause, plans, nodes: [...engine.nodes.values()] })
  }
  const copied: string[] = []
  const terminals = new Map<TerminalId, Terminal>()
  let streams = new AbortController()
  let demoUp = false
  const os = implement(contract)

  const demoStatus = () => ({
    up: demoUp,
    nodes: [...engine.nodes.values()].map((node) => ({
      name: node.name,
      kind: node.kind,
      address: node.address,
      port: node.port,
      running: true,
      fault: null,
      directory: '/tmp',
    })),
  })
  const chunk = (runId: Parameters<FakeEngine['log']>[0], offset: number, maxBytes: number) => {
    const text = engine.log(runId)
    const part = text.slice(offset, offset + maxBytes)
    return {
      offset,
      nextOffset: offset + part.length,
      totalBytes: text.length,
      base64: toBase64(part),
      complete: offset + part.length >= text.length,
    }
  }
  const audit = (): AuditEntry[] =>
    Array.from({ length: 60 }, (_, index) => ({
      seq: 60 - index,
      at: engine.now() - index * 900_000,
      actor: index % 3 === 0 ? 'engine' : 'ana@desk',
      action: ['certificate.issue', 'run.push', 'node.update'][index % 3] as string,
      subject: `node-${index}`,
      detail: {},
      previousHash: 'b'.repeat(64),
      hash: 'c'.repeat(64),
    }))
  const addNode = (input: Partial<FleetNode>, id: number): FleetNode =>
    engine.saveNode({ ...fakeNode(id, engine.now(), 'never-synced'), ...input })
  const nextNumber = () => engine.nodes.size + 50_000

  const router = os.router({
    system: {
      status: os.system.status.handler(() => engine.status()),
      snapshot: os.system.snapshot.handler(() => engine.snapshot()),
      watch: os.system.watch.handler(({ input, signal }) =>
        streamOf(engine, input.afterSeq, AbortSignal.any([streams.signal, ...(signal === undefined ? [] : [signal])])),
      ),
      unlock: os.system.unlock.handler(({ input }) => {
        if (input.passphrase !== 'correct horse')
          throw new AppError('VAULT_PASSPHRASE_WRONG', 'This passphrase does not open the vault.')
        engine.vaultUnlocked = true
        return engine.status()
      }),
      reconcile: os.system.reconcile.handler(() => ({ runs: 0 })),
    },
    nodes: {
      list: os.nodes.list.handler(({ input }) => [...engine.select(input.filter)]),
      get: os.nodes.get.handler(({ input }) => engine.node(input.node)),
      add: os.nodes.add.handler(({ input }) =>
        addNode(
          {
            ...input.node,
            hostKeys: input.hostKeys.map((key) => ({ ...key, pinnedAt: engine.now(), pinnedBy: 'ana@desk' })),
          },
          nextNumber(),
        ),
      ),
      import: os.nodes.import.handler(({ input }) => input.nodes.map(({ node }) => addNode(node, nextNumber()))),
      update: os.nodes.update.handler(({ input }) => {
        const patch = Object.fromEntries(Object.entries(input.patch).filter(([, value]) => value !== undefined))
        return engine.saveNode({ ...engine.node(input.node), ...patch })
      }),
      remove: os.nodes.remove.handler(({ input }) => {
        const { id } = engine.node(input.node)
        engine.commit({ kind: 'node.removed', nodeId: id })
        return { nodeId: id }
      }),
      probeHostKey: os.nodes.probeHostKey.handler(({ input }) => ({ offered: [offeredKey(input.address)] })),
      acceptHostKey: os.nodes.acceptHostKey.handler(({ input }) => {
        const node = engine.node(input.node)
        const hostKeys = [
          { ...offeredKey(node.address), fingerprint: input.fingerprint, pinnedAt: engine.now(), pinnedBy: 'ana@desk' },
        ]
        return engine.saveNode({ ...node, hostKeys, status: 'pending_sync', statusReason: null })
      }),
      doctor: os.nodes.doctor.handler(({ input }) => {
        const node = engine.node(input.node)
        return {
          nodeName: node.name,
          steps: [
            { name: 'Resolve the address', status: 'ok' as const, detail: node.address, evidence: [], durationMs: 2 },
            {
              name: 'Open a connection',
              status: 'ok' as const,
              detail: 'port 22 answers',
              evidence: [],
              durationMs: 11,
            },
            {
              name: 'Compare the host key',
              status: 'ok' as const,
              detail: 'ssh-ed25519 as pinned',
              evidence: [],
              durationMs: 8,
            },
            {
              name: 'Log in',
              status: node.status === 'error' ? ('failed' as const) : ('ok' as const),
              detail: node.statusReason?.sentence ?? 'accepted',
              evidence: node.statusReason?.evidence ?? [],
              durationMs: 40,
            },
          ],
          diagnosis: node.statusReason,
        }
      }),
      check: os.nodes.check.handler(({ input }) =>
        engine.saveNode({ ...engine.node(input.node), updatedAt: engine.now() }),
      ),
    },
    plans: {
      list: os.plans.list.handler(() => [...engine.plans.values()]),
      get: os.plans.get.handler(({ input }) => {
        const plan = [...engine.plans.values()].find((each) => each.id === input.plan || each.name === input.plan)
        if (plan === undefined) throw new AppError('NOT_FOUND', `There is no plan called ${input.plan}.`)
        return plan
      }),
      apply: os.plans.apply.handler(({ input }) =>
        input.plans.map((plan, index) => {
          const before = [...engine.plans.values()].find((each) => each.name === plan.name)
          return engine.savePlan({
            ...plan,
            id: before?.id ?? fakeId<typeof fakePlan.id>(2, engine.plans.size + index + 2),
            revision: (before?.revision ?? 0) + 1,
            digest: fakePlan.digest,
            createdAt: before?.createdAt ?? engine.now(),
            updatedAt: engine.now(),
          })
        }),
      ),
      remove: os.plans.remove.handler(({ input }) => {
        const plan = [...engine.plans.values()].find((each) => each.id === input.plan || each.name === input.plan)
        if (plan === undefined) throw new AppError('NOT_FOUND', `There is no plan called ${input.plan}.`)
        engine.commit({ kind: 'plan.removed', planId: plan.id })
        return { planId: plan.id }
      }),
      preview: os.plans.preview.handler(({ input }) => {
        const nodeIds = engine.select(input.selector).map((node) => node.id)
        return { nodeIds, total: engine.nodes.size }
      }),
    },
    runs: {
      push: os.runs.push.handler(({ input }) => {
        const failure = engine.pushFailures.shift()
        engine.pushKeys.push(input.idempotencyKey)
        if (failure?.when === 'before') throw failure.error
        const { batchId, runs } = engine.push(input.idempotencyKey, engine.nodesOf(input.targets), input.plans)
        if (failure !== undefined) throw failure.error
        return { batchId, runs: [...runs] }
      }),
      list: os.runs.list.handler(({ input }) => {
        const all = [...engine.runs.values()]
          .filter((run) => input.node === undefined || run.nodeId === input.node || run.nodeName === input.node)
          .filter((run) => input.plan === undefined || run.planId === input.plan || run.planName === input.plan)
          .filter((run) => input.batchId === undefined || run.batchId === input.batchId)
          .filter((run) => input.statuses === undefined || input.statuses.includes(run.status))
          .filter((run) => input.before === undefined || run.id < input.before)
          .sort((a, b) => (a.id < b.id ? 1 : -1))
        const runs = all.slice(0, input.limit)
        return { runs, next: all.length > runs.length ? (runs.at(-1)?.id ?? null) : null }
      }),
      get: os.runs.get.handler(({ input }) => engine.run(input.runId)),
      cancel: os.runs.cancel.handler(({ input }) => {
        const run = engine.run(input.runId)
        engine.saveRun({ ...run, cancellation: { by: 'ana@desk', requestedAt: engine.now(), stopConfirmed: true } })
        engine.endRun(input.runId, 'canceled')
        return engine.run(input.runId)
      }),
      approve: os.runs.approve.handler(({ input }) => {
        const run = engine.run(input.runId)
        return engine.saveRun({
          ...run,
          status: 'queued',
          halt: null,
          approvals: [...run.approvals, { reason: input.reason, by: 'ana@desk', at: engine.now() }],
        })
      }),
      log: os.runs.log.handler(({ input }) => chunk(input.runId, input.offset, input.maxBytes)),
      followLog: os.runs.followLog.handler(async function* ({ input }) {
        yield chunk(input.runId, input.offset, 1_000_000)
      }),
    },
    ...trustRoutes(engine, trust),
    ...agentRoutes(engine, agents),
    ...registryRoutes(engine, registry),
    ...repositoryRoutes(engine, repositories),
    ...rolloutRoutes(engine, rollouts),
    ...guideRoutes(engine),
    audit: {
      list: os.audit.list.handler(({ input }) =>
        audit()
          .filter((entry) => input.beforeSeq === undefined || entry.seq < input.beforeSeq)
          .slice(0, input.limit),
      ),
      verify: os.audit.verify.handler(() => ({
        entries: 60,
        intact: true,
        firstBrokenSeq: null,
        headHash: 'c'.repeat(64),
      })),
    },
    terminals: {
      list: os.terminals.list.handler(() => [...terminals.values()]),
      open: os.terminals.open.handler(({ input }) => {
        const node = engine.node(input.node)
        const terminal: Terminal = {
          id: fakeId<TerminalId>(6, terminals.size + 1),
          nodeId: node.id,
          nodeName: node.name,
          openedAt: engine.now(),
          status: 'open',
          exitCode: null,
        }
        terminals.set(terminal.id, terminal)
        return terminal
      }),
      close: os.terminals.close.handler(({ input }) => {
        const terminal = terminals.get(input.terminalId)
        if (terminal === undefined) throw new AppError('NOT_FOUND', 'There is no such terminal.')
        const closed: Terminal = { ...terminal, status: 'exited', exitCode: 0 }
        terminals.set(closed.id, closed)
        return closed
      }),
    },
    demo: {
      status: os.demo.status.handler(demoStatus),
      up: os.demo.up.handler(async ({ input }) => {
        demoUp = true
        if (engine.plans.size === 0) engine.commit({ kind: 'plan.saved', plan: fakePlan })
        for (let index = 0; index < input.nodes; index += 1) {
          await new Promise((resolve) => setTimeout(resolve, options.stepMs ?? 0))
          engine.saveNode(fakeNode(index, engine.now(), 'never-synced'))
        }
        return demoStatus()
      }),
      down: os.demo.down.handler(() => {
        demoUp = false
        for (const id of [...engine.nodes.keys()]) engine.commit({ kind: 'node.removed', nodeId: id as NodeId })
        return demoStatus()
      }),
      fault: os.demo.fault.handler(demoStatus),
      heal: os.demo.heal.handler(demoStatus),
      enrollAgent: os.demo.enrollAgent.handler(({ input: { name } }) => {
        agents.saveAgent({ ...agents.add('idle'), name })
        const directory = `/tmp/demo/agents/${name}`
        return {
          name,
          directory,
          sourceDirectory: `${directory}/data`,
          storage: 'storage-0006',
          runCommand: ['lockstep-agent', 'run', '--config', `${directory}/etc`],
        }
      }),
    },
  })

  const breakStreams = (): void => {
    const broken = streams
    streams = new AbortController()
    broken.abort()
  }
  return {
    engine,
    trust,
    agents,
    registry,
    repositories,
    rollouts,
    status,
    copied,
    client: createRouterClient(router) as EngineClient,
    openTerminal: async () => echoTerminal(),
    shell: {
      kind: 'web',
      platform: 'test',
      versions: {},
      notify: () => undefined,
      openExternal: () => undefined,
      copyText: async (text) => void copied.push(text),
    },
    breakStreams,
    restart: () => {
      engine.instance += 1
      breakStreams()
    },
    close: () => {
      status.set('closed')
      breakStreams()
    },
  }
}

/** Says back what is typed. */
function echoTerminal(): TerminalDuplex {
  const feed = createDuplex({
    send: (frame) => {
      const decoded = decodeTerminalFrame(frame)
      if (decoded?.kind === 'data') feed.receive(encodeTerminalFrame(decoded))
    },
    close: () => undefined,
  })
  feed.receive(encodeTerminalFrame({ kind: 'data', bytes: new TextEncoder().encode('sync@node:~$ ') }))
  return feed.duplex
}
