import type { Commit } from '../../../../shared/model/repository.ts'
import { Button } from '../../../components/Button.tsx'
import { Drawer } from '../../../components/Drawer.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { formatCount } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { VirtualList } from '../../../components/VirtualList.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { nodeHash } from '../../../stores/route.ts'
import type { Deployed } from '../repositoryQueries.ts'
import { headWords } from '../repositoryWords.ts'

interface CommitDrawerProps {
  readonly commit: Commit
  readonly deployed: Deployed
  readonly canDeploy: boolean
  readonly onClose: () => void
  readonly onDeploy: () => void
}

const rowHeight = 28
const shownRows = 14

/** One commit: who made it, where it was last read back, and the way to bring it. */
export function CommitDrawer({ commit, deployed, canDeploy, onClose, onDeploy }: CommitDrawerProps) {
  const nodes = useReplica((state) => state.nodes)
  const names = [...(deployed.at.get(commit.commit) ?? [])]
    .map((id) => ({ id, name: nodes.get(id)?.name ?? 'a removed node' }))
    .sort((left, right) => left.name.localeCompare(right.name, 'en', { numeric: true }))
  return (
    <Drawer
      label={`Commit ${commit.commit}`}
      paneName="commit drawer"
      onClose={onClose}
      header={<h2 className="text-15 font-semibold break-words">{commit.subject}</h2>}
    >
      <div className="flex flex-col gap-4 p-4">
        <Facts>
          <Fact name="Commit">
            <LongText text={commit.commit} what="commit" />
          </Fact>
          <Fact name="Author">{commit.author}</Fact>
          <Fact name="Committed">
            <Time at={commit.committedAt} absolute />
          </Fact>
          {commit.refs.length > 0 && <Fact name="Ends here">{commit.refs.map(headWords).join(', ')}</Fact>}
        </Facts>
        <div>
          <Button variant="primary" disabled={!canDeploy} onClick={onDeploy}>
            Deploy this one…
          </Button>
        </div>
        <section aria-label="Where it lies" className="flex flex-col gap-1">
          <h3 className="text-12 font-semibold text-faint">
            Last read back on {formatCount(names.length)} of {formatCount(deployed.total)} nodes
          </h3>
          {names.length > 0 && (
            <div style={{ height: Math.min(names.length, shownRows) * rowHeight }}>
              <VirtualList
                label="Nodes with this commit"
                items={names}
                itemKey={({ id }) => id}
                rowHeight={rowHeight}
                renderItem={({ id, name }) => (
                  <a className="flex h-full items-center border-b hover:underline" href={nodeHash(id)}>
                    {name}
                  </a>
                )}
              />
            </div>
          )}
        </section>
      </div>
    </Drawer>
  )
}
