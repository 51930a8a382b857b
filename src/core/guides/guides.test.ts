import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { Plan, type PlanOf } from '../../shared/model/plan.ts'
import { RegistrySource } from '../../shared/model/registrySource.ts'
import { Rollout } from '../../shared/model/rollout.ts'
import { sshByHand } from './causes.ts'
import { nodeStaysPending, type PendingFacts } from './nodeStaysPending.ts'
import { nothingIsSynced, type SyncFacts } from './nothingIsSynced.ts'
import { type RoutesFacts, restartCommand, routesNotUpdating } from './routesNotUpdating.ts'

const id = (last: number): string => `01900000-0000-7000-8000-${String(last).padStart(12, '0')}`
const hour = 3_600_000
const now = 100 * hour

const healthy: SyncFacts = {
  nowMs: now,
  startedAt: now - 10 * hour,
  vaultUnlocked: true,
  vaultDescription: 'a passphrase',
  reconcile: { intervalMs: hour, lastAt: now - hour / 2, nextAt: now + hour / 2 },
  sources: [],
  revision: null,
  plans: [{ name: 'hosts', kind: 'hosts' }],
  selectedNodes: 3,
  pushNodes: 4,
  openRollouts: [],
  runsQueued: 0,
  runsRunning: 1,
}

const aSource = (state: unknown): RegistrySource =>
  RegistrySource.parse({
    id: id(7),
    name: 'cluster',
    registry: 'services',
    place: { kind: 'configMap' },
    createdAt: 0,
    state,
  })

const unreachable: Diagnosis = {
  code: 'CONNECTION_TIMED_OUT',
  sentence: 'node-01 does not answer.',
  short: 'no answer',
  evidence: ['ETIMEDOUT'],
  nextAction: { kind: 'wait', label: 'Try again later' },
  transient: true,
}

const aRollout = (status: string): Rollout =>
  Rollout.parse({
    id: id(9),
    cause: { kind: 'operator' },
    plans: [],
    settings: {},
    status,
    nodes: [id(1), id(2), id(3)],
    canaryEnd: 1,
    started: 1,
    counts: { succeeded: 0, failed: 1, unreachable: 0, canceled: 0 },
    waveFailures: 1,
    requestedBy: 'x',
    createdAt: 0,
    updatedAt: 0,
    finishedAt: null,
    supersededBy: null,
  })

describe('the guide for "nothing is synced"', () => {
  it('S1.105 S1.95 finds nothing wrong with an engine that does its work, and says how to look by hand', () => {
    const report = nothingIsSynced(healthy)
    expect(report).toMatchObject({ diagnosis: null, offer: null, nodeName: null })
    expect(report.steps[0]?.byHand).toContain('systemctl status lockstep')
    expect(report.steps.every(({ status }) => status === 'ok' || status === 'warning')).toBe(true)
  })

  it.each([
    ['a locked vault', { vaultUnlocked: false }, 'VAULT_LOCKED', 'decide'],
    ['no loops', { reconcile: { intervalMs: hour, lastAt: null, nextAt: null } }, 'PRECONDITION_FAILED', 'reconcile'],
    [
      'a cycle that is long overdue',
      { reconcile: { intervalMs: hour, lastAt: now - 2 * hour, nextAt: now } },
      'TIMED_OUT',
      'reconcile',
    ],
    ['no plan that reaches a node', { selectedNodes: 0, plans: [] }, 'PRECONDITION_FAILED', 'decide'],
    ['a rollout that was stopped', { openRollouts: [aRollout('stopped')] }, 'PRECONDITION_FAILED', 'resume-rollout'],
    [
      'a ConfigMap that cannot be watched',
      { sources: [aSource({ status: 'failing', since: 0, checkedAt: 0, diagnosis: unreachable })] },
      'CONNECTION_TIMED_OUT',
      'refresh-source',
    ],
  ] as const)('S1.105 names %s, with one button', (_what, change, code, fix) => {
    const { diagnosis, offer } = nothingIsSynced({ ...healthy, ...(change as Partial<SyncFacts>) })
    expect(diagnosis?.code).toBe(code)
    expect(offer?.fix.kind).toBe(fix)
    expect(offer?.preview.length).toBeGreaterThan(0)
  })

  it('S1.27 S1.105 shows the command that asks for the version of a ConfigMap', () => {
    const source = aSource({ status: 'following', seenAt: now, version: '42' })
    const step = nothingIsSynced({ ...healthy, sources: [source] }).steps.find(({ question }) =>
      question.includes('cluster'),
    )
    expect(step?.byHand).toBe(
      "kubectl get configmap service-registry -n default -o jsonpath='{.metadata.resourceVersion}'",
    )
  })

  it('S1.105 the first thing on the way of a change is the cause, not the last', () => {
    const report = nothingIsSynced({ ...healthy, vaultUnlocked: false, selectedNodes: 0 })
    expect(report.diagnosis?.code).toBe('VAULT_LOCKED')
    expect(report.steps.filter(({ status }) => status === 'failed')).toHaveLength(2)
  })
})

