import { FileDiff, RefreshCw, ScanSearch, X } from 'lucide-react'
import { Button } from '../../../components/Button.tsx'
import { formatCount } from '../../../components/format.ts'
import { IconButton } from '../../../components/IconButton.tsx'
import type { TargetRow } from './targetRows.ts'

interface SelectionBarProps {
  readonly rows: readonly TargetRow[]
  readonly total: number
  readonly disabled: boolean
  readonly verifying: boolean
  readonly onSync: () => void
  readonly onVerify: () => void
  readonly onPreview: () => void
  readonly onClear: () => void
}

/** What can be done to several targets at once. */
export function SelectionBar(props: SelectionBarProps) {
  const { rows, total, disabled } = props
  return (
    <div
      role="toolbar"
      aria-label="Selected targets"
      className="absolute bottom-4 left-1/2 z-20 flex -translate-x-1/2 items-center gap-3 rounded-md border border-line-strong bg-raised py-2 pr-2 pl-4 shadow-float"
    >
      <span role="status" className="whitespace-nowrap">
        <strong className="font-semibold">{formatCount(rows.length)}</strong> of {formatCount(total)} targets
      </span>
      <Button
        size="small"
        icon={<RefreshCw aria-hidden className="size-3.5" />}
        disabled={disabled}
        onClick={props.onSync}
      >
        Sync these…
      </Button>
      <Button
        size="small"
        icon={<ScanSearch aria-hidden className="size-3.5" />}
        disabled={disabled}
        busy={props.verifying}
        onClick={props.onVerify}
      >
        Verify now
      </Button>
      <Button
        size="small"
        icon={<FileDiff aria-hidden className="size-3.5" />}
        disabled={disabled || rows.length !== 1}
        title={rows.length === 1 ? undefined : 'Select one target: a dry run is made against one node.'}
        onClick={props.onPreview}
      >
        Preview changes
      </Button>
      <IconButton label="Clear the selection" icon={<X className="size-4" />} onClick={props.onClear} />
    </div>
  )
}
