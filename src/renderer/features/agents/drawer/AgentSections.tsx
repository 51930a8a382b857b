import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { Agent, AgentLock } from '../../../../shared/model/agent.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { plural } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { formatHash } from '../../../stores/route.ts'
import { Section } from '../../fleet/drawer/Section.tsx'
import { ClientCertificateEnd, toneClass } from '../agentFacts.tsx'
import { lockFacts, noticeableSkewMs, skewWords } from '../agentStanding.ts'
import { OnTheHost } from './OnTheHost.tsx'

/** Who holds the lock file of the host, what becomes of it, and the command where a person has to decide. */
export function LockSection({ agent, lock }: { readonly agent: Agent; readonly lock: AgentLock }) {
  const { title, tone, sentence, command } = lockFacts(lock, agent.hostname)
  return (
    <Section title="Lock" aside={<span className={toneClass[tone]}>{title}</span>}>
      <p>{sentence}</p>
      {command !== null && <OnTheHost command={command} />}
      {lock.standing !== 'corrupt' && (
        <p className="mt-1.5 text-12 break-all text-faint">
          process {lock.pid} on {lock.hostname}, since {lock.startTime}, run <code>{lock.runId}</code>
        </p>
      )}
    </Section>
  )
}

/** By what it proves itself, and until when. */
export function CertificatesSection({ agent, now }: { readonly agent: Agent; readonly now: number }) {
  const { certificate } = agent
  return (
    <Section title="Certificates">
      <Facts nameWidth="120px">
        <Fact name="To storage, SSH">
          <SshCertificate agent={agent} now={now} />
        </Fact>
        <Fact name="To here, TLS">
          {agent.status === 'revoked' ? (
            'revoked: the gateway refuses it'
          ) : (
            <>
              ends <ClientCertificateEnd agent={agent} now={now} />. The agent renews it by itself.
            </>
          )}
        </Fact>
        <Fact name="TLS serial">
          <LongText text={certificate.serial} what="serial" />
        </Fact>
        <Fact name="Trusts">{plural(agent.trustedRoots.length, 'root')} of this console</Fact>
      </Facts>
    </Section>
  )
}

function SshCertificate({ agent, now }: { readonly agent: Agent; readonly now: number }): ReactNode {
  const { sshCertificate, status } = agent
  if (sshCertificate === null) return 'none yet: its first run asks for one'
  const over = sshCertificate.validBefore <= now
  return (
    <>
      {status === 'revoked' ? 'revoked, would have ended' : over ? 'ended' : 'ends'}{' '}
      <Time at={sshCertificate.validBefore} />, serial{' '}
      <a className="text-accent underline" href={formatHash({ view: 'certificates', path: [sshCertificate.serial] })}>
        {sshCertificate.serial}
      </a>
      {over && status === 'active' && '. Its next run gets a new one.'}
    </>
  )
}

const askAgainMs = 15_000

/** Rows of agents are written now and then; when one was heard the engine knows exactly. */
function useLastSeenAt({ id, lastSeenAt }: Agent): number | null {
  const { client } = useLink()
  const exact = useQuery({
    queryKey: ['agent', id],
    queryFn: () => client.agents.get({ agent: id }),
    refetchInterval: askAgainMs,
  })
  const asked = exact.data?.lastSeenAt ?? null
  return asked === null || lastSeenAt === null ? (asked ?? lastSeenAt) : Math.max(asked, lastSeenAt)
}

/** Where it is, what it runs, when it was heard. */
export function HostSection({ agent }: { readonly agent: Agent }) {
  const consoleVersion = useReplica((state) => state.engine?.version)
  const lastSeenAt = useLastSeenAt(agent)
  const differs = consoleVersion !== undefined && consoleVersion !== agent.version
  return (
    <Section title="Host">
      <Facts nameWidth="120px">
        <Fact name="Host name">
          <code className="text-12">{agent.hostname}</code>, {agent.platform}
        </Fact>
        <Fact name="Version">
          {agent.version}
          {differs && <span className="text-muted"> (this console is {consoleVersion})</span>}
        </Fact>
        <Fact name="Last seen">
          <Time at={lastSeenAt} fallback="not yet" />
          {agent.lastSeenFrom !== null && <span className="text-muted">, from {agent.lastSeenFrom}</span>}
        </Fact>
        {agent.clockSkewMs !== null && (
          <Fact name="Clock">
            <Clock clockSkewMs={agent.clockSkewMs} />
          </Fact>
        )}
        <Fact name="Reports it keeps">
          {agent.spooledReports === 0 ? (
            'none: everything was sent'
          ) : (
            <span className="text-pending">
              {plural(agent.spooledReports, 'report')}, sent as soon as it reaches the gateway
            </span>
          )}
        </Fact>
        <Fact name="Enrolled">
          <Time at={agent.enrolledAt} /> by {agent.enrolledBy}
        </Fact>
      </Facts>
    </Section>
  )
}

function Clock({ clockSkewMs }: { readonly clockSkewMs: number }) {
  if (Math.abs(clockSkewMs) < noticeableSkewMs) return skewWords(clockSkewMs)
  return (
    <span className="text-pending">
      {skewWords(clockSkewMs)} of this console: set it right on the host, or its certificates look expired or not yet
      valid
    </span>
  )
}
