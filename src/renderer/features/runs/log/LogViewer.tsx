import { ArrowDown, ArrowUp, Download, Search, TriangleAlert } from 'lucide-react'
import { type KeyboardEvent, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Run, RunState } from '../../../../shared/model/run.ts'
import { isFinal } from '../../../../shared/model/run.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { Button } from '../../../components/Button.tsx'
import { formatBytes, formatCount, plural } from '../../../components/format.ts'
import { IconButton } from '../../../components/IconButton.tsx'
import { useShortcuts } from '../../../stores/shortcuts.ts'
import { ErrorTicks } from './ErrorTicks.tsx'
import { LogLine } from './LogLine.tsx'
import { LogReader, type LogState } from './logReader.ts'
import { LogSearch, maxSearchHits, type SearchState } from './logSearch.ts'
import { saveLog } from './saveLog.ts'
import { type LogScroll, rowHeight, useLogScroll } from './useLogScroll.ts'

/** A wish to see where a state begins; a new object each time, so that the same wish can be made twice. */
export interface LogJump {
  readonly state: RunState
}

interface LogViewerProps {
  readonly run: Run
  readonly jump: LogJump | null
}

/** The output of a run: of any size, live or from the history. */
export function LogViewer({ run, jump }: LogViewerProps) {
  const { client } = useLink()
  const [reader, setReader] = useState<LogReader | null>(null)
  useEffect(() => {
    const next = new LogReader(client, run.id)
    next.start()
    setReader(next)
    return () => next.stop()
  }, [client, run.id])
  return reader === null ? null : <LogPane key={run.id} run={run} jump={jump} reader={reader} />
}

function LogPane({ run, jump, reader }: LogViewerProps & { readonly reader: LogReader }) {
  const log = useSyncExternalStore(reader.state.subscribe, reader.state.get)
  const scroller = useRef<HTMLDivElement>(null)
  const scroll = useLogScroll(scroller, log.lineCount)
  const [follow, setFollow] = useState(!isFinal(run.status))
  const [current, setCurrent] = useState<number | null>(null)
  const [query, setQuery] = useState('')
  const [searching, setSearching] = useState(false)
  const found = useLogSearch(reader, query)
  useFollow(follow, scroll, log)

  const goTo = (line: number | undefined): void => {
    if (line === undefined) return
    setFollow(false)
    setCurrent(line)
    scroll.scrollToLine(line)
  }
  const goToState = useRef<(state: RunState) => void>(() => {})
  goToState.current = (state) => goTo(log.headings.findLast((heading) => heading.state === state)?.line)
  useEffect(() => {
    if (jump !== null) goToState.current(jump.state)
  }, [jump])
  const goToError = (step: 1 | -1): void =>
    goTo(neighbour(log.errorLines, current ?? (step === 1 ? -1 : log.lineCount), step))
  const goToHit = (step: 1 | -1): void => goTo(neighbour(found.hits, current ?? scroll.firstLine - 1, step))
  const closeSearch = (): void => {
    setSearching(false)
    setQuery('')
  }
  useShortcuts([{ keys: 'n', label: 'Go to the next error in the log', group: 'Run', run: () => goToError(1) }])
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target instanceof HTMLInputElement) return
    if ((event.ctrlKey || event.metaKey) && event.key === 'f') setSearching(true)
    else if (event.ctrlKey || event.metaKey || event.altKey) return
    else if (event.key === 'N') goToError(-1)
    else if (!moveByKey(event.key, scroll, () => setFollow(false))) return
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <section aria-label="Log" className="flex min-h-0 min-w-0 flex-1 flex-col" onKeyDown={onKeyDown}>
      <div className="flex h-9 shrink-0 items-center gap-2 border-b px-3 text-12 text-muted">
        <LogSize log={log} />
        {log.errorLines.length > 0 && (
          <Button
            size="small"
            variant="quiet"
            icon={<TriangleAlert aria-hidden className="size-3.5 text-error" />}
            onClick={() => goToError(1)}
            title="Next error (n)"
          >
            {plural(log.errorLines.length, 'error')}
          </Button>
        )}
        {log.error !== null && <span className="truncate text-error">{log.error.message}</span>}
        <span className="flex-1" />
        {searching && (
          <SearchField query={query} found={found} onQuery={setQuery} onStep={goToHit} onClose={closeSearch} />
        )}
        <IconButton
          label="Search in the log (Ctrl+F)"
          icon={<Search className="size-4" />}
          onClick={() => setSearching(true)}
        />
        <SaveButton run={run} reader={reader} log={log} />
        {!log.complete && (
          <Button
            size="small"
            variant={follow ? 'primary' : 'default'}
            aria-pressed={follow}
            onClick={() => setFollow(!follow)}
          >
            {follow ? 'Following' : 'Follow'}
          </Button>
        )}
      </div>
      <div className="relative min-h-0 flex-1">
        <div
          ref={scroller}
          role="log"
          aria-label="Output"
          aria-live="off"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region has to be reachable by keyboard
          tabIndex={0}
          onWheel={(event) => event.deltaY < 0 && setFollow(false)}
          className="h-full overflow-x-hidden overflow-y-scroll bg-ground"
        >
          <div style={{ height: scroll.spacerHeight }}>
            <LogRows reader={reader} scroll={scroll} log={log} current={current} query={query.toLowerCase()} />
          </div>
          {log.lineCount === 0 && <NoOutput run={run} log={log} />}
        </div>
        <ErrorTicks lines={log.errorLines} hits={found.hits} lineCount={log.lineCount} height={scroll.viewportHeight} />
      </div>
    </section>
  )
}

