import { useEffect } from 'react'
import type { FleetNode, OfferedHostKey } from '../../../../shared/model/node.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { cli } from '../cliCommands.ts'

/** A changed or unknown host key is a person's decision, with both fingerprints in sight and Cancel in focus. */
export function AcceptHostKey({ node, onClose }: { readonly node: FleetNode; readonly onClose: () => void }) {
  const { client } = useLink()
  const probe = useCall<{ offered: OfferedHostKey[] }>()
  const accept = useCall<FleetNode>()
  const { run: runProbe } = probe
  useEffect(() => {
    void runProbe(() => client.nodes.probeHostKey({ address: node.address, port: node.port }))
  }, [runProbe, client, node.address, node.port])
  const offered =
    probe.answer?.offered.find((key) => !node.hostKeys.some((pinned) => pinned.fingerprint === key.fingerprint)) ?? null
  const unchanged = probe.answer !== null && offered === null
  const confirm = async (): Promise<void> => {
    if (offered === null) return
    const saved = await accept.run(() =>
      client.nodes.acceptHostKey({ node: node.id, fingerprint: offered.fingerprint }),
    )
    if (saved !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      danger
      title={`Trust another host key for ${node.name}?`}
      blastRadius={`${node.name} at ${node.address}:${node.port}`}
      effect="From now on this key, and only this one of its type, proves that the node is itself. Nothing was sent to it so far."
      undo="Accepting the key before again."
      confirmLabel="Trust this key"
      onConfirm={() => void confirm()}
      busy={accept.busy || offered === null}
      error={accept.error}
    >
      <Fingerprints node={node} offered={offered} />
      {probe.busy && <p className="text-muted">Asking {node.address} for its key…</p>}
      {probe.error !== null && (
        <ErrorNote
          error={probe.error}
          onRetry={() => void runProbe(() => client.nodes.probeHostKey({ address: node.address, port: node.port }))}
        />
      )}
      {unchanged && (
        <p className="text-pending">
          The address now shows the key that is already trusted. There is nothing to accept.
        </p>
      )}
      {offered !== null && <CliEquivalent command={cli.acceptHostKey(node.name, offered.fingerprint)} />}
    </DecisionDialog>
  )
}

function Fingerprints({ node, offered }: { readonly node: FleetNode; readonly offered: OfferedHostKey | null }) {
  return (
    <div className="flex flex-col gap-2">
      {node.hostKeys.length === 0 && <p className="text-muted">No key is trusted for this node yet.</p>}
      {node.hostKeys.map((key) => (
        <Fingerprint key={key.fingerprint} title={`Trusted until now, ${key.keyType}`} fingerprint={key.fingerprint} />
      ))}
      {offered !== null && (
        <Fingerprint
          title={`Shown now, ${offered.keyType}, ${offered.banner}`}
          fingerprint={offered.fingerprint}
          strong
        />
      )}
    </div>
  )
}

export function Fingerprint({
  title,
  fingerprint,
  strong = false,
}: {
  readonly title: string
  readonly fingerprint: string
  readonly strong?: boolean
}) {
  return (
    <div className={strong ? 'rounded-md border border-pending p-2' : 'rounded-md border p-2'}>
      <p className="text-12 text-faint">{title}</p>
      <code className="text-12 break-all">{fingerprint}</code>
    </div>
  )
}
