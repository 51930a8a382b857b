import { implement } from '@orpc/server'
import { nodeStaysPending } from '../../../core/guides/nodeStaysPending.ts'
import { nothingIsSynced } from '../../../core/guides/nothingIsSynced.ts'
import { routesNotUpdating } from '../../../core/guides/routesNotUpdating.ts'
import { contract } from '../../../shared/contract/index.ts'
import { AppError } from '../../../shared/errors.ts'
import type { GuideFix, GuideName, GuideReport } from '../../../shared/model/guide.ts'
import type { FakeEngine } from './fakeEngine.ts'

/** The guides of the real engine, over what the pretended one knows. */
function examine(engine: FakeEngine, guide: GuideName, reference: string | undefined): GuideReport {
  const { vault, reconcile, startedAt } = engine.status()
  const nodes = [...engine.nodes.values()]
  if (guide === 'nothing-is-synced')
    return nothingIsSynced({
      nowMs: engine.now(),
      startedAt,
      vaultUnlocked: vault.unlocked,
      vaultDescription: vault.description,
      reconcile,
      sources: [],
      revision: null,
      plans: [...engine.plans.values()],
      selectedNodes: nodes.filter((node) => node.plans.length > 0).length,
      pushNodes: nodes.length,
      openRollouts: [...engine.rollouts.values()].filter(({ finishedAt }) => finishedAt === null),
      runsQueued: 0,
      runsRunning: 0,
    })
  if (reference === undefined) throw new AppError('INVALID_INPUT', 'Say which node.')
  const node = engine.node(reference)
  const away = node.reachability.status === 'unreachable' ? node.reachability.diagnosis : null
  const connect = {
    name: 'connect',
    status: away === null ? ('ok' as const) : ('failed' as const),
    detail: away?.sentence ?? 'it answers',
    evidence: away?.evidence ?? [],
    durationMs: 4,
  }
  if (guide === 'node-stays-pending')
    return nodeStaysPending({
      nowMs: engine.now(),
      node,
      doctor: { nodeName: node.name, steps: [connect], diagnosis: away },
      network: null,
    })
  return routesNotUpdating({
    node,
    plan: null,
    publicServices: 0,
    file: null,
    traefik: null,
    log: null,
    unreached: away,
    names: [],
  })
}

function fix(engine: FakeEngine, wanted: GuideFix): string {
  if (wanted.kind === 'decide' || wanted.kind === 'by-hand')
    throw new AppError('UNSUPPORTED', 'Only a person can do this.')
  if (wanted.kind === 'end-maintenance') engine.saveNode({ ...engine.node(wanted.nodeId), maintenance: false })
  return 'Begun.'
}

export function guideRoutes(engine: FakeEngine) {
  const os = implement(contract)
  return {
    guides: {
      examine: os.guides.examine.handler(({ input }) => examine(engine, input.guide, input.node)),
      fix: os.guides.fix.handler(({ input }) => ({ done: fix(engine, input.fix) })),
    },
  }
}
