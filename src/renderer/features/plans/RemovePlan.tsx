import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { Plan } from '../../../shared/model/plan.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate } from '../../stores/route.ts'

export function RemovePlan({ plan }: { readonly plan: Plan }) {
  const { client } = useLink()
  const nodes = useReplica((state) => state.nodes)
  const [deciding, setDeciding] = useState(false)
  const reached = [...nodes.values()].filter((node) => node.plans.some((state) => state.planId === plan.id)).length
  const remove = useMutation({
    mutationFn: () => client.plans.remove({ plan: plan.id }),
    onSuccess: () => {
      setDeciding(false)
      navigate(formatHash({ view: 'plans' }))
    },
  })
  return (
    <>
      <Button onClick={() => setDeciding(true)}>Remove…</Button>
      <DecisionDialog
        open={deciding}
        danger
        onClose={() => setDeciding(false)}
        title={`Remove the plan ${plan.name}?`}
        blastRadius={`${formatCount(reached)} of ${plural(nodes.size, 'node')}`}
        effect="It is no longer delivered or checked. Files on the nodes stay as they are, and its runs stay in the history."
        undo="Apply its text again. It starts as a new plan."
        confirmLabel="Remove the plan"
        busy={remove.isPending}
        error={remove.error === null ? null : toErrorBody(remove.error)}
        onConfirm={() => remove.mutate()}
      >
        <CliEquivalent command={`lockstep plans remove ${shellQuote(plan.name)}`} />
      </DecisionDialog>
    </>
  )
}