interface LogRowsProps {
  readonly reader: LogReader
  readonly scroll: LogScroll
  readonly log: LogState
  readonly current: number | null
  readonly query: string
}

function LogRows({ reader, scroll, log, current, query }: LogRowsProps) {
  const errors = new Set(
    log.errorLines.filter((line) => line >= scroll.firstLine && line < scroll.firstLine + scroll.rowCount),
  )
  const gutterCharacters = Math.max(3, String(log.lineCount).length)
  return (
    <div className="sticky top-0 overflow-hidden" style={{ height: scroll.viewportHeight }}>
      <div
        // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll sideways, by keyboard too
        tabIndex={0}
        className="overflow-x-auto overflow-y-hidden font-mono text-12"
        style={{ height: scroll.viewportHeight, lineHeight: `${rowHeight}px`, fontVariantLigatures: 'none' }}
      >
        <div style={{ transform: `translateY(${-scroll.offset}px)` }}>
          {Array.from({ length: scroll.rowCount }, (_, at) => scroll.firstLine + at).map((line) => (
            <LogLine
              key={line}
              number={line}
              text={reader.line(line)}
              gutterCharacters={gutterCharacters}
              isError={errors.has(line)}
              isCurrent={line === current}
              query={query}
            />
          ))}
        </div>
      </div>
    </div>
  )
}

function NoOutput({ run, log }: { readonly run: Run; readonly log: LogState }) {
  const text = log.complete
    ? 'This run wrote no output.'
    : run.status === 'queued'
      ? 'Waiting for its turn; output appears here as it comes.'
      : 'No output yet.'
  return <p className="p-4 text-faint">{text}</p>
}

function LogSize({ log }: { readonly log: LogState }) {
  const reading = log.sizeBytes < log.totalBytes
  return (
    <span className="whitespace-nowrap">
      {reading
        ? `read ${formatBytes(log.sizeBytes)} of ${formatBytes(log.totalBytes)}`
        : `${plural(log.lineCount, 'line')}, ${formatBytes(log.totalBytes)}`}
    </span>
  )
}

interface SearchFieldProps {
  readonly query: string
  readonly found: SearchState
  readonly onQuery: (query: string) => void
  readonly onStep: (step: 1 | -1) => void
  readonly onClose: () => void
}

