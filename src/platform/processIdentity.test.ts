import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { currentProcessIdentity, isSameProcessAlive, parseProcStat, readProcessIdentity } from './processIdentity.ts'

it('reads fields after a program name with spaces and brackets', () => {
  const numbers = Array.from({ length: 48 }, (_, index) => String(index + 100))
  const stat = `77 (a) b (c) S 1 4242 ${numbers.join(' ')}`
  // Field 22 of the manual page: 18 after the process group, which is field 5.
  expect(parseProcStat(stat)).toEqual({ state: 'S', processGroupId: 4242, startTicks: numbers[16] })
  expect(parseProcStat('')).toBeUndefined()
})

it('S0.49 knows itself, and not another start under the same pid', () => {
  const self = currentProcessIdentity()
  expect(self.pid).toBe(process.pid)
  expect(isSameProcessAlive(self)).toBe(true)
  expect(isSameProcessAlive({ pid: self.pid, startTime: 'another boot:1' })).toBe(false)
})

it('S0.51 a process that ended is not alive', async () => {
  const child = spawn('sleep', ['300'])
  const identity = readProcessIdentity(child.pid ?? -1)
  expect(identity && isSameProcessAlive(identity)).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(identity && isSameProcessAlive(identity)).toBe(false)
})

it('refuses pids that mean something else to the system', () => {
  for (const pid of [0, -1, 1.5, Number.NaN]) expect(isSameProcessAlive({ pid, startTime: 'unknown' })).toBe(false)
})
