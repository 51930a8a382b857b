import { Check } from 'lucide-react'
import { classNames } from './classNames.ts'

interface ChoiceMarkProps {
  readonly chosen: boolean
  readonly onToggle: () => void
}

/** The box at the start of a table row, for the mouse; the grid itself says and does the same with Space. */
export function ChoiceMark({ chosen, onToggle }: ChoiceMarkProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it handles the keys
    // biome-ignore lint/a11y/noStaticElementInteractions: the row around it is what assistive technology selects
    <span
      data-choice
      className="-mx-3 flex h-8 cursor-pointer items-center px-3"
      onClick={(event) => {
        event.stopPropagation()
        onToggle()
      }}
    >
      <span
        className={classNames(
          'flex size-3.5 items-center justify-center rounded-sm border',
          chosen ? 'border-accent bg-accent text-on-accent' : 'border-faint',
        )}
      >
        {chosen && <Check aria-hidden className="size-3" strokeWidth={3} />}
      </span>
    </span>
  )
}