function SearchField({ query, found, onQuery, onStep, onClose }: SearchFieldProps) {
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') onStep(event.shiftKey ? -1 : 1)
    else if (event.key === 'Escape') onClose()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <search className="flex items-center gap-1">
      <input
        // biome-ignore lint/a11y/noAutofocus: it appears because the person asked to search
        autoFocus
        aria-label="Search in the log"
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={onKeyDown}
        className="h-6 w-44 rounded-md border border-line-strong bg-ground px-2 text-text"
      />
      <span className="min-w-20 whitespace-nowrap">{query === '' ? '' : searchWords(found)}</span>
      <IconButton
        label="Previous match (Shift+Enter)"
        icon={<ArrowUp className="size-3.5" />}
        onClick={() => onStep(-1)}
      />
      <IconButton label="Next match (Enter)" icon={<ArrowDown className="size-3.5" />} onClick={() => onStep(1)} />
    </search>
  )
}

function searchWords({ hits, pendingBlocks, failed }: SearchState): string {
  if (failed) return 'search was cut short'
  const count = hits.length >= maxSearchHits ? `${formatCount(maxSearchHits)}+` : formatCount(hits.length)
  return `${count} ${hits.length === 1 ? 'line' : 'lines'}${pendingBlocks > 0 ? ' so far' : ''}`
}

function SaveButton({ run, reader, log }: { readonly run: Run; readonly reader: LogReader; readonly log: LogState }) {
  const [saved, setSaved] = useState<number | null>(null)
  const save = (): void => {
    const done = (): void => setSaved(null)
    saveLog(run, reader, { totalBytes: log.totalBytes, onProgress: setSaved }).then(done, done)
  }
  const label =
    saved === null ? 'Download the log' : `Saving: ${Math.floor((saved / Math.max(1, log.totalBytes)) * 100)} %`
  return (
    <IconButton
      label={label}
      icon={<Download className="size-4" />}
      disabled={saved !== null || log.totalBytes === 0}
      onClick={save}
    />
  )
}

const typingPauseMs = 150
const noSearch: SearchState = { hits: [], pendingBlocks: 0, failed: false }
const noUnsubscribe = (): void => {}

function useLogSearch(reader: LogReader, query: string): SearchState {
  const [search, setSearch] = useState<LogSearch | null>(null)
  useEffect(() => {
    setSearch(null)
    if (query === '') return
    let next: LogSearch | null = null
    // Each search may read the whole log: wait until the typing pauses.
    const timer = setTimeout(() => {
      next = new LogSearch(reader, query)
      setSearch(next)
    }, typingPauseMs)
    return () => {
      clearTimeout(timer)
      next?.stop()
    }
  }, [reader, query])
  return useSyncExternalStore(
    (listener) => search?.state.subscribe(listener) ?? noUnsubscribe,
    () => search?.state.get() ?? noSearch,
  )
}

/** Keeps the end in sight while more comes. */
function useFollow(follow: boolean, scroll: LogScroll, log: LogState): void {
  const scrollToEnd = useRef(scroll.scrollToEnd)
  scrollToEnd.current = scroll.scrollToEnd
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines and a new height are the reasons to move
  useEffect(() => {
    if (follow) scrollToEnd.current()
  }, [follow, log.lineCount, scroll.viewportHeight])
}

function moveByKey(key: string, scroll: LogScroll, onUp: () => void): boolean {
  const page = Math.max(rowHeight, scroll.viewportHeight - 2 * rowHeight)
  const pixels = {
    ArrowDown: rowHeight,
    ArrowUp: -rowHeight,
    PageDown: page,
    PageUp: -page,
    Home: Number.NEGATIVE_INFINITY,
  }[key]
  if (key === 'End') scroll.scrollToEnd()
  else if (pixels === undefined) return false
  else {
    if (pixels < 0) onUp()
    scroll.scrollBy(pixels)
  }
  return true
}

/** The next number in an ascending list after (or before) `from`; at the end it starts over. */
export function neighbour(sorted: readonly number[], from: number, step: 1 | -1): number | undefined {
  if (step === 1) return sorted.find((line) => line > from) ?? sorted[0]
  return sorted.findLast((line) => line < from) ?? sorted.at(-1)
}
