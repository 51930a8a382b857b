import { Suspense } from 'react'
import { classNames } from '../../components/classNames.ts'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, updateQuery } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import { isChanged, type TextFormat } from './draft/draft.ts'
import { useDraft } from './draft/draftStore.ts'
import { EntriesView } from './EntriesView.tsx'
import { History } from './history/History.tsx'
import { useNewest } from './registryQueries.ts'
import { entriesWords } from './registryWords.ts'
import { Sources } from './sources/Sources.tsx'
import { Where } from './where/Where.tsx'

const pages = [
  { id: 'services', label: 'Services' },
  { id: 'nodes', label: 'Nodes' },
  { id: 'where', label: 'Which is where' },
  { id: 'history', label: 'History' },
  { id: 'sources', label: 'Sources' },
] as const
type PageId = (typeof pages)[number]['id']

const formatOf = ({ query }: Route): TextFormat => (query.format === 'yaml' ? 'yaml' : 'json')

/** `#/registry/services?as=text`, `#/registry/nodes`, `#/registry/where`, `#/registry/history`, `#/registry/sources`. */
export function View({ route }: { readonly route: Route }) {
  const loaded = useReplica((state) => state.loaded)
  const [first = 'services'] = route.path
  const page = pages.find(({ id }) => id === first)?.id
  useShortcuts([
    ...pages.map(({ id, label }) => ({
      keys: '',
      label: `Registry: ${label.toLowerCase()}`,
      group: 'Registry',
      run: () => navigate(formatHash({ view: 'registry', path: [id] })),
    })),
    { keys: 'v', label: 'Table or text', group: 'Registry', run: () => toggleText(route) },
  ])
  if (!loaded) return <ViewHeader title="Registry" summary="Loading" />
  return (
    <div className="flex h-full flex-col">
      <ViewHeader title="Registry" summary={<Summary />} actions={isEntries(page) && <FormChoice route={route} />} />
      <PageTabs current={page} />
      <div className="relative min-h-0 flex-1">
        <Suspense fallback={null}>
          <Page page={page} route={route} />
        </Suspense>
      </div>
    </div>
  )
}

const isEntries = (page: PageId | undefined): page is 'services' | 'nodes' => page === 'services' || page === 'nodes'

const toggleText = ({ query }: Route): void => updateQuery({ as: query.as === 'text' ? undefined : 'text' })

function Page({ page, route }: { readonly page: PageId | undefined; readonly route: Route }) {
  switch (page) {
    case 'services':
    case 'nodes':
      return <EntriesView key={page} registry={page} asText={route.query.as === 'text'} format={formatOf(route)} />
    case 'where':
      return <Where route={route} />
    case 'history':
      return <History route={route} />
    case 'sources':
      return <Sources />
    case undefined:
      return <EmptyState title="There is no such page">The tabs above show what there is.</EmptyState>
  }
}

function Summary() {
  const services = useNewest('services')
  const nodes = useNewest('nodes')
  return (
    <>
      <span>{services === undefined ? 'no services yet' : entriesWords('services', services.entries)}</span>
      {services !== undefined && <span>revision {services.number}</span>}
      {nodes !== undefined && <span>{entriesWords('nodes', nodes.entries)} registered</span>}
    </>
  )
}

function FormChoice({ route }: { readonly route: Route }) {
  const asText = route.query.as === 'text'
  const choices = [
    [false, 'Table'],
    [true, 'Text'],
  ] as const
  return (
    <fieldset aria-label="Edit as" className="flex gap-1">
      {choices.map(([text, label]) => (
        <button
          key={label}
          type="button"
          aria-pressed={asText === text}
          onClick={() => updateQuery({ as: text ? 'text' : undefined })}
          className={classNames(
            'h-8 rounded-md px-3 text-muted hover:bg-hover hover:text-text',
            asText === text && 'bg-selection text-text',
          )}
        >
          {label}
        </button>
      ))}
    </fieldset>
  )
}

/** Links, so that each page can be opened in a window of its own. */
function PageTabs({ current }: { readonly current: PageId | undefined }) {
  return (
    <nav aria-label="Registry" className="flex shrink-0 gap-4 border-b bg-surface px-4">
      {pages.map(({ id, label }) => (
        <a
          key={id}
          href={formatHash({ view: 'registry', path: [id] })}
          aria-current={id === current ? 'page' : undefined}
          className={classNames(
            '-mb-px flex h-8 items-center gap-1.5 border-b-2',
            id === current ? 'border-accent text-text' : 'border-transparent text-muted hover:text-text',
          )}
        >
          {label}
          {(id === 'services' || id === 'nodes') && <DraftDot registry={id} />}
        </a>
      ))}
    </nav>
  )
}

function DraftDot({ registry }: { readonly registry: 'services' | 'nodes' }) {
  const draft = useDraft(registry)
  if (draft === null || !isChanged(draft)) return null
  return <span role="img" aria-label="draft not saved" className="size-2 rotate-45 bg-pending" />
}
