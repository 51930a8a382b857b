import { Menu as Base } from '@base-ui/react/menu'
import { ChevronDown } from 'lucide-react'
import { Button } from './Button.tsx'

export interface MenuItem {
  readonly label: string
  /** What it means, below the label. */
  readonly hint?: string
  readonly disabled?: boolean
  readonly run: () => void
}

interface MenuProps {
  readonly label: string
  readonly items: readonly MenuItem[]
  readonly disabled?: boolean
}

/** Actions that are rare or need a word of explanation. Arrows walk, Enter takes, Escape closes. */
export function Menu({ label, items, disabled = false }: MenuProps) {
  return (
    <Base.Root>
      <Base.Trigger
        disabled={disabled}
        render={
          <Button>
            {label}
            <ChevronDown aria-hidden className="size-3.5" />
          </Button>
        }
      />
      <Base.Portal>
        <Base.Positioner side="bottom" align="end" sideOffset={4} className="z-40">
          <Base.Popup className="w-80 rounded-md border border-line-strong bg-raised p-1 shadow-float outline-none">
            {items.map(({ label: words, hint, disabled: off = false, run }) => (
              <Base.Item
                key={words}
                disabled={off}
                onClick={run}
                className="flex cursor-pointer flex-col rounded-sm px-3 py-1.5 outline-none data-[disabled]:cursor-default data-[disabled]:opacity-55 data-[highlighted]:bg-hover"
              >
                <span>{words}</span>
                {hint !== undefined && <span className="text-12 text-muted">{hint}</span>}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}
