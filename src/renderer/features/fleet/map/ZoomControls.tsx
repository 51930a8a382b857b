import { Maximize, Minus, Plus } from 'lucide-react'
import { IconButton } from '../../../components/IconButton.tsx'

interface ZoomControlsProps {
  readonly onZoom: (factor: number) => void
  readonly onFit: () => void
}

const step = 1.5

/** For those who have neither wheel nor keys at hand. */
export function ZoomControls({ onZoom, onFit }: ZoomControlsProps) {
  return (
    <div
      role="toolbar"
      aria-label="Zoom"
      className="absolute right-3 bottom-3 flex flex-col rounded-md border bg-surface shadow-float"
    >
      <IconButton label="Closer (+)" side="left" icon={<Plus className="size-4" />} onClick={() => onZoom(step)} />
      <IconButton
        label="Farther (-)"
        side="left"
        icon={<Minus className="size-4" />}
        onClick={() => onZoom(1 / step)}
      />
      <IconButton label="Everything (0)" side="left" icon={<Maximize className="size-3.5" />} onClick={onFit} />
    </div>
  )
}
