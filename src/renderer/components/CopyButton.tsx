import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { toErrorBody } from '../api/errors.ts'
import { useLink } from '../api/LinkContext.tsx'
import { IconButton } from './IconButton.tsx'

const confirmationMs = 1500

/** @param what names the thing for the label: `Copy <what>`. */
export function CopyButton({
  text,
  what,
  className,
}: {
  readonly text: string
  readonly what: string
  readonly className?: string
}) {
  const { shell } = useLink()
  const [outcome, setOutcome] = useState<'idle' | 'copied' | { readonly error: string }>('idle')
  useEffect(() => {
    if (outcome === 'idle') return
    const timer = setTimeout(() => setOutcome('idle'), confirmationMs)
    return () => clearTimeout(timer)
  }, [outcome])
  const copy = () => {
    shell.copyText(text).then(
      () => setOutcome('copied'),
      (error: unknown) => setOutcome({ error: toErrorBody(error).message }),
    )
  }
  const label = outcome === 'idle' ? `Copy ${what}` : outcome === 'copied' ? 'Copied' : outcome.error
  const icon = outcome === 'copied' ? <Check className="size-3.5 text-in-step" /> : <Copy className="size-3.5" />
  return <IconButton label={label} icon={icon} onClick={copy} {...(className === undefined ? {} : { className })} />
}
