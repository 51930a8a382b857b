import { CopyButton } from './CopyButton.tsx'

/** The command that does the same as the button beside it. */
export function CliEquivalent({ command }: { readonly command: string }) {
  return (
    <div className="flex min-w-0 items-center gap-1 rounded-md border border-line bg-ground pr-0.5 pl-2">
      <code className="min-w-0 flex-1 truncate py-1 text-12 text-muted" title={command}>
        <span aria-hidden className="text-faint select-none">
          ${' '}
        </span>
        {command}
      </code>
      <CopyButton text={command} what="command" />
    </div>
  )
}

/** Quotes one argument for a POSIX shell; plain words stay as they are. */
export const shellQuote = (text: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
