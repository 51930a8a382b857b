import { RefreshCw, ShieldCheck, SquareTerminal } from 'lucide-react'
import { useMemo, useState } from 'react'
import { computeTile } from '../../../../core/fleet/health.ts'
import type { NodeId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { Drawer } from '../../../components/Drawer.tsx'
import { FillMark } from '../../../components/StatusMark.tsx'
import { useNow } from '../../../stores/clock.ts'
import { startRenew, startResync, useRenewOperation } from '../../../stores/operations.ts'
import { useNode, useStale } from '../../../stores/ReplicaContext.tsx'
import { requestTerminal } from '../../../stores/terminalRequests.ts'
import { Guide } from '../../guides/Guide.tsx'
import { ServicesSection } from '../../registry/where/ServicesSection.tsx'
import { cli } from '../cliCommands.ts'
import { AcceptHostKey } from './AcceptHostKey.tsx'
import { DoctorSection } from './DoctorSection.tsx'
import { EditLogin } from './EditLogin.tsx'
import { CertificateSection, NodeSection, PlansSection } from './FactSections.tsx'
import { RenewNote, ResyncNote, useResyncState } from './OperationNote.tsx'
import { RunsStrip } from './RunsStrip.tsx'
import { Section } from './Section.tsx'
import { StaticKeySection } from './StaticKeySection.tsx'
import { StorageDrawer } from './storage/StorageDrawer.tsx'
import { StorageSection } from './storage/StorageSection.tsx'
import { HostCertificateSection } from './trust/HostCertificateSection.tsx'
import { KrlSection } from './trust/KrlSection.tsx'
import { WhySection } from './WhySection.tsx'

export const drawerPane = { name: 'node drawer', defaultWidth: 440 } as const
const tileStepMs = 5000

/** Everything about one node: why, what to do, what was proven. */
export function NodeDrawer({ nodeId, onClose }: { readonly nodeId: NodeId; readonly onClose: () => void }) {
  const node = useNode(nodeId)
  if (node === undefined) {
    return (
      <Drawer
        label="Node"
        header={<h2 className="text-15 font-semibold">Unknown node</h2>}
        onClose={onClose}
        paneName={drawerPane.name}
        defaultWidth={drawerPane.defaultWidth}
      >
        <p className="p-4 text-muted">
          There is no such node any more. It was removed, or the link is from another fleet.
        </p>
      </Drawer>
    )
  }
  return <KnownNode key={nodeId} node={node} onClose={onClose} />
}

type Decision = 'accept-host-key' | 'edit-login' | 'storage'

function KnownNode({ node, onClose }: { readonly node: FleetNode; readonly onClose: () => void }) {
  const now = useNow(tileStepMs)
  const stale = useStale()
  const tile = useMemo(() => computeTile(node, now), [node, now])
  const [decision, setDecision] = useState<Decision | null>(null)
  const [doctorAsked, setDoctorAsked] = useState(0)
  const askDoctor = (): void => setDoctorAsked((count) => count + 1)
  const isPush = node.transport === 'push'
  return (
    <>
      <Drawer
        label={`Node ${node.name}`}
        paneName={drawerPane.name}
        defaultWidth={drawerPane.defaultWidth}
        onClose={onClose}
        header={
          <>
            <h2 className="truncate text-18 font-semibold">{node.name}</h2>
            <p className="flex items-center gap-2 text-muted">
              <FillMark fill={tile.fill} withWord />
              <span>
                · {node.kind} · {node.address}
              </span>
            </p>
          </>
        }
        footer={<Actions node={node} />}
      >
        <div className={classNames(stale && 'stale')}>
          <WhySection
            node={node}
            tile={tile}
            onRequest={(request) => (request === 'doctor' ? askDoctor() : setDecision(request))}
          />
          {decision === 'edit-login' && <EditLogin node={node} onClose={() => setDecision(null)} />}
          <RunsStrip nodeId={node.id} />
          {node.login.kind === 'static-key' ? (
            <StaticKeySection node={node} keyFile={node.login.keyFile} />
          ) : (
            <CertificateSection node={node} tile={tile} />
          )}
          <PlansSection node={node} tile={tile} />
          <ServicesSection node={node} />
          {isPush && (
            <>
              <HostCertificateSection node={node} />
              <KrlSection node={node} />
              <StorageSection node={node} onSetUp={() => setDecision('storage')} />
            </>
          )}
          <NodeSection node={node} />
          {isPush && (
            <Section title="Guided diagnosis">
              <div className="flex flex-col gap-2">
                <Guide
                  guide="node-stays-pending"
                  label="Why does it stay pending?"
                  node={node}
                  onDecide={(where) => setDecision(where === 'host-key' ? 'accept-host-key' : 'edit-login')}
                />
                {node.kind === 'vps' && (
                  <Guide guide="routes-not-updating" label="Why do routes not change?" node={node} />
                )}
              </div>
            </Section>
          )}
          <DoctorSection nodeId={node.id} asked={doctorAsked} onAsk={askDoctor} />
        </div>
        {decision === 'accept-host-key' && <AcceptHostKey node={node} onClose={() => setDecision(null)} />}
      </Drawer>
      {decision === 'storage' && <StorageDrawer node={node} onClose={() => setDecision(null)} />}
    </>
  )
}

/** One click each. They stay pressed until the node has proven the outcome. */
function Actions({ node }: { readonly node: FleetNode }) {
  const link = useLink()
  const stale = useStale()
  const resync = useResyncState(node.id)
  const renew = useRenewOperation(node.id)
  const resyncing = resync?.status === 'asking' || resync?.status === 'working'
  const renewing = renew !== undefined && renew.outcomes === null && renew.error === null
  return (
    <div className="flex flex-col gap-2 p-3">
      <ResyncNote nodeId={node.id} />
      <RenewNote nodeId={node.id} />
      <div className="flex gap-2">
        <Button
          variant="primary"
          className="flex-1"
          busy={resyncing}
          disabled={stale || node.plans.length === 0}
          icon={<RefreshCw aria-hidden className="size-4" />}
          onClick={() => void startResync(link, { nodeIds: [node.id] })}
        >
          Resync
        </Button>
        {node.login.kind === 'certificate' && (
          <Button
            className="flex-1"
            busy={renewing}
            disabled={stale}
            icon={<ShieldCheck aria-hidden className="size-4" />}
            onClick={() => void startRenew(link, { nodeIds: [node.id] })}
          >
            Renew
          </Button>
        )}
        <Button
          disabled={stale}
          icon={<SquareTerminal aria-hidden className="size-4" />}
          onClick={() => requestTerminal({ nodeId: node.id })}
        >
          Terminal
        </Button>
      </div>
      {stale && (
        <p className="text-12 text-pending">
          Not connected to the engine: this is the last known state, and nothing can be sent.
        </p>
      )}
      <details>
        <summary className="text-12 text-faint hover:text-text">Same on the command line</summary>
        <div className="mt-2 flex flex-col gap-2">
          <CliEquivalent command={cli.push([node.name])} />
          <CliEquivalent command={cli.renew([node.name])} />
        </div>
      </details>
    </div>
  )
}
