import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { AuthorityKind, Rotation, RotationProgress } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent, shellQuote } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { trustCli } from '../trustCommands.ts'
import { authorityWords, phaseWords } from './authorityWords.ts'

interface AdvanceProps {
  readonly kind: AuthorityKind
  readonly rotation: Rotation
  readonly progress: RotationProgress
  readonly onClose: () => void
}

/** The next phase. Whoever is not proven has to be given up by name, each of them. */
export function AdvanceRotation({ kind, rotation, progress, onClose }: AdvanceProps) {
  const { client } = useLink()
  // As it was when the question was asked: a list that moves under the pointer is no list to decide on.
  const [asked] = useState(progress)
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set())
  const advance = useMutation({
    mutationFn: () => client.certificates.advanceRotation({ kind, leaveBehind: [...left] }),
    onSuccess: onClose,
  })
  const unnamed = asked.total - asked.proven - asked.waiting.length
  const words = phaseWords[rotation.phase]
  const command = trustCli.advanceRotation[kind]
  return (
    <DecisionDialog
      open
      onClose={onClose}
      wide={asked.waiting.length > 0}
      danger={asked.waiting.length > 0 || rotation.phase === 'sign' || rotation.phase === 'retire'}
      title={`${authorityWords[kind].title}: ${lowerFirst(words.next.replace(/…$/, ''))}?`}
      blastRadius={
        asked.waiting.length === 0
          ? `all ${formatCount(asked.total)}, each proven`
          : `${formatCount(asked.proven)} of ${formatCount(asked.total)} are proven; ${formatCount(left.size)} given up`
      }
      effect={
        <>
          <p>{words.nextEffect}</p>
          {asked.waiting.length > 0 && <p className="mt-1 text-pending">{consequence[rotation.phase]}</p>}
        </>
      }
      undo={
        rotation.phase === 'trust'
          ? 'Roll back: the old one signs again.'
          : 'None: what goes with this step does not come back.'
      }
      confirmLabel={
        left.size === 0 ? words.next.replace(/…$/, '') : `Go on without ${plural(left.size, 'of them', 'of them')}`
      }
      incomplete={left.size < asked.waiting.length || unnamed > 0}
      busy={advance.isPending}
      error={advance.error === null ? null : toErrorBody(advance.error)}
      onConfirm={() => advance.mutate()}
    >
      {asked.waiting.length > 0 && (
        <LeaveBehind waiting={asked.waiting} unnamed={unnamed} left={left} onChange={setLeft} />
      )}
      {left.size <= 6 && (
        <CliEquivalent
          command={[command, ...[...left].map((name) => `--leave-behind ${shellQuote(name)}`)].join(' ')}
        />
      )}
    </DecisionDialog>
  )
}

const lowerFirst = (text: string): string => `${text.charAt(0).toLowerCase()}${text.slice(1)}`

/** What becomes of those who are left behind. */
const consequence: Readonly<Record<Rotation['phase'], string>> = {
  trust:
    'Those you leave behind refuse every certificate from then on, until they are given the new authority by hand.',
  sign: 'Those you leave behind keep trusting the old authority, or refuse ours, until somebody sets them right by hand.',
  retire: 'Those you leave behind still trust the old authority: whoever has its key still gets in there.',
  rollback: 'Those you leave behind still trust the new authority, whose key is destroyed.',
}

interface LeaveBehindProps {
  readonly waiting: RotationProgress['waiting']
  readonly unnamed: number
  readonly left: ReadonlySet<string>
  readonly onChange: (left: ReadonlySet<string>) => void
}

function LeaveBehind({ waiting, unnamed, left, onChange }: LeaveBehindProps) {
  const toggle = (name: string): void => {
    const next = new Set(left)
    if (!next.delete(name)) next.add(name)
    onChange(next)
  }
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 flex w-full items-center justify-between gap-2">
        <span>Leave behind, each by name:</span>
      </legend>
      <ul className="max-h-56 overflow-auto rounded-md border bg-ground p-2">
        {waiting.map(({ name, why }) => (
          <li key={name}>
            <label className="grid grid-cols-[20px_minmax(96px,1fr)_2fr] items-baseline gap-2">
              <input type="checkbox" className="accent-accent" checked={left.has(name)} onChange={() => toggle(name)} />
              <span className="truncate">{name}</span>
              <span className="text-muted">{why}</span>
            </label>
          </li>
        ))}
      </ul>
      {unnamed > 0 ? (
        <p className="text-pending">
          {formatCount(unnamed)} more wait than can be named here. So many are not left behind: find out what they have
          in common.
        </p>
      ) : (
        <div>
          <Button size="small" variant="quiet" onClick={() => onChange(new Set(waiting.map(({ name }) => name)))}>
            Tick all {formatCount(waiting.length)}
          </Button>
        </div>
      )}
    </fieldset>
  )
}

interface RollBackProps {
  readonly kind: AuthorityKind
  readonly rotation: Rotation
  readonly onClose: () => void
}

export function RollBackRotation({ kind, rotation, onClose }: RollBackProps) {
  const { client } = useLink()
  const rollBack = useMutation({
    mutationFn: () => client.certificates.rollBackRotation({ kind }),
    onSuccess: onClose,
  })
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`${authorityWords[kind].title}: roll back?`}
      blastRadius="everyone that was given the new authority"
      effect={
        rotation.phase === 'trust'
          ? 'The new authority is taken away again. It has signed nothing, so nothing stops working.'
          : 'The old authority signs again, then the new one is taken away. Certificates that the new one signed stop working where it is gone; they are renewed before that.'
      }
      undo="Start the rotation again, with another new key."
      confirmLabel="Roll back"
      busy={rollBack.isPending}
      error={rollBack.error === null ? null : toErrorBody(rollBack.error)}
      onConfirm={() => rollBack.mutate()}
    >
      <CliEquivalent command={trustCli.rollBackRotation[kind]} />
    </DecisionDialog>
  )
}
