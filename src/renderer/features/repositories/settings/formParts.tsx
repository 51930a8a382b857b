import type { ReactNode } from 'react'

interface CheckProps {
  readonly checked: boolean
  readonly hint?: string
  readonly onChange: (checked: boolean) => void
  readonly children: ReactNode
}

export function Check({ checked, hint, onChange, children }: CheckProps) {
  return (
    <label className="flex items-start gap-2">
      <input
        type="checkbox"
        className="mt-1 accent-accent"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span>
        {children}
        {hint !== undefined && <span className="block text-12 text-faint">{hint}</span>}
      </span>
    </label>
  )
}

export function Group({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <fieldset className="flex min-w-0 flex-col gap-3 border-t pt-3">
      <legend className="pr-2 text-12 font-semibold text-faint">{title}</legend>
      {children}
    </fieldset>
  )
}
