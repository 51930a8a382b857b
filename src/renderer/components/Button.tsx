import type { ComponentProps, ReactNode } from 'react'
import { classNames } from './classNames.ts'

export type ButtonVariant = 'default' | 'primary' | 'danger' | 'quiet'

export interface ButtonProps extends Omit<ComponentProps<'button'>, 'children'> {
  readonly variant?: ButtonVariant
  readonly size?: 'small' | 'medium'
  /** Something this button started is still under way: pressing does nothing, and it says so. It keeps the focus. */
  readonly busy?: boolean
  readonly icon?: ReactNode
  readonly children: ReactNode
}

const variants: Record<ButtonVariant, string> = {
  default: 'border-line-strong bg-raised text-text hover:border-faint',
  primary: 'border-transparent bg-accent text-on-accent hover:brightness-110',
  danger: 'border-transparent bg-error text-on-error hover:brightness-110',
  quiet: 'border-transparent bg-transparent text-muted hover:bg-hover hover:text-text',
}

const sizes = { small: 'h-6 px-2 text-12 gap-1', medium: 'h-8 px-3 text-13 gap-2' } as const

/** A verb on it, always. */
export function Button({
  variant = 'default',
  size = 'medium',
  busy = false,
  icon,
  className,
  children,
  disabled,
  onClick,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled}
      onClick={busy ? (event) => event.preventDefault() : onClick}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      className={classNames(
        'relative inline-flex shrink-0 items-center justify-center overflow-hidden rounded-md border font-medium whitespace-nowrap',
        'disabled:cursor-default disabled:opacity-55 aria-disabled:cursor-default aria-disabled:opacity-70',
        variants[variant],
        sizes[size],
        className,
      )}
    >
      {busy && <span className="absolute inset-x-0 top-0 h-0.5 w-2/5 animate-travel bg-current" />}
      {icon}
      {children}
    </button>
  )
}
