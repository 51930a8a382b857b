import { RefreshCw, ShieldCheck, X } from 'lucide-react'
import type { FleetNode } from '../../../shared/model/node.ts'
import { Button } from '../../components/Button.tsx'
import { formatCount } from '../../components/format.ts'
import { IconButton } from '../../components/IconButton.tsx'

interface SelectionBarProps {
  readonly nodes: readonly FleetNode[]
  readonly total: number
  readonly disabled: boolean
  readonly onResync: () => void
  readonly onRenew: () => void
  readonly onClear: () => void
}

/** What can be done to several nodes at once; each opens its preview first. */
export function SelectionBar({ nodes, total, disabled, onResync, onRenew, onClear }: SelectionBarProps) {
  return (
    <div
      role="toolbar"
      aria-label="Selected nodes"
      className="absolute bottom-4 left-1/2 z-20 flex -translate-x-1/2 items-center gap-3 rounded-md border border-line-strong bg-raised py-2 pr-2 pl-4 shadow-float"
    >
      <span role="status">
        <strong className="font-semibold">{formatCount(nodes.length)}</strong> of {formatCount(total)} nodes
      </span>
      <Button size="small" icon={<RefreshCw aria-hidden className="size-3.5" />} onClick={onResync} disabled={disabled}>
        Resync…
      </Button>
      <Button
        size="small"
        icon={<ShieldCheck aria-hidden className="size-3.5" />}
        onClick={onRenew}
        disabled={disabled}
      >
        Renew…
      </Button>
      <IconButton label="Clear the selection" icon={<X className="size-4" />} onClick={onClear} />
    </div>
  )
}
