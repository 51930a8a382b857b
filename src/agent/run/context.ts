import type { DiagnosedNode, PresentedCertificate } from '../../core/diagnose/evidence.ts'
import type { RsyncTransfer } from '../../core/transfer/rsyncArguments.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Run } from '../../shared/model/run.ts'
import type { AgentSetup } from '../config.ts'

/** What the steps of one run tell each other; every state from ENSURE_CERT on can be repeated without it. */
export interface RunMemory {
  /** What each push had in its source when it was looked at, by position. */
  sources: { readonly files: number; readonly bytes: number }[]
  /** The receiver of this leg held nothing: nothing can be mixed there. */
  receiverWasEmpty: { push: boolean[]; pull: boolean[] }
  /** The certificate we log in with. */
  certificate: PresentedCertificate | null
  /** A check by content found what size and time hide: the next transfer compares content too. */
  compareContent: boolean
  /** Clock of storage minus ours. */
  clockSkewMs: number | null
}

export const emptyMemory = (): RunMemory => ({
  sources: [],
  receiverWasEmpty: { push: [], pull: [] },
  certificate: null,
  compareContent: false,
  clockSkewMs: null,
})

/** What a step is given. */
export interface StepContext {
  readonly setup: AgentSetup
  readonly clock: Clock
  readonly run: Run
  readonly memory: RunMemory
  /** Aborted on cancel and when the agent is asked to stop. */
  readonly signal: AbortSignal
  log(text: string): void
  output(text: string): void
}

export type Direction = 'push' | 'pull'

/** One directory that goes one way. */
export interface Leg {
  readonly direction: Direction
  /** Position among those of its direction. */
  readonly index: number
  /** Absolute. */
  readonly local: string
  /** As configured. */
  readonly remote: string
}

/** Storage as sentences name it. */
export function storageOf({ setup }: Pick<StepContext, 'setup'>): DiagnosedNode {
  const { host, port, user } = setup.config.storage
  return { name: host, address: host, port, user }
}

export type TransferOptions = Partial<Pick<RsyncTransfer, 'deletes' | 'dryRun' | 'checksum' | 'listEqual'>>
