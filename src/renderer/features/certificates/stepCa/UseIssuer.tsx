import { useMutation } from '@tanstack/react-query'
import type { StepCaStatus } from '../../../../shared/model/stepCa.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'

interface UseIssuerProps {
  readonly status: StepCaStatus
  readonly onClose: () => void
  readonly onDone: () => void
}

/** How many push nodes have proven what they should trust, at the revision wanted now. */
function useTrustCoverage(): { readonly proven: number; readonly total: number } {
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const pushed = [...nodes.values()].filter((node) => node.transport === 'push')
  const proven = pushed.filter((node) =>
    node.plans.some(
      ({ planId, observed, desiredRevision, driftSince }) =>
        plans.get(planId)?.kind === 'trust' && observed?.revision === desiredRevision && driftSince === null,
    ),
  ).length
  return { proven, total: pushed.length }
}

/** Whose signature logs us in from now on: the one switch that can lock us out of every node at once. */
export function UseIssuer({ status, onClose, onDone }: UseIssuerProps) {
  const { client } = useLink()
  const { proven, total } = useTrustCoverage()
  const issuer = status.active ? 'embedded' : 'step-ca'
  const use = useMutation({ mutationFn: () => client.stepCa.use({ issuer }), onSuccess: onDone })
  const who = status.active ? 'the embedded authority' : 'step-ca'
  return (
    <DecisionDialog
      open
      danger={proven < total}
      onClose={onClose}
      title={status.active ? 'Let the embedded authority sign again?' : 'Let step-ca sign user certificates?'}
      blastRadius={
        <>
          <p className="font-medium">every login to {plural(total, 'node')}, from the next certificate on</p>
          <p className={proven < total ? 'text-pending' : 'text-muted'}>
            {formatCount(proven)} of {formatCount(total)} have proven the authorities they should trust.{' '}
            {proven < total &&
              `A node that does not trust ${who} refuses us until it does: deliver a plan of kind trust to all first.`}
          </p>
        </>
      }
      effect={
        status.active
          ? 'New certificates are signed here again. Those that step-ca signed keep working until they end.'
          : 'Every new certificate is asked of step-ca. While it does not answer, nothing new is signed and runs wait; certificates that are out keep working until they end. Serials are its own, so only step-ca and a revocation list can take them back.'
      }
      undo={status.active ? 'Let step-ca sign again.' : 'Let the embedded authority sign again, at any time.'}
      confirmLabel={status.active ? 'Let the embedded one sign' : 'Let step-ca sign'}
      busy={use.isPending}
      error={use.error === null ? null : toErrorBody(use.error)}
      onConfirm={() => use.mutate()}
    >
      <CliEquivalent
        command={issuer === 'step-ca' ? 'lockstep ca step use step-ca' : 'lockstep ca step use embedded'}
      />
    </DecisionDialog>
  )
}
