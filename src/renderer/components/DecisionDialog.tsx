import { AlertDialog } from '@base-ui/react/alert-dialog'
import { type ReactNode, useRef } from 'react'
import type { ErrorBody } from '../../shared/errors.ts'
import { Button } from './Button.tsx'
import { classNames } from './classNames.ts'
import { ErrorNote } from './ErrorNote.tsx'

export interface DecisionDialogProps {
  readonly open: boolean
  readonly onClose: () => void
  /** The question, e.g. `Resync 17 of 412 nodes?` */
  readonly title: string
  /** Whom it reaches: `17 of 412 nodes`. */
  readonly blastRadius: ReactNode
  /** What will happen there. */
  readonly effect: ReactNode
  /** How it is taken back, or that it cannot be. */
  readonly undo: ReactNode
  readonly confirmLabel: string
  readonly onConfirm: () => void
  readonly danger?: boolean
  readonly busy?: boolean
  /** Something has to be filled in or ticked first. */
  readonly incomplete?: boolean
  /** For dialogs that show a list or a table. */
  readonly wide?: boolean
  readonly error?: ErrorBody | null
  /** More to look at before deciding: fingerprints, a list. */
  readonly children?: ReactNode
}

/** For decisions only. Cancel has the focus, so that a stray Enter changes nothing. */
export function DecisionDialog(props: DecisionDialogProps) {
  const cancel = useRef<HTMLButtonElement>(null)
  return (
    <AlertDialog.Root open={props.open} onOpenChange={(open) => !open && props.onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="fixed inset-0 z-40 bg-ground opacity-70" />
        <AlertDialog.Popup
          initialFocus={cancel}
          className={classNames(
            'fixed top-1/2 left-1/2 z-50 flex max-h-[85vh] max-w-[92vw] -translate-x-1/2 -translate-y-1/2 flex-col overflow-hidden rounded-md border border-line-strong bg-raised shadow-float',
            props.wide === true ? 'w-[720px]' : 'w-[520px]',
          )}
        >
          {/* The buttons stay in sight however much there is to look at, so that the question comes first, not the answer. */}
          <div
            tabIndex={props.wide === true ? 0 : undefined}
            className="flex min-h-0 flex-col gap-4 overflow-auto p-5 focus-visible:-outline-offset-2"
          >
            <AlertDialog.Title className="text-15 font-semibold">{props.title}</AlertDialog.Title>
            <AlertDialog.Description render={<div />}>
              <DecisionFacts blastRadius={props.blastRadius} effect={props.effect} undo={props.undo} />
            </AlertDialog.Description>
            {props.children}
          </div>
          {props.error != null && (
            <div className="shrink-0 px-5 pb-3">
              <ErrorNote error={props.error} />
            </div>
          )}
          <div
            className={classNames('flex shrink-0 justify-end gap-2 px-5 pb-5', props.wide === true && 'border-t pt-3')}
          >
            <Button ref={cancel} onClick={props.onClose}>
              Cancel
            </Button>
            <Button
              variant={props.danger === true ? 'danger' : 'primary'}
              busy={props.busy === true}
              disabled={props.incomplete === true}
              onClick={props.onConfirm}
            >
              {props.confirmLabel}
            </Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}

function DecisionFacts({ blastRadius, effect, undo }: Pick<DecisionDialogProps, 'blastRadius' | 'effect' | 'undo'>) {
  const facts = [
    ['Reaches', blastRadius],
    ['Effect', effect],
    ['Undo', undo],
  ] as const
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
