import { expect, it } from 'vitest'
import { aRun } from '../../../test/fakes/aRun.ts'
import { journalLine } from '../../platform/journal.ts'
import { createLogging } from '../../platform/logger.ts'
import type { EngineEvent } from '../../shared/model/event.ts'
import type { Run } from '../../shared/model/run.ts'
import { logFleet } from './fleetLog.ts'
import type { EngineMeasures } from './measures.ts'

const failure = (code: string, sentence: string) => ({
  code,
  sentence,
  short: 'x',
  evidence: ['seen'],
  nextAction: { kind: 'none', label: '' },
  transient: false,
})

function logged(...runs: Run[]): string[] {
  const lines: string[] = []
  const { logger } = createLogging({ level: 'info', sinks: [(line) => lines.push(journalLine(line))] })
  let tell: (events: readonly EngineEvent[]) => void = () => undefined
  const store = {
    onCommitted: (listener: typeof tell) => {
      tell = listener
      return () => undefined
    },
  }
  logFleet({ store } as unknown as EngineMeasures, logger)
  tell(runs.map((run) => ({ seq: 1, at: 0, change: { kind: 'run.saved', run } }) as unknown as EngineEvent))
  return lines
}

const ended = (status: string, cause: object | null = null): Run =>
  ({ ...aRun(), nodeName: 'edge', planName: 'routes', planRevision: 7, status, failure: cause }) as Run

it('S1.72 S1.75 S1.99 S1.100 S1.101 a node that does not answer is a warning, a failure an error with its cause, proof a success', () => {
  const lines = logged(
    ended('running'),
    ended('succeeded'),
    ended('failed', failure('NODE_UNREACHABLE', 'edge did not answer.')),
    ended('failed', failure('TRAEFIK_NOT_RUNNING', 'Traefik does not run.')),
  )
  expect(lines).toEqual([
    expect.stringMatching(/^<6>\[✓\] edge: routes r7 verified on the node /),
    expect.stringMatching(/^<4>\[⚠\] edge: routes r7 pending, will retry next cycle: edge did not answer\. /),
    expect.stringMatching(/^<3>\[✗\] edge: routes r7 failed: Traefik does not run\. .*evidence=\["seen"\]/),
  ])
})
