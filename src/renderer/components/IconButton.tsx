import type { ComponentProps, ReactNode } from 'react'
import { classNames } from './classNames.ts'
import { Tooltip } from './Tooltip.tsx'

export interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children' | 'aria-label'> {
  /** Read aloud, and shown on hover. */
  readonly label: string
  readonly icon: ReactNode
  readonly side?: 'top' | 'right' | 'bottom' | 'left'
}

export function IconButton({ label, icon, side = 'top', className, ...rest }: IconButtonProps) {
  return (
    <Tooltip content={label} side={side}>
      <button
        type="button"
        {...rest}
        aria-label={label}
        className={classNames(
          'inline-flex size-7 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text disabled:cursor-default disabled:opacity-55',
          className,
        )}
      >
        {icon}
      </button>
    </Tooltip>
  )
}
