import type { ReactNode } from 'react'
import { CopyButton } from './CopyButton.tsx'

/** Names at the left, what they are at the right. */
export function Facts({ nameWidth = '88px', children }: { readonly nameWidth?: string; readonly children: ReactNode }) {
  return (
    <dl className="grid gap-x-3 gap-y-1" style={{ gridTemplateColumns: `${nameWidth} minmax(0, 1fr)` }}>
      {children}
    </dl>
  )
}

export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  )
}

/** Text that is too long to be read and is made to be compared or copied: a digest, a fingerprint, an id. */
export function LongText({ text, what }: { readonly text: string; readonly what: string }) {
  return (
    <span className="flex min-w-0 items-center gap-1">
      <code className="min-w-0 truncate text-12" title={text}>
        {text}
      </code>
      <CopyButton text={text} what={what} className="-my-1" />
    </span>
  )
}
