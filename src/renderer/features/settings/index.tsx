import type { ReactNode } from 'react'
import { useLink } from '../../api/LinkContext.tsx'
import { CopyButton } from '../../components/CopyButton.tsx'
import { formatDuration } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { type Preferences, preferences, usePreference } from '../../stores/preferences.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { UnlockForm } from './UnlockForm.tsx'

/** What this window remembers, and what engine it talks to. */
export function View() {
  return (
    <div className="h-full overflow-auto">
      <div className="mx-auto flex max-w-2xl flex-col gap-8 p-6">
        <h1 className="text-18 font-semibold">Settings</h1>
        <Section title="This window">
          <ThemeChoice />
          <Toggle name="utc" label="Show absolute times in UTC" />
          <Toggle name="singleLetterShortcuts" label="Shortcuts of single letters (r, c, t, g f)" />
        </Section>
        <Section title="Engine">
          <EngineFacts />
        </Section>
        <Section title="Key vault">
          <VaultFacts />
        </Section>
      </div>
    </div>
  )
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="flex flex-col gap-3">
      <h2 className="border-b pb-1 text-15 font-semibold">{title}</h2>
      {children}
    </section>
  )
}

const themeWords: Readonly<Record<Preferences['theme'], string>> = {
  dark: 'Dark',
  light: 'Light',
  system: 'As the system',
}

function ThemeChoice() {
  const theme = usePreference((state) => state.theme)
  return (
    <fieldset className="flex items-center gap-4">
      <legend className="float-left mr-4 text-muted">Theme</legend>
      {(Object.keys(themeWords) as Preferences['theme'][]).map((each) => (
        <label key={each} className="flex items-center gap-2">
          <input
            type="radio"
            name="theme"
            className="accent-accent"
            checked={theme === each}
            onChange={() => preferences.setState({ theme: each })}
          />
          {themeWords[each]}
        </label>
      ))}
    </fieldset>
  )
}

function Toggle({ name, label }: { readonly name: 'utc' | 'singleLetterShortcuts'; readonly label: string }) {
  const checked = usePreference((state) => state[name])
  return (
    <label className="flex items-center gap-2">
      <input
        type="checkbox"
        className="accent-accent"
        checked={checked}
        onChange={(event) => preferences.setState({ [name]: event.target.checked })}
      />
      {label}
    </label>
  )
}

function Facts({ rows }: { readonly rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[160px_1fr] gap-y-1">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-faint">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function EngineFacts() {
  const engine = useReplica((state) => state.engine)
  const connection = useReplica((state) => state.connection)
  const seq = useReplica((state) => state.seq)
  const { shell } = useLink()
  if (engine === null) return <p className="text-muted">The engine has not answered yet.</p>
  return (
    <Facts
      rows={[
        ['Connection', `${connection}, event ${seq}`],
        ['Version', `${engine.version} on ${engine.host}, process ${engine.pid}`],
        ['Running since', <Time key="since" at={engine.startedAt} />],
        [
          'Data directory',
          <span key="home" className="flex items-center gap-1">
            <code className="min-w-0 truncate text-12">{engine.home}</code>
            <CopyButton text={engine.home} what="data directory" />
          </span>,
        ],
        ['Reconcile', `every ${formatDuration(engine.reconcile.intervalMs)}`],
        ['Last reconcile', <Time key="last" at={engine.reconcile.lastAt} />],
        ['Next reconcile', <Time key="next" at={engine.reconcile.nextAt} fallback="not planned" />],
        ...Object.entries(shell.versions).map(([name, version]) => [name, version] as const),
      ]}
    />
  )
}

function VaultFacts() {
  const vault = useReplica((state) => state.engine?.vault)
  if (vault === undefined) return <p className="text-muted">The engine has not answered yet.</p>
  return (
    <>
      <Facts
        rows={[
          ['Kind', vault.kind],
          ['Protection', vault.description],
          ['State', vault.unlocked ? 'unlocked' : 'locked'],
        ]}
      />
      {!vault.unlocked && <UnlockForm />}
    </>
  )
}
