import type { Agent } from '../../../shared/model/agent.ts'
import { RunMark, runStatusWords } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { useNow } from '../../stores/clock.ts'
import { runHash } from '../../stores/route.ts'
import {
  type AgentRow,
  activityWords,
  clientCertificateTone,
  lockFacts,
  noticeableSkewMs,
  signedSkew,
  type Tone,
} from './agentStanding.ts'

export const toneClass: Readonly<Record<Tone, string>> = {
  calm: 'text-muted',
  notice: 'text-pending',
  alarm: 'text-error',
}

/** What it does, by the second. */
export function Doing({ row }: { readonly row: AgentRow }) {
  return activityWords(row, useNow())
}

/** How the last run ended, and when; a way to it. */
export function LastRun({ agent }: { readonly agent: Agent }) {
  const { lastRun } = agent
  if (lastRun === null) return <span className="text-muted">none yet</span>
  return (
    <a
      href={runHash(lastRun.runId)}
      onClick={(event) => event.stopPropagation()}
      className="inline-flex items-center gap-1.5 hover:underline"
    >
      <RunMark status={lastRun.status} />
      <Time at={lastRun.finishedAt} fallback={runStatusWords[lastRun.status]} className="text-muted" />
    </a>
  )
}

/** When it was heard, and by how much its clock is off. */
export function LastSeen({ agent }: { readonly agent: Agent }) {
  return (
    <>
      <Time at={agent.lastSeenAt} fallback="not yet" />
      <Skew agent={agent} />
    </>
  )
}

function Skew({ agent: { clockSkewMs } }: { readonly agent: Agent }) {
  if (clockSkewMs === null || Math.abs(clockSkewMs) < noticeableSkewMs) return null
  return <span className="text-pending">, clock {signedSkew(clockSkewMs)}</span>
}

interface CertificateEndProps {
  readonly agent: Agent
  readonly now: number
}

/** Short-lived by design: between two runs an SSH certificate may be over without anything being wrong. */
export function SshCertificateEnd({ agent: { sshCertificate, status }, now }: CertificateEndProps) {
  if (status === 'revoked') return null
  if (sshCertificate !== null && sshCertificate.validBefore <= now) return <span className="text-muted">ended</span>
  return <Time at={sshCertificate?.validBefore ?? null} fallback="none yet" className="text-muted" />
}

export function ClientCertificateEnd({ agent, now }: CertificateEndProps) {
  if (agent.status === 'revoked') return <span className="text-muted">revoked</span>
  return <Time at={agent.certificate.validBefore} className={toneClass[clientCertificateTone(agent, now)]} />
}

/** Who holds the lock file, in a few words. */
export function LockWords({ agent }: { readonly agent: Agent }) {
  if (agent.lock === null) return <span className="text-faint">free</span>
  const { title, tone } = lockFacts(agent.lock, agent.hostname)
  return <span className={toneClass[tone]}>{title}</span>
}
