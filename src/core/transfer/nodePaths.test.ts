import { describe, expect, it } from 'vitest'
import { mayOverlap, overlapsFor } from './nodePaths.ts'

describe('places that are spelled in two ways', () => {
  it.each([
    ['sync', '~/www', '/home/sync/www', true],
    ['sync', '/home/sync/www/img', '~/www', true],
    ['sync', '~/www', '/home/sync', true],
    ['sync', '~/www', '/Users/sync/www', true],
    ['root', '~/www', '/root/www', true],
    ['sync', '~/www', '/home/other/www', false],
    ['sync', '~/www', '/home/sync/www2', false],
    ['sync', '~/www', '/srv/www', false],
    ['sync', '~/www', '~/www/img', true],
    ['sync', '/srv/www', '/srv/www2', false],
  ])('S0.46 for %s: %s and %s', (user, left, right, expected) => {
    expect(overlapsFor(user, left, right)).toBe(expected)
    expect(overlapsFor(user, right, left)).toBe(expected)
    if (expected) expect(mayOverlap(left, right)).toBe(true)
  })
})
