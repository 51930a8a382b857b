import { expect, it } from 'vitest'
import { removesTooMuch } from './removals.ts'

it.each([
  { before: 5, removed: 5, now: 0, held: true },
  { before: 1, removed: 1, now: 0, held: true },
  { before: 1, removed: 1, now: 1, held: false },
  { before: 12, removed: 10, now: 2, held: false },
  { before: 100, removed: 11, now: 89, held: false },
  { before: 100, removed: 26, now: 200, held: true },
  { before: 100, removed: 0, now: 100, held: false },
  { before: 0, removed: 0, now: 0, held: false },
])('F76 holds a source that takes away too much: %j', ({ held, ...counts }) => {
  expect(removesTooMuch(counts)).toBe(held)
})
