import { useState } from 'react'
import type { FleetNode } from '../../../../../shared/model/node.ts'
import type { BreakGlass, StorageSetup } from '../../../../../shared/model/storage.ts'
import { useLink } from '../../../../api/LinkContext.tsx'
import { useCall } from '../../../../api/useCall.ts'
import { Button } from '../../../../components/Button.tsx'
import { CliEquivalent } from '../../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../../components/DecisionDialog.tsx'
import { Fact, Facts } from '../../../../components/Facts.tsx'
import { Time } from '../../../../components/Time.tsx'
import { useStale } from '../../../../stores/ReplicaContext.tsx'
import { cli } from '../../cliCommands.ts'
import { Section } from '../Section.tsx'

interface StorageSectionProps {
  readonly node: FleetNode
  readonly onSetUp: () => void
}

/** Whether only our certificates log in here, since when, and the way back. */
export function StorageSection({ node, onSetUp }: StorageSectionProps) {
  const stale = useStale()
  const [undoing, setUndoing] = useState(false)
  const { storage } = node
  return (
    <Section title="Storage" aside={storage !== null && <span className="text-muted">set up by us</span>}>
      {storage === null ? (
        <p className="text-muted">Not set up as a storage: who may log in here is not ours to say.</p>
      ) : (
        <StorageFacts storage={storage} />
      )}
      <div className="mt-2 flex flex-wrap gap-2">
        <Button size="small" disabled={stale} onClick={onSetUp}>
          {storage === null ? 'Make this node a storage…' : 'Change…'}
        </Button>
        {storage !== null && (
          <Button size="small" disabled={stale} onClick={() => setUndoing(true)}>
            Undo…
          </Button>
        )}
      </div>
      {undoing && storage !== null && <UndoStorage node={node} storage={storage} onClose={() => setUndoing(false)} />}
    </Section>
  )
}

const breakGlassWords = (breakGlass: BreakGlass): string =>
  breakGlass.kind === 'console' ? breakGlass.note : 'a second authority, kept offline'

export function StorageFacts({ storage }: { readonly storage: StorageSetup }) {
  const { settings } = storage
  return (
    <Facts>
      <Fact name="Logs in">
        {settings.principals.join(', ')} as {settings.user}, with certificates only
      </Fact>
      <Fact name="Proven">
        by a fresh login <Time at={storage.verifiedAt} />
      </Fact>
      <Fact name="Applied">
        by {storage.appliedBy} <Time at={storage.appliedAt} />
      </Fact>
      <Fact name="Break-glass">{breakGlassWords(settings.breakGlass)}</Fact>
      <Fact name="Before">
        kept in <code className="text-12 break-all">{storage.backupDirectory}</code>
      </Fact>
    </Facts>
  )
}

interface UndoStorageProps {
  readonly node: FleetNode
  readonly storage: StorageSetup
  readonly onClose: () => void
}

function UndoStorage({ node, storage, onClose }: UndoStorageProps) {
  const { client } = useLink()
  const undo = useCall<FleetNode>()
  const confirm = async (): Promise<void> => {
    const undone = await undo.run(() => client.storage.undo({ node: node.id }))
    if (undone !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={`Undo the storage set-up of ${node.name}?`}
      blastRadius={`${node.name}, and everyone who logs in to it`}
      effect={
        <>
          Puts back what lay in <code className="break-all">{storage.backupDirectory}</code>, checks it with{' '}
          <code>sshd -t</code>, reloads sshd and proves with a fresh login that the way in of before works.
        </>
      }
      undo="Set it up again."
      confirmLabel="Put it back"
      busy={undo.busy}
      error={undo.error}
      onConfirm={() => void confirm()}
    >
      <CliEquivalent command={cli.storageUndo(node.name)} />
    </DecisionDialog>
  )
}
