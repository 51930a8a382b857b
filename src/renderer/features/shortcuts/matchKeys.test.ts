import { describe, expect, it } from 'vitest'
import { candidates, isSingleLetter, type KeyPress, nameOf, sequenceMs } from './matchKeys.ts'

const press = (key: string, modifiers: Partial<KeyPress> = {}): KeyPress => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...modifiers,
})

describe('keys', () => {
  it('have the names that shortcuts are written with', () => {
    expect(nameOf(press('r'), false)).toBe('r')
    expect(nameOf(press('?'), false)).toBe('?')
    expect(nameOf(press('k', { ctrlKey: true }), false)).toBe('Mod+k')
    expect(nameOf(press('K', { metaKey: true }), true)).toBe('Mod+k')
    expect(nameOf(press('`', { ctrlKey: true }), false)).toBe('Ctrl+backtick')
    expect(nameOf(press('`', { ctrlKey: true }), true)).toBe('Ctrl+backtick')
  })

  it('mean nothing as a bare modifier, with Alt, or with the other platform’s key', () => {
    expect(nameOf(press('Control', { ctrlKey: true }), false)).toBeNull()
    expect(nameOf(press('r', { altKey: true }), false)).toBeNull()
    expect(nameOf(press('r', { metaKey: true }), false)).toBeNull()
    expect(nameOf(press('k', { ctrlKey: true }), true)).toBe('Ctrl+k')
  })

  it('form a sequence for a moment only', () => {
    const state = { prefix: 'g', atMs: 1000 }
    expect(candidates(state, 'f', 1000 + sequenceMs)).toEqual(['g f', 'f'])
    expect(candidates(state, 'f', 1001 + sequenceMs)).toEqual(['f'])
  })

  it('can be told from single letters', () => {
    expect(isSingleLetter('g f')).toBe(true)
    expect(isSingleLetter('Mod+k')).toBe(false)
  })
})
