import { useMutation } from '@tanstack/react-query'
import type { AuthorityKind } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { plural } from '../../../components/format.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { trustCli } from '../trustCommands.ts'
import { authorityWords } from './authorityWords.ts'
import { UnplannedNodes } from './UnplannedNodes.tsx'

const reach: Readonly<Record<AuthorityKind, (nodes: number, agents: number) => string>> = {
  'ssh-user': (nodes) =>
    `${plural(nodes, 'push node')}: each must prove that it trusts both before anything else changes`,
  'ssh-host': (nodes) => `${plural(nodes, 'push node')} and whoever has our known_hosts lines`,
  x509: (_, agents) => `${plural(agents, 'agent')} and the gateway`,
}

/** The first phase changes least: a second authority is trusted beside the one there is. */
export function StartRotation({ kind, onClose }: { readonly kind: AuthorityKind; readonly onClose: () => void }) {
  const { client } = useLink()
  const nodes = useReplica((state) => state.nodes)
  const agents = useReplica((state) => state.agents)
  const pushNodes = [...nodes.values()].filter((node) => node.transport === 'push').length
  const start = useMutation({ mutationFn: () => client.certificates.startRotation({ kind }), onSuccess: onClose })
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Rotate the ${authorityWords[kind].title}?`}
      blastRadius={
        <>
          <p>{reach[kind](pushNodes, agents.size)}</p>
          <UnplannedNodes kind={kind} />
        </>
      }
      effect="Makes a new key, sealed like the old one, and has it trusted beside the old one. The old one goes on signing until you say otherwise, so nothing stops working now."
      undo="Roll back, until the old one is let go in the last phase."
      confirmLabel="Start the rotation"
      busy={start.isPending}
      error={start.error === null ? null : toErrorBody(start.error)}
      onConfirm={() => start.mutate()}
    >
      <CliEquivalent command={trustCli.startRotation[kind]} />
    </DecisionDialog>
  )
}
