import { describe, expect, it } from 'vitest'
import type { EngineClient } from '../../shared/contract/index.ts'
import { findRolloutId, findRunId, idBeginning } from './ids.ts'

const ids = [
  '01a1fc86-b60f-722c-a286-6617f32292ae',
  '01a1fc86-b60f-7fff-a286-000000000001',
  '01a1fc86-b7aa-7000-8000-000000000002',
]

/** Answers as the engine does: newest first, all below the given id. */
const listed = ({ before, limit = 50 }: { readonly before?: string; readonly limit?: number }) =>
  [...ids]
    .sort()
    .reverse()
    .filter((id) => before === undefined || id < before)
    .slice(0, limit)
    .map((id) => ({ id }))
const client = {
  runs: { list: async (query: object) => ({ runs: listed(query), next: null }) },
  rollouts: { list: async (query: object) => listed(query) },
} as unknown as EngineClient

const runOf = (text: string) => findRunId(client, idBeginning(text, 'run'))

describe('a beginning of an id', () => {
  it('U28 finds the one thing that begins so, in either case of letters', async () => {
    expect(await runOf('01a1fc86-b7')).toBe(ids[2])
    expect(await runOf('01A1FC86-B60F-7F')).toBe(ids[1])
    expect(await findRolloutId(client, idBeginning('01a1fc86-b60f-722c', 'rollout'))).toBe(ids[0])
  })

  it('takes a whole id as it is, without asking anybody', async () => {
    const whole = '01a1fc86-0000-7000-8000-000000000009'
    expect(await findRunId({} as EngineClient, idBeginning(whole, 'run'))).toBe(whole)
  })

  it('refuses what fits nothing, and names those that fit when there are several', async () => {
    await expect(runOf('01a2')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    // No version of ours: there is no such id.
    await expect(runOf('01a1fc86-b60f-f')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(runOf('01a1fc86-b60f')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/7fff-a286-000000000001.*722c-a286-6617f32292ae/),
    })
  })

  it.each(['', '01a', 'xyz1', '01a1fc86b60f', '01a1fc86-b60f-722c-a286-6617f32292ae0', "'; --"])(
    'refuses "%s" before anybody is asked',
    (text) => {
      expect(() => idBeginning(text, 'rollout')).toThrow(/no rollout id/)
    },
  )
})
