import { type ReactNode, useEffect, useRef } from 'react'
import { useLink } from '../../api/LinkContext.tsx'
import { Fact, Facts, LongText } from '../../components/Facts.tsx'
import { formatDuration } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { type Preferences, preferences, usePreference } from '../../stores/preferences.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import type { ViewProps } from '../../views.ts'
import { GatewaySection } from './gateway/GatewaySection.tsx'
import { useGateway } from './gateway/useGateway.ts'
import { UnlockForm } from './UnlockForm.tsx'

/** What this window remembers, and what engine it talks to. */
export function View({ route }: ViewProps) {
  // Before its answer is here the section is too short to be brought into sight.
  const hasGateway = useGateway().gateway !== undefined
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
        <Section title="Gateway for agents" sought={hasGateway && route.query.section === 'gateway'}>
          <GatewaySection />
        </Section>
      </div>
    </div>
  )
}

interface SectionProps {
  readonly title: string
  /** The address names it: it comes into sight. */
  readonly sought?: boolean
  readonly children: ReactNode
}

function Section({ title, sought = false, children }: SectionProps) {
  const section = useRef<HTMLElement>(null)
  useEffect(() => {
    if (sought) section.current?.scrollIntoView?.({ block: 'start' })
  }, [sought])
  return (
    <section ref={section} className="flex scroll-mt-4 flex-col gap-3">
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

const nameWidth = '160px'

function EngineFacts() {
  const engine = useReplica((state) => state.engine)
  const connection = useReplica((state) => state.connection)
  const seq = useReplica((state) => state.seq)
  const { shell } = useLink()
  if (engine === null) return <p className="text-muted">The engine has not answered yet.</p>
  return (
    <Facts nameWidth={nameWidth}>
      <Fact name="Connection">
        {connection}, event {seq}
      </Fact>
      <Fact name="Version">
        {engine.version} on {engine.host}, process {engine.pid}
      </Fact>
      <Fact name="Running since">
        <Time at={engine.startedAt} />
      </Fact>
      <Fact name="Data directory">
        <LongText text={engine.home} what="data directory" />
      </Fact>
      <Fact name="Reconcile">every {formatDuration(engine.reconcile.intervalMs)}</Fact>
      <Fact name="Last reconcile">
        <Time at={engine.reconcile.lastAt} />
      </Fact>
      <Fact name="Next reconcile">
        <Time at={engine.reconcile.nextAt} fallback="not planned" />
      </Fact>
      {Object.entries(shell.versions).map(([name, version]) => (
        <Fact key={name} name={name}>
          {version}
        </Fact>
      ))}
    </Facts>
  )
}

function VaultFacts() {
  const vault = useReplica((state) => state.engine?.vault)
  if (vault === undefined) return <p className="text-muted">The engine has not answered yet.</p>
  return (
    <>
      <Facts nameWidth={nameWidth}>
        <Fact name="Kind">{vault.kind}</Fact>
        <Fact name="Protection">{vault.description}</Fact>
        <Fact name="State">{vault.unlocked ? 'unlocked' : 'locked'}</Fact>
      </Facts>
      {!vault.unlocked && <UnlockForm />}
    </>
  )
}
