import { createHash } from 'node:crypto'
import { deliveryRefused, receiverWroteOther } from '../../../../core/registry/deliveryCauses.ts'
import { receivedHostsDifferences, receivedHostsText } from '../../../../core/registry/receiverCheck.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { NodeAnswer, RegistryContent } from '../../../ports.ts'
import type { Delivered } from '../delivery/deliveryExecutor.ts'
import { driftWarning, isProvenYet, observedOf } from '../delivery/drift.ts'
import { receiverCause, receiverOrder, receiverTimeoutMs } from '../delivery/receiver.ts'
import { DeliveryFailed, type DeliverySession } from '../delivery/session.ts'
import type { HostsContext } from './context.ts'

type Content = Awaited<ReturnType<RegistryContent['of']>>

/**
 * The hosts file by a script that lies on the node, as before us (S1.53, S1.59), but with the registry on its standard
 * input instead of fetched from here (D11). Lines that are there already are only looked at (D14).
 */
export async function deliverHostsByScript(
  context: HostsContext,
  session: DeliverySession,
  content: Content,
): Promise<Delivered> {
  const observed = observedOf(context)
  const warnings: Run['warnings'] = []
  if (observed !== null && isProvenYet(context, observed) && observed.revision === context.run.planRevision) {
    const [file] = await session.ask([{ kind: 'read', path: context.plan.spec.file }], { timeoutMs: receiverTimeoutMs })
    const differences = differencesIn(context, file, content)
    if (differences.length === 0) return provenBy(context, file, { content, written: false, warnings })
    warnings.push(driftWarning(context, observed, { how: 'changed', evidence: differences.slice(0, 40) }))
  }
  const file = await receive(context, session, content)
  return provenBy(context, file, { content, written: true, warnings })
}

async function receive(context: HostsContext, session: DeliverySession, content: Content): Promise<NodeAnswer> {
  const { node, plan, log } = context
  const { receiver, file: path, sudo } = plan.spec
  if (receiver.kind !== 'script') throw new Error('the plan has no receiver script')
  const order = receiverOrder(context, {
    file: receiver.file,
    registryJson: content.registryJson,
    ...(sudo === 'auto' ? { sudoFor: path } : {}),
  })
  const [script, file] = await session.ask([order, { kind: 'read', path }], { timeoutMs: receiverTimeoutMs })
  const cause = receiverCause(context, receiver.file, script)
  if (cause !== null) throw new DeliveryFailed('PUSH_SYNC', cause)
  const differences = differencesIn(context, file, content)
  if (differences.length > 0) throw new DeliveryFailed('VERIFY', receiverWroteOther(node, path, differences))
  log(`${receiver.file} took the registry, ${path} says what it says`)
  return file
}

function differencesIn({ node, plan }: HostsContext, file: NodeAnswer, { services }: Content): string[] {
  if (file.kind === 'refused')
    throw new DeliveryFailed('VERIFY', deliveryRefused(node, { kind: 'hosts', path: plan.spec.file }, file))
  return receivedHostsDifferences(hostsText(file), services, plan.spec.hosts)
}

const hostsText = (file: NodeAnswer): string =>
  file.kind === 'content' && file.content !== null ? Buffer.from(file.content).toString('latin1') : ''

interface Proving {
  readonly content: Content
  readonly written: boolean
  readonly warnings: Run['warnings']
}

function provenBy({ plan }: HostsContext, file: NodeAnswer, { content, written, warnings }: Proving): Delivered {
  const lines = receivedHostsText(hostsText(file), content.services, plan.spec.hosts.domain)
  return {
    written,
    size: Buffer.byteLength(content.registryJson),
    digest: createHash('sha256').update(lines, 'latin1').digest('hex'),
    verify: { mode: 'hosts', entries: lines.split('\n').length - 1 },
    warnings,
  }
}
