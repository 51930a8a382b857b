import { describe, expect, it } from 'vitest'
import { parseArguments } from './arguments.ts'

describe('parseArguments', () => {
  it('takes a home and a demo fleet', () => {
    expect(parseArguments(['.', '--home', '/x', '--demo', '--nodes=30'])).toEqual({
      home: '/x',
      demoNodes: 30,
      remote: null,
    })
    expect(parseArguments(['--demo'])).toMatchObject({ home: undefined, demoNodes: 12 })
    expect(parseArguments(['--nodes', '30'])).toMatchObject({ home: undefined, demoNodes: null })
  })

  it('S1.92 takes the control plane of another machine', () => {
    expect(parseArguments(['.', '--host', 'ops@control:2222']).remote).toEqual({ name: 'ops@control:2222', home: null })
    expect(parseArguments(['--host=control', '--remote-home=/srv/x']).remote).toEqual({
      name: 'control',
      home: '/srv/x',
    })
  })

  it('passes over switches of the browser, links and nonsense', () => {
    expect(parseArguments(['--no-sandbox', '--password-store=basic', 'lockstep://runs', '--home'])).toEqual({
      home: undefined,
      demoNodes: null,
      remote: null,
    })
    expect(parseArguments(['--host', '--no-sandbox']).remote).toBeNull()
    expect(parseArguments(['--demo', '--nodes', '-4']).demoNodes).toBe(12)
  })
})