const plan = {
  planId: id(5),
  planName: 'hosts',
  desiredRevision: 2,
  observed: { revision: 2, digest: 'a'.repeat(64), verifiedAt: 0, runId: id(6) },
  driftSince: null,
  lastRunId: null,
}
const inStep = { plans: [plan], status: 'active', lastSyncAt: now, lastAttemptAt: now }
const pending = (over: Partial<PendingFacts> = {}): PendingFacts => ({
  nowMs: now,
  node: aNode({ ...inStep }),
  doctor: { nodeName: 'node-01', steps: [], diagnosis: null },
  network: null,
  ...over,
})

describe('the guide for "a node stays pending"', () => {
  it('S1.106 finds nothing wrong with a node in step', () => {
    expect(nodeStaysPending(pending())).toMatchObject({ diagnosis: null, offer: null })
  })

  it('S1.106 a node that does not answer: what its network says, and the command for somebody there', () => {
    const report = nodeStaysPending(
      pending({
        node: aNode({ ...inStep, status: 'pending_sync' }),
        doctor: { nodeName: 'node-01', steps: [], diagnosis: unreachable },
        network: { where: 'here', text: '100.64.0.7 node-01 linux offline' },
      }),
    )
    expect(report.diagnosis).toEqual(unreachable)
    expect(report.offer?.fix).toMatchObject({ kind: 'by-hand', command: 'sudo tailscale up' })
    expect(report.steps.find(({ byHand }) => byHand === 'tailscale status')).toMatchObject({ status: 'warning' })
  })

  it('S1.106 a static key that is refused: the command that hands it over', () => {
    const node = aNode({
      ...inStep,
      status: 'pending_sync',
      address: '100.64.0.7',
      login: { kind: 'static-key', keyFile: '/home/me/.ssh/mynodeone_id_ed25519' },
    })
    const refused: Diagnosis = { ...unreachable, code: 'KEY_REFUSED' }
    const report = nodeStaysPending(pending({ node, doctor: { nodeName: 'node-01', steps: [], diagnosis: refused } }))
    expect(report.offer?.fix).toMatchObject({
      command: 'ssh-copy-id -i /home/me/.ssh/mynodeone_id_ed25519.pub sync@100.64.0.7',
    })
  })

  it('S1.106 shows how to try the login by hand', () => {
    expect(sshByHand({ user: 'sammy', address: '100.64.0.7', port: 22 })).toBe('ssh sammy@100.64.0.7 "echo OK"')
    expect(sshByHand({ user: 'sammy', address: '100.64.0.7', port: 2222 })).toContain('-p 2222')
  })

  it.each([
    ['maintenance', { maintenance: true }, 'end-maintenance'],
    ['no plan', { plans: [] }, 'decide'],
    ['a run that waits', { haltedRunId: id(8), status: 'pending_sync' }, 'decide'],
    ['a failed try', { status: 'pending_sync', statusReason: { ...unreachable, code: 'VERIFY_MISMATCH' } }, 'resync'],
  ])('S1.63 S1.64 S1.106 %s is named, with one button', (_what, change, fix) => {
    const report = nodeStaysPending(pending({ node: aNode({ ...inStep, ...change }) }))
    expect(report.diagnosis).not.toBeNull()
    expect(report.offer?.fix.kind).toBe(fix)
  })

  it('D12 says of each plan how far behind it is', () => {
    const node = aNode({ ...inStep, plans: [{ ...plan, desiredRevision: 5 }] })
    expect(nodeStaysPending(pending({ node })).steps[0]?.answer).toContain('hosts is at revision 2 of 5')
  })
})

const routesPlan = Plan.parse({
  id: id(5),
  name: 'edge-routes',
  kind: 'routes',
  selector: 'kind:vps',
  spec: { routes: { domain: 'example.com' } },
  revision: 3,
  digest: 'a'.repeat(64),
  createdAt: 0,
  updatedAt: 0,
}) as PlanOf<'routes'>

const routes = (over: Partial<RoutesFacts> = {}): RoutesFacts => ({
  node: aNode({ address: '100.64.0.9' }),
  plan: routesPlan,
  publicServices: 1,
  file: { status: 'as-wanted', head: [] },
  traefik: { status: 'running', evidence: [] },
  log: [],
  unreached: null,
  names: [{ name: 'demo.example.com', addresses: ['100.64.0.9'] }],
  ...over,
})

