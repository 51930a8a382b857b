import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { KrlStatus } from '../../../../shared/model/certificate.ts'
import { KrlSpec } from '../../../../shared/model/plan.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { plural } from '../../../components/format.ts'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate } from '../../../stores/route.ts'
import { inSshDirectory, sshDirectory } from '../../plans/sshDirectory.ts'

const planName = 'revocation list'

/** Nothing delivers the list: says what that means, and makes the plan that does. */
export function CreateKrlPlan({ krl }: { readonly krl: KrlStatus }) {
  const stale = useStale()
  const [deciding, setDeciding] = useState(false)
  return (
    <>
      <EmptyState
        title="No node gets the revocation list"
        actions={
          <>
            <Button variant="primary" disabled={stale} onClick={() => setDeciding(true)}>
              Deliver it to all nodes…
            </Button>
            <Button onClick={() => navigate(formatHash({ view: 'plans', path: ['new'], query: { kind: 'krl' } }))}>
              Choose nodes and file
            </Button>
          </>
        }
      >
        <p>
          sshd refuses a revoked certificate only when it has a list that names it. As long as no node gets one, a
          revoked certificate keeps working until it ends
          {krl.revokedCertificates > 0 && `, and ${plural(krl.revokedCertificates, 'is', 'are')} revoked now`}.
        </p>
        <p className="mt-2">
          A plan of this kind brings the list to each node, checks it with <code>sshd -t</code>, reloads sshd, and
          proves with a login that a revoked certificate is refused. It follows every revocation by itself.
        </p>
      </EmptyState>
      {deciding && <CreateDialog onClose={() => setDeciding(false)} />}
    </>
  )
}

function CreateDialog({ onClose }: { readonly onClose: () => void }) {
  const { client } = useLink()
  const nodes = useReplica((state) => state.nodes)
  const pushNodes = [...nodes.values()].filter((node) => node.transport === 'push').length
  const [{ directory, elsewhere }] = useState(() => sshDirectory(nodes.values()))
  const spec = { file: inSshDirectory(KrlSpec.parse({}).file, directory) }
  const apply = useMutation({
    mutationFn: () => client.plans.apply({ plans: [{ name: planName, kind: 'krl', selector: '*', spec }] }),
    onSuccess: onClose,
  })
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title="Deliver the revocation list to all nodes?"
      blastRadius={`${plural(pushNodes, 'node')} that we push to, and those that are added later`}
      effect={
        <>
          Makes the plan “{planName}”: the list goes to <code>{spec.file}</code>, and <code>RevokedKeys</code> in
          sshd_config points to it. The first list may be empty. The next cycle delivers it, or Deliver now.
          {elsewhere > 0 && (
            <p className="mt-1 text-pending">
              {plural(elsewhere, 'node keeps', 'nodes keep')} what sshd reads in another directory: choose nodes and
              file instead.
            </p>
          )}
        </>
      }
      undo="Remove the plan. The list that was delivered by then stays on the nodes."
      confirmLabel="Make the plan"
      busy={apply.isPending}
      error={apply.error === null ? null : toErrorBody(apply.error)}
      onConfirm={() => apply.mutate()}
    >
      <CliEquivalent command="lockstep plans apply -f plans.yaml" />
    </DecisionDialog>
  )
}
