import { createHash } from 'node:crypto'
import {
  deliveredDiffers,
  deliveryRefused,
  fileKeepsChanging,
  hostsFileMissing,
  hostsFileUnreadable,
} from '../../../../core/registry/deliveryCauses.ts'
import {
  readHostsBlock,
  type ShadowedName,
  shadowedNames,
  withHostsBlock,
} from '../../../../core/registry/hostsBlock.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { FileState, NodeAnswer, NodeOrder, RegistryContent } from '../../../ports.ts'
import type { PlanExecutor } from '../../executor.ts'
import { createDeliveryExecutor, type Delivered, type DeliveryMemory } from '../delivery/deliveryExecutor.ts'
import { driftWarning, isProvenYet, lineDifferences, observedOf } from '../delivery/drift.ts'
import { type DeliveryDependencies, DeliveryFailed, type DeliverySession, mostRounds } from '../delivery/session.ts'
import type { HostsContext } from './context.ts'
import { type KnownHosts, KnownHostsFiles } from './knownHosts.ts'
import { deliverHostsByScript } from './receiver.ts'

const exchangeTimeoutMs = 60_000

/**
 * All services as our block in a hosts file (S1.51-61). Every other byte stays; green only when our lines were read back
 * from the node. The node is given the registry, it fetches nothing (D11, S1.91).
 */
export function createHostsExecutor(dependencies: DeliveryDependencies): PlanExecutor<DeliveryMemory, PlanOf<'hosts'>> {
  const files = new KnownHostsFiles()
  return createDeliveryExecutor<PlanOf<'hosts'>>(dependencies, async (context, session) => {
    const content = await dependencies.content.of(context.plan)
    if (context.plan.spec.receiver.kind === 'script') return deliverHostsByScript(context, session, content)
    return deliverBlock({ context, session, files, content })
  })
}

interface Delivering {
  readonly context: HostsContext
  readonly session: DeliverySession
  readonly files: KnownHostsFiles
  readonly content: Awaited<ReturnType<RegistryContent['of']>>
}

async function deliverBlock(delivering: Delivering): Promise<Delivered> {
  const { context, session, files, content } = delivering
  const { node, plan, log } = context
  const { warnings, written, found } = await place(delivering)
  const wanted = sha256(content.text)
  if (found.blockDigest !== wanted) {
    const evidence = [`read back ${found.blockDigest}`, `sent ${wanted}`]
    throw new DeliveryFailed('PUSH_SYNC', deliveredDiffers(node, plan.spec.file, evidence))
  }
  if (found.text !== null) files.set(node.id, plan.spec.file, { ...found, text: found.text })
  const entries = content.text.split('\n').length - 1
  log(
    `${plan.spec.file}: ${entries} lines of ours ${written ? 'written' : 'there already'}, ${session.bytes} bytes sent and received`,
  )
  return {
    written,
    size: content.text.length,
    digest: found.blockDigest,
    verify: { mode: 'hosts', entries },
    warnings: [...warnings, ...shadowWarning(context, found.shadowed)],
  }
}

interface Placed {
  readonly written: boolean
  readonly found: KnownHosts
  readonly warnings: Run['warnings']
}

/** An order to the file, and the whole text that lies there when it was carried out; null when that is to be read first. */
interface Attempt {
  readonly order: NodeOrder
  readonly found: KnownHosts | null
}

/** Replaces the file in the state it was last seen in; when it is another one meanwhile, begins anew with that one. */
async function place(delivering: Delivering): Promise<Placed> {
  const { context, content } = delivering
  const { node, plan } = context
  const path = plan.spec.file
  const warnings: Run['warnings'] = []
  let attempt = firstAttempt(delivering)
  for (let round = 1; round <= mostRounds; round += 1) {
    const answer = await askWithSudo(delivering, attempt.order)
    switch (answer.kind) {
      case 'same':
      case 'replaced':
        if (attempt.found === null) throw new Error('the node knows a file that was never read')
        if (answer.state !== attempt.found.state) throw differs(context, answer.state, attempt.found.state)
        return { written: answer.kind === 'replaced', found: attempt.found, warnings }
      case 'content': {
        const text = textOf(context, answer)
        warnings.push(...driftOf(context, text, content.text))
        const current = knownOf(text)
        if (current.state !== answer.state) throw differs(context, answer.state, current.state)
        const changed = withBlock(context, text, content.text)
        if (changed === text) return { written: false, found: current, warnings }
        attempt = replacing(delivering, current.state, changed)
        break
      }
      case 'refused':
        throw new DeliveryFailed('PUSH_SYNC', deliveryRefused(node, { kind: 'hosts', path }, answer))
      default:
        throw new Error(`a file was answered with ${answer.kind}`)
    }
  }
  throw new DeliveryFailed('PUSH_SYNC', fileKeepsChanging(node, path, mostRounds))
}

