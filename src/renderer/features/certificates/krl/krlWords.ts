import type { TileFill } from '../../../../core/fleet/health.ts'
import type { KrlStanding } from './coverage.ts'

export const krlWords: Readonly<Record<KrlStanding, string>> = {
  current: 'obeys this version',
  behind: 'behind',
  unproven: 'not proven yet',
  none: 'gets no list',
}

/** Which mark of the map has the meaning. */
export const krlMarks: Readonly<Record<KrlStanding, TileFill>> = {
  current: 'in-step',
  behind: 'pending',
  unproven: 'never-synced',
  none: 'unreachable',
}

/** After a count: `63 without a list`. */
export const krlCountWords: Readonly<Record<KrlStanding, string>> = {
  current: 'obey this version',
  behind: 'behind',
  unproven: 'not proven yet',
  none: 'without a list',
}