describe('the guide for "routes do not change"', () => {
  it('S1.107 finds nothing wrong where file, Traefik and names are right', () => {
    const report = routesNotUpdating(routes())
    expect(report).toMatchObject({ diagnosis: null, offer: null })
    expect(report.steps.map(({ byHand }) => byHand)).toEqual(
      expect.arrayContaining(['cat ~/traefik/config/mynodeone-routes.yml', 'docker logs traefik -n 50']),
    )
  })

  it.each([
    ['no plan', { plan: null }, 'PRECONDITION_FAILED', 'decide'],
    ['a sync that failed without a word', { file: { status: 'other', head: ['http:'] } }, 'VERIFY_MISMATCH', 'resync'],
    ['a missing file', { file: { status: 'missing', head: [] } }, 'VERIFY_MISMATCH', 'resync'],
    [
      'a stopped Traefik',
      { traefik: { status: 'not-running', evidence: ['exited'] } },
      'TRAEFIK_NOT_RUNNING',
      'restart-traefik',
    ],
    [
      'a node that is away',
      { unreached: unreachable, file: null, traefik: null, log: null },
      'CONNECTION_TIMED_OUT',
      'by-hand',
    ],
  ] as const)('S1.107 names %s, with one button', (_what, change, code, fix) => {
    const { diagnosis, offer } = routesNotUpdating(routes(change as Partial<RoutesFacts>))
    expect(diagnosis?.code).toBe(code)
    expect(offer?.fix.kind).toBe(fix)
  })

  it('S1.107 names that lead elsewhere are told, not taken for the cause: something may stand before the node', () => {
    const report = routesNotUpdating(routes({ names: [{ name: 'demo.example.com', addresses: [] }] }))
    expect(report.diagnosis).toBeNull()
    expect(report.steps.at(-1)).toMatchObject({ status: 'warning', evidence: ['demo.example.com: does not resolve'] })
  })

  it('S1.107 claims nothing of a node that no plan sends to: it was not asked', () => {
    const { steps } = routesNotUpdating(routes({ plan: null, publicServices: 0, file: null, traefik: null, log: null }))
    expect(steps.slice(1, 5).map(({ status }) => status)).toEqual(['skipped', 'skipped', 'skipped', 'skipped'])
  })

  it('S1.50 S1.107 restarts as the plan says', () => {
    expect(restartCommand(routesPlan)).toBe('docker restart traefik')
    const composed = { ...routesPlan.spec, reload: { kind: 'compose-restart' as const, directory: '~/traefik' } }
    expect(restartCommand({ spec: composed })).toBe('cd ~/traefik && docker compose restart')
    expect(restartCommand({ spec: { ...routesPlan.spec, traefik: { kind: 'none' } } })).toBeNull()
  })
})

describe('commands to be copied into a terminal', () => {
  const evil = "vps $(touch pwned); `id` it's"
  const quoted = `'vps $(touch pwned); \`id\` it'\\''s'`
  const commandsOf = ({ steps, offer }: ReturnType<typeof nodeStaysPending>): string[] => [
    ...steps.flatMap(({ byHand }) => (byHand === null ? [] : [byHand])),
    ...(offer?.fix.kind === 'by-hand' ? [offer.fix.command] : []),
    ...(offer?.preview ?? []),
  ]

  it('S1.106 a name that came with a registry is one word there, whatever it holds', () => {
    const keyFile = '/home/me/a key; reboot'
    const node = aNode({ ...inStep, name: evil, login: { kind: 'static-key', keyFile } })
    const diagnosis: Diagnosis = { ...unreachable, code: 'KEY_REFUSED' }
    const commands = commandsOf(nodeStaysPending(pending({ node, doctor: { nodeName: evil, steps: [], diagnosis } })))
    const named = commands.filter((command) => command.startsWith('lockstep '))
    expect(named.length).toBeGreaterThan(1)
    for (const command of named) expect(command.endsWith(quoted), command).toBe(true)
    expect(commands).toContain(`ssh-copy-id -i '${keyFile}.pub' ${node.user}@${node.address}`)
  })

  it('S1.105 S1.107 so are paths of sources and of compose files', () => {
    const source = RegistrySource.parse({
      ...aSource({ status: 'starting' }),
      place: { kind: 'file', path: '/srv/a b;reboot' },
    })
    expect(commandsOf(nothingIsSynced({ ...healthy, sources: [source] }))).toContain(`ls -l '/srv/a b;reboot'`)
    const reload = { kind: 'compose-restart', directory: '~/my $(id)' } as const
    const { spec } = Plan.parse({
      id: id(3),
      name: 'routes',
      kind: 'routes',
      selector: '',
      spec: { routes: { domain: 'example.com' }, reload },
      revision: 1,
      digest: 'a'.repeat(64),
      createdAt: 0,
      updatedAt: 0,
    }) as PlanOf<'routes'>
    expect(restartCommand({ spec })).toBe(`cd ~/'my $(id)' && docker compose restart`)
  })
})
