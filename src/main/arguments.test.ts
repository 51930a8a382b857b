import { describe, expect, it } from 'vitest'
import { parseArguments } from './arguments.ts'

describe('parseArguments', () => {
  it('takes a home and a demo fleet', () => {
    expect(parseArguments(['.', '--home', '/x', '--demo', '--nodes=30'])).toEqual({ home: '/x', demoNodes: 30 })
    expect(parseArguments(['--demo'])).toEqual({ home: undefined, demoNodes: 12 })
    expect(parseArguments(['--nodes', '30'])).toEqual({ home: undefined, demoNodes: null })
  })

  it('passes over switches of the browser, links and nonsense', () => {
    expect(parseArguments(['--no-sandbox', '--password-store=basic', 'lockstep://runs', '--home'])).toEqual({
      home: undefined,
      demoNodes: null,
    })
    expect(parseArguments(['--demo', '--nodes', '-4']).demoNodes).toBe(12)
  })
})
