import { useState } from 'react'
import type { Tile } from '../../../../core/fleet/health.ts'
import type { FleetNode, PlanState } from '../../../../shared/model/node.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CopyButton } from '../../../components/CopyButton.tsx'
import { classNames } from '../../../components/classNames.ts'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatDuration } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, runHash } from '../../../stores/route.ts'
import { RevokeDialog } from '../../certificates/RevokeDialog.tsx'
import { trustCli } from '../../certificates/trustCommands.ts'
import { certificateWords } from '../tileWords.ts'
import { Section } from './Section.tsx'

const levelColours: Readonly<Record<Tile['certificate']['level'], string>> = {
  ok: 'bg-faint',
  soon: 'bg-pending',
  critical: 'bg-error',
  expired: 'bg-error',
  none: 'bg-line-strong',
  'static-key': 'bg-pending',
}

/** How much of its life is left, and whether the node has let us in with it. */
export function CertificateSection({ node, tile }: { readonly node: FleetNode; readonly tile: Tile }) {
  const { certificate } = node
  return (
    <Section
      title="Certificate"
      aside={
        <span className={tile.certificate.level === 'ok' ? 'text-muted' : 'text-pending'}>
          {certificateWords(tile)}
        </span>
      }
    >
      {certificate === null ? (
        <p className="text-muted">None yet: one is issued with the first run, or by Renew.</p>
      ) : (
        <>
          <div className="h-1 rounded-full bg-line">
            <div
              className={classNames('h-1 rounded-full', levelColours[tile.certificate.level])}
              style={{ width: `${tile.certificate.shareLeft * 100}%` }}
            />
          </div>
          <p className="mt-1.5 text-muted">
            Serial{' '}
            <a
              className="text-accent underline"
              href={formatHash({ view: 'certificates', path: [certificate.serial] })}
            >
              {certificate.serial}
            </a>{' '}
            for {node.principal}, valid until <Time at={certificate.validBefore} absolute />.{' '}
            {certificate.acceptedAt === null ? (
              <span className="text-pending">The node has not accepted it yet.</span>
            ) : (
              <>
                Accepted by the node <Time at={certificate.acceptedAt} />.
              </>
            )}
          </p>
          <RevokeOfNode node={node} />
        </>
      )}
    </Section>
  )
}

/** All that this node's logins could use now: for a machine that is lost, or a key that got out. */
function RevokeOfNode({ node }: { readonly node: FleetNode }) {
  const stale = useStale()
  const [deciding, setDeciding] = useState(false)
  const close = (): void => setDeciding(false)
  return (
    <>
      <Button size="small" className="mt-2" disabled={stale} onClick={() => setDeciding(true)}>
        Revoke its certificates…
      </Button>
      {deciding && (
        <RevokeDialog
          targets={{ kind: 'nodes', nodes: [node.id] }}
          commandFor={(reason) => trustCli.revokeOfNode(node.name, reason)}
          onClose={close}
          onRevoked={close}
        />
      )}
    </>
  )
}

/** Desired against observed, plan by plan. */
export function PlansSection({ node, tile }: { readonly node: FleetNode; readonly tile: Tile }) {
  return (
    <Section title="Plans">
      {node.plans.length === 0 && <p className="text-muted">No plan selects this node.</p>}
      <ul className="flex flex-col gap-2">
        {node.plans.map((plan) => (
          <PlanRow key={plan.planId} plan={plan} green={tile.fill === 'in-step'} />
        ))}
      </ul>
    </Section>
  )
}

