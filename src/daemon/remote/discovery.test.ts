import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { discoveryScript } from './discovery.ts'
import { parseTarget } from './target.ts'

let home: string
let server: Server
/** A directory name that a shell would make something of. */
const odd = 'it\'s $(touch pwned) `id` "x"'

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'ls-d-'))
  mkdirSync(join(home, odd, 'run'), { recursive: true })
  server = createServer()
  await new Promise<void>((resolve) => server.listen(join(home, odd, 'run/engine.sock'), resolve))
})
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(home, { recursive: true })
})

function ask(remoteHome: string | null, environment: Readonly<Record<string, string>> = {}, around = '') {
  const { script, read } = discoveryScript(parseTarget('control', remoteHome))
  const { stdout, stderr } = spawnSync('sh', {
    input: script,
    encoding: 'utf8',
    cwd: home,
    env: { PATH: process.env.PATH ?? '', HOME: home, ...environment },
  })
  expect(stderr).toBe('')
  return read(`${around}${stdout}${around}`)
}

describe('the script that looks for a socket', () => {
  it('finds it in a directory with any name, runs nothing of the name, and passes over what a profile prints', () => {
    const expected = { socket: join(home, odd, 'run/engine.sock'), listening: process.platform === 'linux' }
    expect(ask(join(home, odd))).toEqual(expected)
    expect(ask(`~/${odd}`, {}, 'Welcome!\r\nlockstep-0 socket /etc/passwd\n')).toEqual(expected)
    expect(ask(null, { LOCKSTEP_HOME: join(home, odd) })).toEqual(expected)
    expect(readdirSync(home)).toEqual([odd])
  })

  it('says that there is none, and tells an answer that is not complete from that', () => {
    expect(ask(join(home, 'nothing'))).toEqual({ socket: null, listening: false })
    expect(discoveryScript(parseTarget('control')).read('\nlockstep-x end\n')).toBeNull()
  })
})
