import type { ReactNode } from 'react'
import { Mark, type MarkProps } from '../../components/StatusMark.tsx'
import { type AgentStanding, standingWords } from './agentStanding.ts'

const colours: Readonly<Record<AgentStanding, string>> = {
  silent: 'text-unreachable',
  failed: 'text-error',
  halted: 'text-halted',
  'locked-out': 'text-pending',
  running: 'text-busy',
  idle: 'text-muted',
  revoked: 'text-muted',
}

/** Shapes that mean the same elsewhere are the same here; the padlock and the clock are the agents' own. */
const shapes: Readonly<Record<AgentStanding, ReactNode>> = {
  silent: (
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
  failed: (
    <rect x="2.25" y="2.25" width="7.5" height="7.5" rx="0.5" fill="none" stroke="currentColor" strokeWidth="2.5" />
  ),
  halted: <path d="M1 1 H4 V11 H1 Z M6.5 1 H11 V11 H6.5 Z" fill="currentColor" />,
  'locked-out': (
    <>
      <path d="M3.5 5.5 V3.8 A2.5 2.5 0 0 1 8.5 3.8 V5.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <rect x="1.75" y="5.25" width="8.5" height="5.75" rx="1" fill="currentColor" />
    </>
  ),
  running: <path d="M2 2 L6 6 L2 10 M6.5 2 L10.5 6 L6.5 10" fill="none" stroke="currentColor" strokeWidth="1.8" />,
  idle: (
    <>
      <circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" strokeWidth="1.4" />
      <path d="M6 3.4 V6 L8 7.2" fill="none" stroke="currentColor" strokeWidth="1.3" />
    </>
  ),
  revoked: (
    <>
      <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M3 9 L9 3" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
}

/** Where an agent stands: colour and shape say the same. */
export function AgentMark({ standing, ...rest }: MarkProps & { readonly standing: AgentStanding }) {
  return <Mark shape={shapes[standing]} word={standingWords[standing]} colour={colours[standing]} {...rest} />
}
