import { selects } from '../../core/fleet/assignment.ts'
import type { RevocationPreview, RevocationTargets } from '../../shared/contract/certificates.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { CertificateId, NodeId } from '../../shared/model/ids.ts'
import type { Terminal } from '../../shared/model/terminal.ts'
import type { StoreReader } from '../ports.ts'
import { resolveNode } from './resolve.ts'

interface TargetContext {
  readonly store: StoreReader
  readonly nowMs: number
  /** Fingerprints of our SSH authorities, users' and hosts': a serial means nothing without its authority. */
  readonly authorities: readonly string[]
}

export interface ChosenCertificates {
  /** Neither revoked nor over. */
  readonly live: readonly IssuedCertificate[]
  /** Revoked before, or over by themselves: left alone. */
  readonly skipped: number
}

const most = 100_000

/** @throws AppError NOT_FOUND for an id, serial or node that nobody knows */
export async function chooseCertificates(
  targets: RevocationTargets,
  context: TargetContext,
): Promise<ChosenCertificates> {
  const named = await namedCertificates(targets, context)
  const unique = [...new Map(named.map((certificate) => [certificate.id, certificate])).values()]
  const live = unique.filter(({ revocation, validBefore }) => revocation === null && validBefore > context.nowMs)
  return { live, skipped: unique.length - live.length }
}

async function namedCertificates(
  targets: RevocationTargets,
  { store, nowMs, authorities }: TargetContext,
): Promise<IssuedCertificate[]> {
  const query = { nowMs, limit: most }
  switch (targets.kind) {
    case 'certificates': {
      const found = await store.listCertificates({ ...query, ids: targets.ids })
      refuseUnknown(targets.ids, new Set<string>(found.map(({ id }) => id)), 'certificate')
      return found
    }
    case 'serials': {
      const perAuthority = authorities.map((authorityFingerprint) =>
        store.listCertificates({ ...query, authorityFingerprint, serials: targets.serials }),
      )
      const found = (await Promise.all(perAuthority)).flat()
      refuseUnknown(targets.serials, new Set(found.map(({ serial }) => serial)), 'serial')
      return found
    }
    case 'nodes': {
      const nodes = await Promise.all(targets.nodes.map((reference) => resolveNode(store, reference)))
      const perNode = nodes.map(({ id }) => store.listCertificates({ ...query, nodeId: id, standing: 'live' }))
      return (await Promise.all(perNode)).flat()
    }
  }
}

function refuseUnknown(asked: readonly (string | CertificateId)[], known: ReadonlySet<string>, word: string): void {
  const missing = asked.find((one) => !known.has(one))
  if (missing === undefined) return
  throw new AppError(
    'NOT_FOUND',
    `The issue log has no ${word} ${missing}${word === 'serial' ? ' of an authority that signs now' : ''}. Nothing was revoked.`,
    {
      data: { [word]: missing },
    },
  )
}

/** Who is hit, and where the certificates will keep working because no revocation list is delivered there. */
export async function describeBlastRadius(
  chosen: ChosenCertificates,
  { store, terminals }: { readonly store: StoreReader; readonly terminals: readonly Terminal[] },
): Promise<RevocationPreview> {
  const { live, skipped } = chosen
  const [nodes, plans, openRuns] = await Promise.all([store.listNodes(), store.listPlans(), store.listOpenRuns()])
  const lists = plans.filter(({ kind }) => kind === 'krl')
  const reached = nodes.filter(({ transport }) => transport === 'push')
  const uncovered = reached.filter((node) => !lists.some((plan) => selects(plan, node)))
  const withTerminal = new Set(live.filter(({ purpose }) => purpose === 'terminal').map(({ nodeId }) => nodeId))
  const automation = new Set(live.map(({ serial, nodeId }) => `${serial} ${nodeId}`))
  return {
    certificates: [...live],
    skipped,
    nodes: [...new Set(live.map(({ nodeId }) => nodeId).filter((id): id is NodeId => id !== null))],
    openTerminals: terminals.filter(({ status, nodeId }) => status === 'open' && withTerminal.has(nodeId)).length,
    openRuns: openRuns.filter(({ certificateSerial, nodeId }) => automation.has(`${certificateSerial} ${nodeId}`))
      .length,
    coveredNodes: reached.length - uncovered.length,
    uncoveredNodes: uncovered.map(({ name }) => name),
    staticKeyNodes: nodes.filter(({ login }) => login.kind === 'static-key').map(({ name }) => name),
  }
}
