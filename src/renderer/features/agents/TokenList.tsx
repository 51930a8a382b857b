import { Plus } from 'lucide-react'
import { type ReactNode, useMemo, useState } from 'react'
import type { JoinToken } from '../../../shared/model/agent.ts'
import type { AgentId } from '../../../shared/model/ids.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { plural } from '../../components/format.ts'
import { Mark } from '../../components/StatusMark.tsx'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useNow } from '../../stores/clock.ts'
import { useAgent, useStale } from '../../stores/ReplicaContext.tsx'
import { agentHash, formatHash } from '../../stores/route.ts'
import { cli } from './cliCommands.ts'
import { type TokenStanding, tokenStanding, useJoinTokens } from './joinTokens.ts'

const clockStepMs = 5000

/** Every permission to enroll that was given, and what became of it. */
export function TokenList({ onAdd }: { readonly onAdd: () => void }) {
  const { tokens, error, retry } = useJoinTokens()
  const now = useNow(clockStepMs)
  const stale = useStale()
  const [withdrawing, setWithdrawing] = useState<JoinToken | null>(null)
  const columns = useMemo(() => columnsAt(now, setWithdrawing), [now])
  const open = tokens?.filter((token) => tokenStanding(token, now) === 'open').length ?? 0
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title={
          <>
            <a className="text-faint hover:text-text" href={formatHash({ view: 'agents' })}>
              Agents
            </a>
            <span className="text-faint">/</span>
            <span>Join tokens</span>
          </>
        }
        summary={
          tokens !== undefined && tokens.length > 0 && `${open} of ${plural(tokens.length, 'token')} can still be used`
        }
        actions={
          <>
            <div className="w-60">
              <CliEquivalent command={cli.tokens} />
            </div>
            <Button variant="primary" icon={<Plus aria-hidden className="size-4" />} onClick={onAdd}>
              Add an agent
            </Button>
          </>
        }
      />
      {error !== null && (
        <div className="p-2">
          <ErrorNote error={error} onRetry={retry} />
        </div>
      )}
      <div className={classNames('min-h-0 flex-1', (stale || error !== null) && 'stale')}>
        {tokens?.length === 0 && (
          <EmptyState title="No join token yet">
            A join token lets one host enroll as an agent, once. “Add an agent” makes one.
          </EmptyState>
        )}
        {tokens !== undefined && tokens.length > 0 && (
          <DataTable label="Join tokens" rows={tokens} rowKey={(token) => token.id} columns={columns} />
        )}
      </div>
      {withdrawing !== null && <Withdraw token={withdrawing} onClose={() => setWithdrawing(null)} />}
    </div>
  )
}

const marks: Readonly<Record<TokenStanding, { readonly colour: string; readonly shape: ReactNode }>> = {
  open: {
    colour: 'text-busy',
    shape: (
      <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" strokeDasharray="1.6 1.9" />
    ),
  },
  used: {
    colour: 'text-in-step',
    shape: <path d="M1.5 6.5 L4.8 9.8 L10.8 2.4" fill="none" stroke="currentColor" strokeWidth="2.2" />,
  },
  expired: {
    colour: 'text-muted',
    shape: <path d="M2 6 H10" fill="none" stroke="currentColor" strokeWidth="2" />,
  },
  withdrawn: {
    colour: 'text-muted',
    shape: (
      <>
        <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
        <path d="M3 9 L9 3" stroke="currentColor" strokeWidth="1.5" />
      </>
    ),
  },
}

function columnsAt(now: number, onWithdraw: (token: JoinToken) => void): readonly Column<JoinToken>[] {
  return [
    {
      id: 'standing',
      header: 'Token',
      width: '140px',
      cell: (token) => {
        const standing = tokenStanding(token, now)
        return <Mark withWord word={standing} {...marks[standing]} />
      },
      sortValue: (token) => tokenStanding(token, now),
    },
    {
      id: 'name',
      header: 'For',
      width: 'minmax(140px, 1fr)',
      cell: (token) => token.nodeName ?? <span className="text-muted">any host, by its own name</span>,
      sortValue: (token) => token.nodeName,
    },
    {
      id: 'created',
      header: 'Created',
      width: 'minmax(160px, 1fr)',
      cell: (token) => (
        <span className="text-muted">
          <Time at={token.createdAt} /> by {token.createdBy}
        </span>
      ),
      sortValue: (token) => token.createdAt,
    },
    {
      id: 'ends',
      header: 'Ends',
      width: '120px',
      cell: (token) =>
        token.usedAt === null && token.revokedAt === null && <Time at={token.expiresAt} className="text-muted" />,
      sortValue: (token) => token.expiresAt,
    },
    {
      id: 'fate',
      header: 'What became of it',
      width: 'minmax(180px, 1.4fr)',
      cell: (token) => <Fate token={token} standing={tokenStanding(token, now)} />,
    },
    {
      id: 'withdraw',
      header: '',
      width: '120px',
      align: 'right',
      cell: (token) =>
        tokenStanding(token, now) === 'open' && (
          <Button size="small" onClick={() => onWithdraw(token)}>
            Withdraw…
          </Button>
        ),
    },
  ]
}

function Fate({ token, standing }: { readonly token: JoinToken; readonly standing: TokenStanding }) {
  if (standing === 'used' && token.usedBy !== null)
    return (
      <>
        enrolled <UsedBy agentId={token.usedBy} /> <Time at={token.usedAt} className="text-muted" />
      </>
    )
  if (standing === 'withdrawn') return <Time at={token.revokedAt} className="text-muted" />
  return <span className="text-muted">{standing === 'open' ? 'nobody has used it yet' : 'nobody used it'}</span>
}

function UsedBy({ agentId }: { readonly agentId: AgentId }) {
  const agent = useAgent(agentId)
  if (agent === undefined) return <span className="text-muted">an agent that was removed since,</span>
  return (
    <a className="text-accent underline" href={agentHash(agentId)}>
      {agent.name}
    </a>
  )
}

function Withdraw({ token, onClose }: { readonly token: JoinToken; readonly onClose: () => void }) {
  const { client } = useLink()
  const call = useCall<JoinToken>()
  const confirm = async (): Promise<void> => {
    if ((await call.run(() => client.agents.revokeJoinToken({ id: token.id }))) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Withdraw the join token${token.nodeName === null ? '' : ` for ${token.nodeName}`}?`}
      blastRadius="Whoever holds this token; no agent that is enrolled"
      effect="Nobody can enroll with it any more."
      undo="A new token: this one never works again."
      confirmLabel="Withdraw the token"
      onConfirm={() => void confirm()}
      busy={call.busy}
      error={call.error}
    >
      <CliEquivalent command={cli.withdraw(token.id)} />
    </DecisionDialog>
  )
}
