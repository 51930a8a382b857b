import { memo } from 'react'
import { classNames } from '../../../components/classNames.ts'
import { type AnsiColour, parseAnsi, stripAnsi } from './ansi.ts'
import { headingOf } from './logIndex.ts'
import { rowHeight } from './useLogScroll.ts'

const colourClass: Readonly<Record<AnsiColour, string>> = {
  black: 'text-faint',
  red: 'text-error',
  green: 'text-in-step',
  yellow: 'text-pending',
  blue: 'text-accent',
  magenta: 'text-halted',
  cyan: 'text-accent',
  white: 'text-text',
}

interface LogLineProps {
  readonly number: number
  /** Null while it is being fetched. */
  readonly text: string | null
  readonly gutterCharacters: number
  readonly isError: boolean
  readonly isCurrent: boolean
  /** Lower case; empty when nothing is searched. */
  readonly query: string
}

/** One row; it never wraps, so that every row has the same height. */
export const LogLine = memo(function LogLine({
  number,
  text,
  gutterCharacters,
  isError,
  isCurrent,
  query,
}: LogLineProps) {
  return (
    <div className={classNames('flex w-max min-w-full', isCurrent && 'bg-selection')} style={{ height: rowHeight }}>
      <span
        aria-hidden
        className={classNames(
          'sticky left-0 shrink-0 border-r px-2 text-right select-none',
          isError ? 'border-error bg-surface text-error' : 'bg-surface text-faint',
        )}
        style={{ width: `calc(${gutterCharacters}ch + 17px)` }}
      >
        {number + 1}
      </span>
      <span
        className={classNames(
          'px-3 whitespace-pre',
          isError && 'text-error',
          text !== null && headingOf(text) !== null && 'font-semibold text-accent',
        )}
      >
        {text === null ? <span className="text-faint">…</span> : <LineText text={text} query={query} />}
      </span>
    </div>
  )
})

function LineText({ text, query }: { readonly text: string; readonly query: string }) {
  if (query !== '') return <Found text={stripAnsi(text)} query={query} />
  return parseAnsi(text).map((span, at) => (
    <span
      // biome-ignore lint/suspicious/noArrayIndexKey: the spans of a line have no other identity
      key={at}
      className={classNames(span.colour !== null && colourClass[span.colour], span.bold && 'font-semibold')}
    >
      {span.text}
    </span>
  ))
}

function Found({ text, query }: { readonly text: string; readonly query: string }) {
  const at = text.toLowerCase().indexOf(query)
  if (at < 0) return text
  return (
    <>
      {text.slice(0, at)}
      <mark className="rounded-sm bg-pending text-ground">{text.slice(at, at + query.length)}</mark>
      <Found text={text.slice(at + query.length)} query={query} />
    </>
  )
}
