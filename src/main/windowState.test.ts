import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { defaultSize, placeWindow, readWindowState } from './windowState.ts'

const screen = { x: 0, y: 0, width: 1920, height: 1080 }
const state = { x: 100, y: 100, width: 1000, height: 700, maximized: false }

describe('placeWindow', () => {
  it('opens where the window was', () => {
    expect(placeWindow(state, [screen])).toEqual({ x: 100, y: 100, width: 1000, height: 700 })
  })

  it('keeps only the size when the screen is gone', () => {
    expect(placeWindow({ ...state, x: 5000 }, [screen])).toEqual({ width: 1000, height: 700 })
    expect(placeWindow({ ...state, y: -500 }, [screen])).toEqual({ width: 1000, height: 700 })
  })

  it('has a size for the first time', () => {
    expect(placeWindow(null, [screen])).toEqual(defaultSize)
  })
})

describe('readWindowState', () => {
  it('takes a damaged file for none', () => {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-window-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'window.json')
    expect(readWindowState(file)).toBeNull()
    writeFileSync(file, '{"x":')
    expect(readWindowState(file)).toBeNull()
    writeFileSync(file, JSON.stringify({ ...state, width: 1 }))
    expect(readWindowState(file)).toBeNull()
    writeFileSync(file, JSON.stringify(state))
    expect(readWindowState(file)).toEqual(state)
  })
})
