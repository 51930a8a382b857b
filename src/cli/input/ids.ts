import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError } from '../../shared/errors.ts'
import { RolloutId, RunId } from '../../shared/model/ids.ts'

/** An id, or a beginning of one that is to fit exactly one thing. */
export type IdBeginning = string & { readonly __idBeginning: true }

/** The highest id there can be: what a beginning leaves open is filled from here. */
const highest = 'ffffffff-ffff-7fff-bfff-ffffffffffff'
const shortest = 4
const listCommands = { run: 'lockstep runs list', rollout: 'lockstep rollouts list' } as const

/**
 * Checks the form before anything is asked of the engine.
 *
 * @throws AppError INVALID_INPUT
 */
export function idBeginning(text: string, what: 'run' | 'rollout'): IdBeginning {
  const lower = text.toLowerCase()
  const fits = lower.length <= highest.length && [...lower].every((letter, at) => isInPlace(letter, at))
  if (fits && lower.length >= shortest) return lower as IdBeginning
  const why = fits ? `a beginning needs ${shortest} characters at least` : 'ids look like 01a1fc86-b60f-7…'
  throw new AppError('INVALID_INPUT', `"${text}" is no ${what} id, nor the beginning of one: ${why}.`)
}

const isInPlace = (letter: string, at: number): boolean =>
  highest[at] === '-' ? letter === '-' : /^[0-9a-f]$/.test(letter)

/** @throws AppError NOT_FOUND when no run begins so, INVALID_INPUT when several do */
export const findRunId = (client: EngineClient, beginning: IdBeginning): Promise<RunId> =>
  find(beginning, {
    what: 'run',
    schema: RunId,
    newestBefore: async (before, limit) => (await client.runs.list({ before, limit })).runs,
  })

/** @throws AppError NOT_FOUND when no rollout begins so, INVALID_INPUT when several do */
export const findRolloutId = (client: EngineClient, beginning: IdBeginning): Promise<RolloutId> =>
  find(beginning, {
    what: 'rollout',
    schema: RolloutId,
    newestBefore: (before, limit) => client.rollouts.list({ before, limit }),
  })

interface Lookup<Id> {
  readonly what: 'run' | 'rollout'
  readonly schema: { safeParse(text: string): { success: true; data: Id } | { success: false } }
  readonly newestBefore: (before: Id, limit: number) => Promise<readonly { readonly id: Id }[]>
}

/** Ids sort by the time they were made: those with one beginning lie next to each other, below the highest such id. */
async function find<Id extends string>(
  beginning: IdBeginning,
  { what, schema, newestBefore }: Lookup<Id>,
): Promise<Id> {
  const whole = beginning.length === highest.length ? schema.safeParse(beginning) : null
  if (whole?.success === true) return whole.data
  const bound = schema.safeParse(`${beginning}${highest.slice(beginning.length)}`)
  const near = bound.success ? await newestBefore(bound.data, 3) : []
  const fitting = near.map(({ id }) => id).filter((id) => id.startsWith(beginning))
  const [only] = fitting
  if (only === undefined)
    throw new AppError('NOT_FOUND', `No ${what} has an id that begins with "${beginning}": ${listCommands[what]}`, {
      data: { beginning },
    })
  if (fitting.length === 1) return only
  throw new AppError(
    'INVALID_INPUT',
    `Several ${what}s have an id that begins with "${beginning}": ${fitting.join(', ')}. Give more of the one you mean.`,
    { data: { beginning, ids: fitting } },
  )
}
