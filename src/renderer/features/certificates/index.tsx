import { classNames } from '../../components/classNames.ts'
import { Tabs } from '../../components/Tabs.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useNow } from '../../stores/clock.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { type Route, updateQuery } from '../../stores/route.ts'
import { AuthorityPanel, useAuthorities } from './AuthorityPanel.tsx'
import { ExpiryStrip } from './ExpiryStrip.tsx'
import { overviewOf } from './expiry.ts'
import { IssueLog } from './IssueLog.tsx'
import { NodeCertificates } from './NodeCertificates.tsx'

const tabs = ['nodes', 'issued', 'authority'] as const

/** `#/certificates?tab=nodes|issued|authority` */
export function View({ route }: { readonly route: Route }) {
  const now = useNow(60_000)
  const nodes = useReplica((state) => state.nodes)
  const loaded = useReplica((state) => state.loaded)
  const stale = useStale()
  const authorities = useAuthorities()
  const tab = tabs.find((each) => each === route.query.tab) ?? 'nodes'
  const [authority] = authorities.data ?? []
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Certificates"
        summary={
          authority !== undefined && (
            <>
              <span className="truncate">
                Signed by <code className="text-12">{authority.fingerprint}</code>
              </span>
              <span>sealed by {authority.sealedBy}</span>
            </>
          )
        }
      />
      {loaded && (
        <div className={classNames(stale && 'stale')}>
          <ExpiryStrip overview={overviewOf(nodes.values(), now)} />
        </div>
      )}
      <Tabs
        label="Certificates"
        value={tab}
        onChange={(id) => updateQuery({ tab: id })}
        items={[
          { id: 'nodes', label: 'By node', content: loaded ? <NodeCertificates /> : null },
          { id: 'issued', label: 'Issue log', content: <IssueLog /> },
          { id: 'authority', label: 'Authority', content: <AuthorityPanel /> },
        ]}
      />
    </div>
  )
}
