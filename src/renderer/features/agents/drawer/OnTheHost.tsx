import { CliEquivalent } from '../../../components/CliEquivalent.tsx'

/** A command that a person runs on the host of the agent: this console does not log in there. */
export function OnTheHost({ command }: { readonly command: string }) {
  return (
    <div className="mt-2 flex max-w-xl items-center gap-2">
      <span className="shrink-0 text-12 text-faint">on the host</span>
      <div className="min-w-0 flex-1">
        <CliEquivalent command={command} />
      </div>
    </div>
  )
}
