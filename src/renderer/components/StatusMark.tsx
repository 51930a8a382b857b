import type { ReactNode } from 'react'
import type { TileFill } from '../../core/fleet/health.ts'
import type { RunStatus } from '../../shared/model/run.ts'
import { classNames } from './classNames.ts'

/** Words for each fill, used wherever one is named. */
export const fillWords: Readonly<Record<TileFill, string>> = {
  error: 'error',
  halted: 'held back',
  unreachable: 'unreachable',
  pending: 'pending',
  'never-synced': 'never synced',
  maintenance: 'in maintenance',
  'in-step': 'in step',
}

export const fillTextClass: Readonly<Record<TileFill, string>> = {
  error: 'text-error',
  halted: 'text-halted',
  unreachable: 'text-unreachable',
  pending: 'text-pending',
  'never-synced': 'text-never-synced',
  maintenance: 'text-maintenance',
  'in-step': 'text-in-step',
}

/** The same shapes as on the map, so that the legend is learned once. */
const fillShapes: Readonly<Record<TileFill, ReactNode>> = {
  'in-step': <rect x="1" y="1" width="10" height="10" rx="1.5" fill="currentColor" />,
  pending: (
    <>
      <path d="M1 11 L11 1 V9.5 A1.5 1.5 0 0 1 9.5 11 Z" fill="currentColor" />
      <rect x="1.5" y="1.5" width="9" height="9" rx="1.5" fill="none" stroke="currentColor" />
    </>
  ),
  error: (
    <rect x="2.25" y="2.25" width="7.5" height="7.5" rx="0.5" fill="none" stroke="currentColor" strokeWidth="2.5" />
  ),
  unreachable: (
    <rect
      x="1.5"
      y="1.5"
      width="9"
      height="9"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeDasharray="2.4 1.8"
    />
  ),
  'never-synced': <rect x="1" y="1" width="10" height="10" rx="1.5" fill="currentColor" />,
  maintenance: (
    <>
      <path d="M1 5 L5 1 M1 9 L9 1 M3 11 L11 3 M7 11 L11 7" stroke="currentColor" strokeWidth="1.2" />
      <rect x="1.5" y="1.5" width="9" height="9" fill="none" stroke="currentColor" strokeWidth="0.8" />
    </>
  ),
  halted: <path d="M1 1 H4 V11 H1 Z M6.5 1 H11 V11 H6.5 Z" fill="currentColor" />,
}

export const runStatusWords: Readonly<Record<RunStatus, string>> = {
  queued: 'queued',
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'canceled',
  halted: 'held back',
}

const runColours: Readonly<Record<RunStatus, string>> = {
  queued: 'text-muted',
  running: 'text-busy',
  succeeded: 'text-in-step',
  failed: 'text-error',
  canceled: 'text-muted',
  halted: 'text-halted',
}

const runShapes: Readonly<Record<RunStatus, ReactNode>> = {
  queued: (
    <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" strokeDasharray="1.6 1.9" />
  ),
  running: <path d="M2 2 L6 6 L2 10 M6.5 2 L10.5 6 L6.5 10" fill="none" stroke="currentColor" strokeWidth="1.8" />,
  succeeded: <path d="M1.5 6.5 L4.8 9.8 L10.8 2.4" fill="none" stroke="currentColor" strokeWidth="2.2" />,
  failed: <path d="M2 2 L10 10 M10 2 L2 10" fill="none" stroke="currentColor" strokeWidth="2.4" />,
  canceled: (
    <>
      <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M3 9 L9 3" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
  halted: fillShapes.halted,
}

export interface MarkProps {
  readonly className?: string
  /** With the word beside it the mark itself is silent; alone it carries the word. */
  readonly withWord?: boolean
}

/** A shape in a 12 by 12 box with its word, for whatever has a status. */
export function Mark({
  shape,
  word,
  colour,
  className,
  withWord = false,
}: MarkProps & { readonly shape: ReactNode; readonly word: string; readonly colour: string }) {
  return (
    <span className={classNames('inline-flex items-center gap-1.5 whitespace-nowrap', className)}>
      <svg
        viewBox="0 0 12 12"
        className={classNames('size-3 shrink-0', colour)}
        role={withWord ? 'presentation' : 'img'}
        aria-label={withWord ? undefined : word}
      >
        {shape}
      </svg>
      {withWord && word}
    </span>
  )
}

/** What a tile shows: colour and shape say the same. `colour` is a class that takes the place of the fill's own. */
export function FillMark({ fill, colour, ...rest }: MarkProps & { readonly fill: TileFill; readonly colour?: string }) {
  return <Mark shape={fillShapes[fill]} word={fillWords[fill]} colour={colour ?? fillTextClass[fill]} {...rest} />
}

/** Nine dots, as on the map: a node that we log in to with a static key (D9). */
export function StaticKeyMark(props: MarkProps) {
  const at = [1, 5, 9]
  const dots = at.flatMap((x) =>
    at.map((y) => <rect key={`${x} ${y}`} x={x} y={y} width="2" height="2" fill="currentColor" />),
  )
  return <Mark shape={dots} word="static key" colour="text-pending" {...props} />
}

/** The status of a run. */
export function RunMark({ status, ...rest }: MarkProps & { readonly status: RunStatus }) {
  return <Mark shape={runShapes[status]} word={runStatusWords[status]} colour={runColours[status]} {...rest} />
}