function firstAttempt(delivering: Delivering): Attempt {
  const { context, files, content } = delivering
  const { node, plan } = context
  const known = files.get(node.id, plan.spec.file)
  const read: NodeOrder = { kind: 'read', path: plan.spec.file }
  if (known === null) return { order: read, found: null }
  const isThere = known.blockDigest === sha256(content.text)
  if (isThere) return { order: { ...read, unlessState: known.state }, found: known }
  if (known.text === null) return { order: read, found: null }
  return replacing(delivering, known.state, withBlock(context, known.text, content.text))
}

function replacing({ context }: Pick<Delivering, 'context'>, ifState: FileState, text: string): Attempt {
  const content = Buffer.from(text, 'latin1')
  return { order: { kind: 'replace', path: context.plan.spec.file, ifState, content }, found: knownOf(text) }
}

/** As the login user; through sudo where that one may not, which is remembered. */
async function askWithSudo({ context, session, files }: Delivering, order: NodeOrder): Promise<NodeAnswer> {
  const { node, plan, log } = context
  const withSudo = plan.spec.sudo === 'auto' && files.needsSudo(node.id)
  const [answer] = await session.ask([{ ...order, sudo: withSudo }], { timeoutMs: exchangeTimeoutMs })
  if (answer.kind !== 'refused') return answer
  if (withSudo) files.setNeedsSudo(node.id, false)
  if (withSudo || plan.spec.sudo !== 'auto' || answer.code !== 'REMOTE_PERMISSION_DENIED') return answer
  log(`${node.user} may not do that itself: with sudo`)
  const [again] = await session.ask([{ ...order, sudo: true }], { timeoutMs: exchangeTimeoutMs })
  if (again.kind !== 'refused') files.setNeedsSudo(node.id, true)
  return again
}

/** Latin1, so that bytes that are no UTF-8 survive. */
function textOf({ node, plan }: HostsContext, { content }: Extract<NodeAnswer, { kind: 'content' }>): string {
  if (content !== null) return Buffer.from(content.buffer, content.byteOffset, content.length).toString('latin1')
  throw new DeliveryFailed('PRE_FLIGHT_CHECK', hostsFileMissing(node, plan.spec.file))
}

function withBlock({ node, plan }: HostsContext, text: string, lines: string): string {
  const change = withHostsBlock(text, lines)
  if (change.ok) return change.text
  throw new DeliveryFailed('PRE_FLIGHT_CHECK', hostsFileUnreadable(node, plan.spec.file, change.message))
}

function knownOf(text: string): KnownHosts {
  return {
    state: sha256(text),
    blockDigest: sha256(readHostsBlock(text) ?? ''),
    shadowed: shadowedNames(text),
    text,
  }
}

const sha256 = (latin1: string): string => createHash('sha256').update(latin1, 'latin1').digest('hex')

const differs = ({ node, plan }: HostsContext, found: string, sent: string): DeliveryFailed =>
  new DeliveryFailed('PUSH_SYNC', deliveredDiffers(node, plan.spec.file, [`read back ${found}`, `sent ${sent}`]))

/** Lines of others are theirs; that ours were touched is worth a word. What an unfinished run of ours left is not. */
function driftOf(context: HostsContext, text: string, wanted: string): Run['warnings'] {
  const observed = observedOf(context)
  if (observed === null || !isProvenYet(context, observed)) return []
  const block = readHostsBlock(text)
  const digest = sha256(block ?? '')
  if (digest === observed.digest || digest === sha256(wanted)) return []
  const evidence = lineDifferences(block ?? '', wanted)
  return [driftWarning(context, observed, { how: block === null ? 'removed' : 'changed', evidence })]
}

const mostShadowed = 20

/** Programs take the first line with a name: what was delivered is there, and of no use. */
function shadowWarning({ node, plan, log }: HostsContext, shadowed: readonly ShadowedName[]): Run['warnings'] {
  const [first] = shadowed
  if (first === undefined) return []
  const more = shadowed.length === 1 ? '' : ` and ${shadowed.length - 1} more`
  const message = `${node.name} still resolves ${first.name}${more} to another address: line ${first.line} of ${plan.spec.file} stands before our block and says ${first.ip}. It is somebody's line and stays; remove it there if it is old.`
  log(message)
  const evidence = shadowed.slice(0, mostShadowed).map(({ name, ip, line }) => `line ${line}: ${ip} ${name}`)
  return [{ code: 'CONFLICT', message, evidence }]
}
