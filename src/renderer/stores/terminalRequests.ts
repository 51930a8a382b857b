import type { NodeId } from '../../shared/model/ids.ts'
import { createSubscribable } from '../api/subscribable.ts'
import { overlays } from './overlays.ts'

/** Asks the dock for a terminal on a node, with a command ready at the prompt that a person still has to run (N7). */
export interface TerminalRequest {
  readonly nodeId: NodeId
  /** Typed, never executed. */
  readonly prefill?: string
}

/** What was asked and not yet taken; the dock takes all of it with {@link takeTerminalRequests}. */
export const terminalRequests = createSubscribable<readonly TerminalRequest[]>([])

/** Pulls the dock up and asks it for a terminal. */
export function requestTerminal(request: TerminalRequest): void {
  terminalRequests.set([...terminalRequests.get(), request])
  overlays.setState({ dock: true })
}

export function takeTerminalRequests(): readonly TerminalRequest[] {
  const taken = terminalRequests.get()
  if (taken.length > 0) terminalRequests.set([])
  return taken
}
