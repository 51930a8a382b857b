import { hostname, userInfo } from 'node:os'
import { expect, it } from 'vitest'
import { socketCaller } from './caller.ts'
import { speakTheSame } from './hello.ts'

const login = `${userInfo().username}@${hostname()}`
const callerOf = (name: string) => socketCaller({ headers: { 'x-lockstep-operator': name } })

it('S1.92 an operator from elsewhere stands beside the login that was proven, never in its place', () => {
  expect(socketCaller({ headers: {} })).toEqual({ operator: login, via: 'socket' })
  expect(callerOf('ada@laptop')).toEqual({ operator: `ada@laptop as ${login}`, via: 'remote' })
  for (const forged of [
    'root@control as root@control',
    'ada',
    '',
    'a@b, c@d',
    'ada@laptop\u202e',
    `${'x'.repeat(400)}@y`,
  ])
    expect(callerOf(forged)).toEqual({ operator: `unnamed as ${login}`, via: 'remote' })
})

it('releases that differ in the last number only speak the same contract', () => {
  expect(speakTheSame('0.1.0', '0.1.7')).toBe(true)
  expect(speakTheSame('0.1.0', '0.2.0')).toBe(false)
  expect(speakTheSame('1.1.0', '0.1.0')).toBe(false)
})
