import { assertNever } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { OfferedFix } from '../../shared/model/guide.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { shellWord } from '../transfer/remoteShell.ts'
import { offered } from './steps.ts'

type Subject = Pick<FleetNode, 'id' | 'name' | 'address' | 'user' | 'port' | 'login'>

/** How a person logs in to look for themselves. */
export const sshByHand = ({ user, address, port }: Pick<FleetNode, 'user' | 'address' | 'port'>): string =>
  `ssh ${port === 22 ? '' : `-p ${port} `}${shellWord(`${user}@${address}`)} "echo OK"`

/**
 * The one button for a cause that was found on the way to a node. Null: only time, or somebody at the machine, helps.
 */
export function offerFor(node: Subject, { code, nextAction }: Diagnosis): OfferedFix | null {
  const unreached = unreachedOffer(node, code)
  if (unreached !== undefined) return unreached
  switch (nextAction.kind) {
    case 'resync':
      return resync(node)
    case 'renew-certificate':
      return offered(
        { kind: 'renew-certificate', nodeId: node.id },
        `Renew the certificate of ${node.name}`,
        `A new certificate is issued for ${node.name} and proven by a login; the old one runs out by itself.`,
      )
    case 'accept-host-key':
      return decide(
        'host-key',
        node,
        nextAction.label,
        `Shows the fingerprints of ${node.name}. Nothing is accepted until you say so.`,
      )
    case 'edit-node':
      return decide(
        'node',
        node,
        nextAction.label,
        `Opens the settings of ${node.name}. Nothing is changed until you save.`,
      )
    case 'edit-plan':
      return decide('plan', node, nextAction.label, 'Opens the plan. Nothing is changed until you save.')
    case 'approve-deletes':
      return decide('run', node, nextAction.label, 'Shows what would be deleted. Nothing is deleted until you say so.')
    case 'open-terminal':
      return offered(
        { kind: 'by-hand', nodeId: node.id, command: '' },
        nextAction.label,
        `Opens a shell on ${node.name}.`,
      )
    case 'run-doctor':
    case 'wait':
    case 'none':
    case 'deliver-krl':
    case 'set-up-storage':
      return null
    default:
      return assertNever(nextAction.kind)
  }
}

/** What the field does about a node that cannot be logged in to (S1.106). */
function unreachedOffer(node: Subject, code: Diagnosis['code']): OfferedFix | null | undefined {
  switch (code) {
    case 'KEY_REFUSED':
      if (node.login.kind !== 'static-key') return undefined
      return offered(
        {
          kind: 'by-hand',
          nodeId: null,
          command: `ssh-copy-id -i ${shellWord(`${node.login.keyFile}.pub`)} ${shellWord(`${node.user}@${node.address}`)}`,
        },
        'Copy the command that hands over our key',
        `It puts our public key into authorized_keys of ${node.user} on ${node.name}, for whoever can log in there already.`,
      )
    case 'NODE_UNREACHABLE':
    case 'CONNECTION_TIMED_OUT':
      return offered(
        { kind: 'by-hand', nodeId: null, command: 'sudo tailscale up' },
        'Copy the command for somebody there',
        `It brings ${node.name} back into its private network, if that is how it is reached. Lockstep tries again by itself and needs no press when it is back.`,
      )
    default:
      return undefined
  }
}

export const resync = (node: Pick<FleetNode, 'id' | 'name'>): OfferedFix =>
  offered(
    { kind: 'resync', nodeId: node.id },
    `Resync ${node.name}`,
    `Every plan of ${node.name} is delivered again and read back. What is right already is only verified.`,
  )

function decide(
  where: Extract<OfferedFix['fix'], { kind: 'decide' }>['where'],
  node: Subject,
  label: string,
  preview: string,
): OfferedFix {
  return offered({ kind: 'decide', where, nodeId: node.id }, label, preview)
}
