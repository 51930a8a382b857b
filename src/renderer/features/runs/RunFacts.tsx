import type { ReactNode } from 'react'
import { assertNever } from '../../../shared/errors.ts'
import { isFinal, type Run, type RunProof } from '../../../shared/model/run.ts'
import { CliEquivalent, shellQuote } from '../../components/CliEquivalent.tsx'
import { Fact, Facts, LongText } from '../../components/Facts.tsx'
import { formatBytes, formatCount, formatDuration, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { formatHash, nodeHash } from '../../stores/route.ts'
import { kindWords } from '../plans/planWords.ts'
import { attemptWords, isAgentRun } from './runWords.ts'

/** Beside the log: what was asked, what was proven, and the tries in between. */
export function RunFacts({ run }: { readonly run: Run }) {
  return (
    <div className="flex flex-col gap-5 p-4">
      <Asked run={run} />
      <Proven run={run} />
      {run.summary !== null && <Moved run={run} />}
      {run.attempts.length > 1 && <Attempts run={run} />}
      <section aria-label="Command line" className="flex flex-col gap-1.5">
        <Title>On the command line</Title>
        <CliEquivalent command={`lockstep runs show ${run.id}`} />
        <CliEquivalent command={`lockstep runs log ${run.id}${isFinal(run.status) ? '' : ' --follow'}`} />
        {!isAgentRun(run) && (
          <CliEquivalent
            command={`lockstep push --plan ${shellQuote(run.planName)} --node ${shellQuote(run.nodeName)}`}
          />
        )}
      </section>
    </div>
  )
}

function Title({ children }: { readonly children: ReactNode }) {
  return <h2 className="text-12 font-semibold text-faint">{children}</h2>
}

function Asked({ run }: { readonly run: Run }) {
  return (
    <section aria-label="What was asked" className="flex flex-col gap-1.5">
      <Title>Asked</Title>
      <Facts>
        <Fact name="Plan">
          <a className="text-accent underline" href={formatHash({ view: 'plans', path: [run.planId] })}>
            {run.planName}
          </a>{' '}
          revision {run.planRevision}
          {run.planKind !== 'tree' && <span className="text-muted">, {kindWords[run.planKind]}</span>}
        </Fact>
        <Fact name="Node">
          <a className="text-accent underline" href={nodeHash(run.nodeId)}>
            {run.nodeName}
          </a>
        </Fact>
        <Fact name="By">
          {run.requestedBy}, {triggerWords(run)}
          {run.force === true && <span className="text-muted">, with force</span>}
        </Fact>
        <Fact name="When">
          <Time at={run.createdAt} />
        </Fact>
        <Fact name="Run">
          <LongText text={run.id} what="run id" />
        </Fact>
        <Fact name="Key">
          <LongText text={run.idempotencyKey} what="idempotency key" />
        </Fact>
        {!isAgentRun(run) && (
          <Fact name="Batch">
            <a className="text-accent underline" href={formatHash({ view: 'runs', path: ['batch', run.batchId] })}>
              all runs of this press
            </a>
          </Fact>
        )}
        {run.approvals.map((approval) => (
          <Fact key={approval.at} name="Approved">
            {approval.reason} by {approval.by}, <Time at={approval.at} />
          </Fact>
        ))}
      </Facts>
    </section>
  )
}

const noProof = (run: Run): string =>
  isFinal(run.status)
    ? 'Nothing was read back from the node, so nothing is green.'
    : 'Nothing yet: proof is what VERIFY reads back from the node.'

const noAgentProof = (run: Run): string =>
  isFinal(run.status)
    ? 'Its agent did not compare both sides to the end, so nothing is green.'
    : 'Nothing yet: proof is what its agent compares on both sides in VERIFY.'

function Proven({ run }: { readonly run: Run }) {
  const { proof } = run
  if (proof === null) {
    return (
      <section aria-label="What was proven" className="flex flex-col gap-1.5">
        <Title>Proven</Title>
        <p className="text-muted">{isAgentRun(run) ? noAgentProof(run) : noProof(run)}</p>
        {run.certificateSerial !== null && (
          <Facts>
            <Fact name="Certificate">serial {run.certificateSerial}</Fact>
          </Facts>
        )}
      </section>
    )
  }
  return (
    <section aria-label="What was proven" className="flex flex-col gap-1.5">
      <Title>Proven</Title>
      <Facts>
        <Fact name="Digest">
          <LongText text={proof.digest} what="digest" />
        </Fact>
        <ProofFacts proof={proof} />
        <Fact name="Read back">
          <Time at={proof.verifiedAt} />
        </Fact>
        {proof.staticKey === undefined ? (
          <Fact name="Certificate">serial {proof.certificateSerial}</Fact>
        ) : (
          <Fact name="Static key">
            <LongText text={proof.staticKey} what="fingerprint" />
          </Fact>
        )}
      </Facts>
    </section>
  )
}

const authorities = (count: number): string => plural(count, 'authority', 'authorities')

/** What each kind of plan counts as proven. */
function ProofFacts({ proof }: { readonly proof: RunProof }) {
  const { verify } = proof
  switch (verify.mode) {
    case 'full':
    case 'sample':
      return (
        <Fact name="Files">
          {formatCount(proof.filesVerified)} hashed on the node ({verify.mode === 'full' ? 'all of them' : 'a sample'})
        </Fact>
      )
    case 'krl':
      return (
        <>
          <Fact name="List">version {verify.krlVersion}, read back from the node</Fact>
          <Fact name="Refused">
            {verify.refusedSerial === null
              ? 'nothing revoked that could have been tried'
              : `a login with revoked serial ${verify.refusedSerial}, as it should be`}
          </Fact>
        </>
      )
    case 'trust':
      return (
        <>
          <Fact name="Trusted">{authorities(verify.authorities.length)}, read back from the node</Fact>
          <Fact name="Logged in">
            with certificates of {verify.loggedInWith.length} of {authorities(verify.authorities.length)}
          </Fact>
          {verify.authorities.map((fingerprint) => (
            <Fact key={fingerprint} name="">
              <LongText text={fingerprint} what="fingerprint" />
            </Fact>
          ))}
        </>
      )
    case 'host-certificate':
      return (
        <>
          <Fact name="Offered">
            host certificate serial {verify.serial}, to a client that trusts the host authority alone
          </Fact>
          <Fact name="Ends">
            <Time at={verify.validBefore} absolute />
          </Fact>
          <Fact name="Signed by">
            <LongText text={verify.authorityFingerprint} what="fingerprint" />
          </Fact>
        </>
      )
    case 'routes':
      return (
        <>
          <Fact name="Routes">read back from the node</Fact>
          <Fact name="Traefik">{traefikWords(verify)}</Fact>
        </>
      )
    case 'hosts':
      return <Fact name="Hosts file">read back from the node: our block, {plural(verify.entries, 'line')}</Fact>
    case 'repository':
      return (
        <>
          <Fact name="Commit">
            <LongText text={verify.commit} what="commit" />
          </Fact>
          <Fact name="Files">
            {formatCount(proof.filesVerified)} hashed on the node (
            {verify.compared === 'full' ? 'all of them' : 'a sample'}), and the sentinel names the commit
          </Fact>
          {verify.release !== null && (
            <Fact name="Release">
              <LongText text={verify.release} what="directory" />
            </Fact>
          )}
        </>
      )
    case 'agent':
      return (
        <Fact name="Compared">
          {formatCount(proof.filesVerified)} files by the agent,{' '}
          {verify.compared === 'checksum' ? 'by content' : 'by size and time'}: nothing differed
        </Fact>
      )
    default:
      return assertNever(verify)
  }
}

function traefikWords({ traefik, routers }: Extract<RunProof['verify'], { mode: 'routes' }>): string {
  if (routers !== null) return `running, lists ${plural(routers, 'router')} of ours`
  return traefik === 'running' ? 'running' : 'not looked at, as the plan asks'
}

function triggerWords({ trigger, nodeName }: Run): string {
  switch (trigger) {
    case 'operator':
      return 'by hand'
    case 'reconcile':
      return 'by reconcile'
    case 'registry':
      return 'by a change of the registry'
    case 'repository':
      return 'by a new commit'
    case 'agent':
      return `by the agent on ${nodeName}`
    default:
      return assertNever(trigger)
  }
}

function Moved({ run }: { readonly run: Run }) {
  const { summary } = run
  if (summary === null) return null
  return (
    <section aria-label="What was moved" className="flex flex-col gap-1.5">
      <Title>Moved</Title>
      <Facts>
        <Fact name="Files">
          {formatCount(summary.filesTransferred)} of {formatCount(summary.filesTotal)} sent,{' '}
          {formatCount(summary.filesDeleted)} deleted
        </Fact>
        <Fact name="Bytes">
          {formatBytes(summary.bytesTransferred)} over the wire, {formatBytes(summary.bytesTotal)} in the tree
        </Fact>
        <Fact name="Took">{formatDuration(summary.durationMs)}</Fact>
      </Facts>
    </section>
  )
}

function Attempts({ run }: { readonly run: Run }) {
  return (
    <section aria-label="Attempts" className="flex flex-col gap-1.5">
      <Title>Attempts</Title>
      <ol className="flex flex-col gap-1">
        {run.attempts.map((attempt) => (
          <li key={attempt.number}>
            <span className="text-muted">{attempt.number}.</span> {attemptWords[attempt.status]},{' '}
            <Time at={attempt.startedAt} />
            {attempt.diagnosis !== null && <span className="text-muted">: {attempt.diagnosis.short}</span>}
          </li>
        ))}
      </ol>
    </section>
  )
}
