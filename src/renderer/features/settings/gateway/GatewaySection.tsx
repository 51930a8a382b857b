import { useState } from 'react'
import type { GatewayStatus } from '../../../../shared/model/agent.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { GatewayForm } from './GatewayForm.tsx'
import { GatewayMark } from './GatewayMark.tsx'
import { gatewayCli } from './gatewayForm.ts'
import { useGateway } from './useGateway.ts'

/** The door agents come through: off, or where it listens, and what is wrong with it. */
export function GatewaySection() {
  const { gateway, error, retry } = useGateway()
  const stale = useStale()
  if (gateway === undefined)
    return error === null ? (
      <p className="text-muted">The engine has not answered yet.</p>
    ) : (
      <ErrorNote error={error} onRetry={retry} />
    )
  return (
    <div className={classNames('flex flex-col gap-3', stale && 'stale')}>
      {gateway.settings === null ? <Off /> : <On gateway={gateway} />}
    </div>
  )
}

function Off() {
  const [opening, setOpening] = useState(false)
  return (
    <>
      <p className="text-muted">
        Off: nothing listens. Hosts that push to storage by themselves report to this console through the gateway, so it
        is needed only when there are agents.
      </p>
      {opening ? (
        <GatewayForm settings={null} onDone={() => setOpening(false)} onCancel={() => setOpening(false)} />
      ) : (
        <div>
          <Button onClick={() => setOpening(true)}>Switch it on…</Button>
        </div>
      )}
    </>
  )
}

function On({ gateway }: { readonly gateway: GatewayStatus }) {
  const [editing, setEditing] = useState(false)
  const [closing, setClosing] = useState(false)
  const { settings } = gateway
  if (settings === null) return null
  return (
    <>
      <Facts nameWidth="160px">
        <Fact name="State">
          <GatewayMark gateway={gateway} />
        </Fact>
        <Fact name="Address">
          {settings.address}, port {gateway.port ?? settings.port}
        </Fact>
        {gateway.url !== null && (
          <Fact name="For agents">
            <LongText text={gateway.url} what="address" />
          </Fact>
        )}
        <Fact name="Names">{settings.names.join(', ')}</Fact>
        {gateway.rootFingerprint !== null && (
          <Fact name="Root fingerprint">
            <LongText text={gateway.rootFingerprint} what="root fingerprint" />
          </Fact>
        )}
        <Fact name="Certificate ends">
          <Time at={gateway.certificateValidBefore} fallback="none yet" />
        </Fact>
        <Fact name="Open connections">{formatCount(gateway.openConnections)}</Fact>
      </Facts>
      {gateway.problem !== null && (
        <p role="alert" className="rounded-md border border-error p-2 break-words">
          {gateway.problem}
        </p>
      )}
      {editing ? (
        <GatewayForm settings={settings} onDone={() => setEditing(false)} onCancel={() => setEditing(false)} />
      ) : (
        <div className="flex gap-2">
          <Button onClick={() => setEditing(true)}>Listen elsewhere…</Button>
          <Button onClick={() => setClosing(true)}>Switch it off…</Button>
        </div>
      )}
      <CliEquivalent command={gatewayCli.status} />
      {closing && <SwitchOff gateway={gateway} onClose={() => setClosing(false)} />}
    </>
  )
}

function SwitchOff({ gateway, onClose }: { readonly gateway: GatewayStatus; readonly onClose: () => void }) {
  const { client } = useLink()
  const agents = useReplica((state) => state.agents)
  const call = useCall<GatewayStatus>()
  const active = [...agents.values()].filter((agent) => agent.status === 'active')
  const running = active.filter((agent) => agent.activity.status === 'running').length
  const confirm = async (): Promise<void> => {
    if ((await call.run(() => client.gateway.disable())) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title="Switch the gateway off?"
      blastRadius={`${plural(active.length, 'agent')}, ${plural(gateway.openConnections, 'open connection')}`}
      effect={
        <>
          Nothing listens any more, also after a restart. Agents cannot start new runs without the console and keep
          their reports until it is back; join tokens cannot be used.
          {running > 0 && ` ${plural(running, 'run')} under way will stop being reported.`}
        </>
      }
      undo="Switching it on again, at the same address: agents find it by themselves and send what they kept."
      confirmLabel="Switch off"
      onConfirm={() => void confirm()}
      danger
      busy={call.busy}
      error={call.error}
    >
      <CliEquivalent command={gatewayCli.disable} />
    </DecisionDialog>
  )
}