/** @param green the node itself is green: what was verified once is no good news while it does not answer */
function PlanRow({ plan, green }: { readonly plan: PlanState; readonly green: boolean }) {
  const { observed } = plan
  const behind = observed === null ? null : plan.desiredRevision - observed.revision
  return (
    <li>
      <p className="flex items-baseline justify-between gap-2">
        <a className="font-medium hover:underline" href={formatHash({ view: 'plans', path: [plan.planId] })}>
          {plan.planName}
        </a>
        <span
          className={plan.driftSince !== null || behind !== 0 ? 'text-pending' : green ? 'text-in-step' : 'text-muted'}
        >
          {planWords(plan, behind)}
        </span>
      </p>
      {observed !== null && (
        <p className="flex items-center gap-1 text-12 text-faint">
          <span>
            read back{' '}
            <a className="hover:underline" href={runHash(observed.runId)}>
              <Time at={observed.verifiedAt} />
            </a>
            ,
          </span>
          {observed.commit !== undefined && 'commit '}
          <code className="truncate">{(observed.commit ?? observed.digest).slice(0, 16)}</code>
          <CopyButton
            text={observed.commit ?? observed.digest}
            what={observed.commit === undefined ? 'digest' : 'commit'}
            className="size-5"
          />
        </p>
      )}
      {plan.driftSince !== null && (
        <p className="text-12 text-pending">
          What lies there is not proven since <Time at={plan.driftSince} absolute />
          {plan.driftReason == null ? '.' : `: ${plan.driftReason.short}.`}
        </p>
      )}
    </li>
  )
}

function planWords(plan: PlanState, behind: number | null): string {
  if (behind === null) return `revision ${plan.desiredRevision} wanted, never verified`
  if (plan.driftSince !== null) return `revision ${plan.desiredRevision}, not proven`
  if (behind === 0) return `revision ${plan.desiredRevision}, verified`
  return `revision ${plan.desiredRevision} wanted, ${plan.desiredRevision - behind} verified`
}

/** Where it is, as whom we log in, what we trust it by. */
export function NodeSection({ node }: { readonly node: FleetNode }) {
  const { reachability } = node
  const labels = Object.entries(node.labels)
  const skewMs = reachability.status === 'reachable' ? reachability.clockSkewMs : null
  return (
    <Section title="Node">
      <dl className="grid grid-cols-[88px_1fr] gap-y-1">
        <dt className="text-faint">Login</dt>
        <dd className="flex items-center gap-1">
          <code className="truncate text-12">
            {node.user}@{node.address}:{node.port}
          </code>
          <CopyButton text={`${node.user}@${node.address}`} what="login" className="size-5" />
        </dd>
        <dt className="text-faint">Lock</dt>
        <dd>{node.locked ? 'held: a run works on one of its targets' : 'free'}</dd>
        {skewMs !== null && (
          <>
            <dt className="text-faint">Clock</dt>
            <dd className={Math.abs(skewMs) > 5000 ? 'text-pending' : ''}>
              {Math.abs(skewMs) < 1000
                ? 'agrees with ours'
                : `${formatDuration(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`}
            </dd>
          </>
        )}
        <dt className="text-faint">Labels</dt>
        <dd className="flex flex-wrap gap-1">
          {labels.length === 0 && <span className="text-muted">none</span>}
          {labels.map(([key, value]) => (
            <a
              key={key}
              href={formatHash({ view: 'fleet', query: { filter: `label.${key}:"${value}"` } })}
              className="rounded-sm border px-1.5 text-12 text-muted hover:text-text"
            >
              {key}={value}
            </a>
          ))}
        </dd>
        <dt className="text-faint">Host keys</dt>
        <dd className="flex flex-col gap-1">
          {node.hostKeys.length === 0 && (
            <span className="text-pending">none trusted yet: nothing is sent before one is</span>
          )}
          {node.hostKeys.map((key) => (
            <span key={key.fingerprint} className="min-w-0">
              <code className="text-12 break-all">{key.fingerprint}</code>
              <span className="text-12 text-faint">
                {' '}
                {key.keyType}, trusted by {key.pinnedBy} <Time at={key.pinnedAt} />
              </span>
            </span>
          ))}
        </dd>
      </dl>
      <MaintenanceToggle node={node} />
    </Section>
  )
}

function MaintenanceToggle({ node }: { readonly node: FleetNode }) {
  const { client } = useLink()
  const stale = useStale()
  const call = useCall<FleetNode>()
  return (
    <div className="mt-2 flex flex-col gap-2">
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          className="accent-accent"
          checked={node.maintenance}
          disabled={stale || call.busy}
          onChange={(event) => {
            const maintenance = event.target.checked
            void call.run(() => client.nodes.update({ node: node.id, patch: { maintenance } }))
          }}
        />
        Maintenance: push nothing to this node
      </label>
      {call.error !== null && <ErrorNote error={call.error} />}
    </div>
  )
}
