import { type ReactNode, useMemo } from 'react'
import type { AgentId } from '../../../shared/model/ids.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { AgentMark } from './AgentMark.tsx'
import { ClientCertificateEnd, Doing, LastRun, LastSeen, LockWords, SshCertificateEnd } from './agentFacts.tsx'
import { type AgentRow, activityWords, agentStandings, lockFacts } from './agentStanding.ts'

interface AgentTableProps {
  readonly rows: readonly AgentRow[]
  /** The engine's time, in steps. */
  readonly now: number
  readonly openId: AgentId | null
  readonly onOpen: (agentId: AgentId) => void
  readonly empty: ReactNode
}

/** One row an agent: where its machine stands, how its last run ended, what will need somebody next. */
export function AgentTable({ rows, now, openId, onOpen, empty }: AgentTableProps) {
  const anyKept = rows.some(({ agent }) => agent.spooledReports > 0)
  const columns = useMemo(() => columnsAt(now).filter((column) => column.id !== keptColumn || anyKept), [now, anyKept])
  return (
    <DataTable
      label="Agents"
      rows={rows}
      rowKey={({ agent }) => agent.id}
      columns={columns}
      defaultSort={{ columnId: 'standing', direction: 'ascending' }}
      onOpen={({ agent }) => onOpen(agent.id)}
      isSelected={({ agent }) => agent.id === openId}
      empty={empty}
    />
  )
}

/** Reports that could not be sent are rare: their column is there when there are some. */
const keptColumn = 'kept'

const columnsAt = (now: number): readonly Column<AgentRow>[] => [
  {
    id: 'standing',
    header: 'Machine',
    width: '128px',
    cell: ({ standing }) => <AgentMark standing={standing} withWord />,
    sortValue: ({ standing }) => agentStandings.indexOf(standing),
  },
  {
    id: 'name',
    header: 'Agent',
    width: 'minmax(150px, 1.1fr)',
    cell: ({ agent }) => agent.name,
    sortValue: ({ agent }) => agent.name,
  },
  {
    id: 'host',
    header: 'Host',
    width: 'minmax(124px, 1.3fr)',
    cell: ({ agent }) => (
      <code className="text-12" title={agent.hostname}>
        {agent.hostname}
      </code>
    ),
    sortValue: ({ agent }) => agent.hostname,
  },
  {
    id: 'activity',
    header: 'Doing',
    width: 'minmax(128px, 1fr)',
    cell: (row) => (
      <span className="text-muted">
        <Doing row={row} />
      </span>
    ),
    sortValue: (row) => activityWords(row, now),
  },
  {
    id: 'last run',
    header: 'Last run',
    width: '104px',
    cell: ({ agent }) => <LastRun agent={agent} />,
    sortValue: ({ agent }) => agent.lastRun?.finishedAt ?? null,
  },
  {
    id: 'seen',
    header: 'Last seen',
    width: 'minmax(160px, 1fr)',
    cell: ({ agent }) => <LastSeen agent={agent} />,
    sortValue: ({ agent }) => agent.lastSeenAt,
  },
  {
    id: 'lock',
    header: 'Lock',
    width: 'minmax(118px, 0.9fr)',
    cell: ({ agent }) => <LockWords agent={agent} />,
    sortValue: ({ agent }) => (agent.lock === null ? null : lockFacts(agent.lock, agent.hostname).title),
  },
  {
    id: keptColumn,
    header: 'Kept',
    width: '56px',
    align: 'right',
    cell: ({ agent: { spooledReports } }) =>
      spooledReports === 0 ? '' : <span className="text-pending">{spooledReports}</span>,
    sortValue: ({ agent }) => agent.spooledReports,
  },
  {
    id: 'ssh',
    header: 'SSH ends',
    width: '84px',
    align: 'right',
    cell: ({ agent }) => <SshCertificateEnd agent={agent} now={now} />,
    sortValue: ({ agent }) => agent.sshCertificate?.validBefore ?? null,
  },
  {
    id: 'client',
    header: 'Client ends',
    width: '96px',
    align: 'right',
    cell: ({ agent }) => <ClientCertificateEnd agent={agent} now={now} />,
    sortValue: ({ agent }) => agent.certificate.validBefore,
  },
  {
    id: 'version',
    header: 'Version',
    width: '72px',
    align: 'right',
    cell: ({ agent }) => <span className="text-muted">{agent.version}</span>,
    sortValue: ({ agent }) => agent.version,
  },
]
