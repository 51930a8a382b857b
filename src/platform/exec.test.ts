import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../shared/errors.ts'
import { type ExecRequest, exec } from './exec.ts'
import { isSameProcessAlive, readProcessIdentity } from './processIdentity.ts'
import { spawnDetached, stopDetached } from './spawnDetached.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-exec-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function errorOf(request: ExecRequest): Promise<AppError> {
  const outcome = await exec(request).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(AppError)
  return outcome as AppError
}

async function until<T>(read: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const value = read()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error('the state was not reached in time')
    await delay(10)
  }
}

function pidIn(file: string): number | undefined {
  try {
    const text = readFileSync(file, 'utf8')
    return text.endsWith('\n') ? Number(text) : undefined
  } catch {
    return undefined
  }
}

/** A shell that starts a grandchild which ignores TERM, notes its pid, and waits. */
function familyScript(pidFile: string): string {
  return `sh -c 'trap "" TERM; echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; while :; do sleep 1; done' & wait`
}

describe('exec', () => {
  it('returns output and passes stdin and arguments without a shell', async () => {
    const result = await exec({ command: 'sh', args: ['-c', 'cat; echo "$1" >&2', 'sh', '$(id) `id`'], stdin: 'héllo' })
    expect(result).toEqual({ exitCode: 0, signal: null, stdout: 'héllo', stderr: '$(id) `id`\n', truncated: false })
  })

  it('gives a minimal environment, extended by env, and none of the operator`s', async () => {
    process.env.LOCKSTEP_CANARY = 'canary'
    try {
      const { stdout } = await exec({ command: 'env', args: [], env: { EXTRA: 'yes' } })
      expect(stdout).toContain('EXTRA=yes')
      expect(stdout).toContain('LANG=C.UTF-8')
      expect(stdout).not.toContain('LOCKSTEP_CANARY')
    } finally {
      delete process.env.LOCKSTEP_CANARY
    }
  })

  it('reports another exit code with the end of stderr, and neither stdin, environment nor arguments', async () => {
    const error = await errorOf({
      command: 'sh',
      args: ['-c', 'echo first >&2; echo "no such thing" >&2; exit 7', 'argument-canary'],
      stdin: 'stdin-canary',
      env: { TOKEN: 'environment-canary' },
    })
    expect(error.code).toBe('PROGRAM_FAILED')
    expect(error.message).toBe('sh ended with exit code 7: no such thing')
    expect(error.data).toEqual({ command: 'sh', exitCode: 7, signal: null, stderr: 'first\nno such thing\n' })
    expect(JSON.stringify(error.toBody())).not.toContain('canary')
  })

  it('accepts declared exit codes, and any of them when asked', async () => {
    const request = { command: 'sh', args: ['-c', 'exit 24'] }
    expect((await exec({ ...request, okExitCodes: [0, 24] })).exitCode).toBe(24)
    expect((await exec({ ...request, okExitCodes: 'any' })).exitCode).toBe(24)
    expect((await errorOf({ ...request, okExitCodes: [0, 23] })).code).toBe('PROGRAM_FAILED')
  })

  it('counts a signal as a shell does', async () => {
    const request = { command: 'sh', args: ['-c', 'kill -KILL $$'] }
    expect(await exec({ ...request, okExitCodes: 'any' })).toMatchObject({ exitCode: 137, signal: 'SIGKILL' })
    expect((await errorOf({ ...request, okExitCodes: [137] })).data).toMatchObject({ signal: 'SIGKILL' })
  })

  it('tells a missing program from a missing directory and a file that may not be run', async () => {
    expect((await errorOf({ command: 'no-such-program-here', args: [] })).code).toBe('PROGRAM_MISSING')
    writeFileSync(join(directory, 'plain'), '', { mode: 0o644 })
    expect((await errorOf({ command: join(directory, 'plain'), args: [] })).code).toBe('PROGRAM_MISSING')
    expect((await errorOf({ command: 'true', args: [], cwd: join(directory, 'absent') })).code).toBe(
      'PRECONDITION_FAILED',
    )
    const nul = await errorOf({ command: 'true', args: ['se\0cret'] })
    expect(nul.code).toBe('INVALID_INPUT')
    expect(nul.message).not.toContain('cret')
  })

  it('survives a program that ends without reading a large stdin', async () => {
    expect((await exec({ command: 'true', args: [], stdin: Buffer.alloc(4 * 1024 * 1024) })).exitCode).toBe(0)
  })

  it('keeps the last bytes within the limit while callbacks see all', async () => {
    let seenBytes = 0
    const result = await exec({
      command: 'sh',
      args: ['-c', 'head -c 3000000 /dev/zero | tr "\\0" x; printf END'],
      maxOutputBytes: 1000,
      onStdout: (chunk) => {
        seenBytes += chunk.length
      },
    })
    expect(seenBytes).toBe(3_000_003)
    expect(result.stdout).toHaveLength(1000)
    expect(result.stdout.endsWith('xxEND')).toBe(true)
    expect(result.truncated).toBe(true)
  })

  it('kills the whole group on timeout, a TERM-proof grandchild too', async () => {
    const pidFile = join(directory, 'pid')
    const running = errorOf({ command: 'sh', args: ['-c', familyScript(pidFile)], timeoutMs: 1_000, killGraceMs: 50 })
    const pid = await until(() => pidIn(pidFile))
    const grandchild = readProcessIdentity(pid)
    expect(grandchild).toBeDefined()
    const error = await running
    expect(error.code).toBe('TIMED_OUT')
    expect(error.data).toMatchObject({ stopConfirmed: true })
    expect(grandchild && isSameProcessAlive(grandchild)).toBe(false)
  })

  it('kills the whole group on abort and says who canceled as cause only', async () => {
    const pidFile = join(directory, 'pid')
    const controller = new AbortController()
    const running = errorOf({
      command: 'sh',
      args: ['-c', familyScript(pidFile)],
      signal: controller.signal,
      killGraceMs: 50,
    })
    const pid = await until(() => pidIn(pidFile))
    const grandchild = readProcessIdentity(pid)
    controller.abort(new Error('operator'))
    const error = await running
    expect(error.code).toBe('CANCELED')
    expect(error.cause).toMatchObject({ message: 'operator' })
    expect(grandchild && isSameProcessAlive(grandchild)).toBe(false)
  })

  it('does not start anything when already aborted', async () => {
    const file = join(directory, 'started')
    const error = await errorOf({ command: 'touch', args: [file], signal: AbortSignal.abort() })
    expect(error.code).toBe('CANCELED')
    expect(() => readFileSync(file)).toThrow()
  })

  it('does not wait for a daemon that keeps the pipes open', async () => {
    const pidFile = join(directory, 'pid')
    const script = `setsid sh -c 'echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 300' & while ! [ -e ${pidFile} ]; do :; done; echo done`
    const result = await exec({ command: 'sh', args: ['-c', script] })
    expect(result.stdout).toBe('done\n')
    const daemon = readProcessIdentity(pidIn(pidFile) ?? -1)
    expect(daemon && isSameProcessAlive(daemon)).toBe(true)
    if (daemon !== undefined) process.kill(daemon.pid, 'SIGKILL')
  })

  it('takes its programs along when this process exits', async () => {
    const moduleUrl = new URL('./exec.ts', import.meta.url).href
    const script = `
      const { exec } = await import(${JSON.stringify(moduleUrl)})
      exec({ command: 'sh', args: ['-c', 'echo $$; exec sleep 300'], onStdout: (chunk) => {
        process.stdout.write(chunk, () => process.exit(0))
      } })`
    const { stdout } = await exec({
      command: process.execPath,
      args: ['--input-type=module', '--no-warnings', '-e', script],
    })
    const pid = Number(stdout)
    expect(pid).toBeGreaterThan(1)
    await until(() => readProcessIdentity(pid) === undefined || !isSameProcessAlive({ pid, startTime: 'unknown' }))
  })

  it('stops the program when a callback throws, and passes that error on', async () => {
    const onStdout = (): void => {
      throw new RangeError('from the callback')
    }
    const running = exec({ command: 'sh', args: ['-c', 'echo x; sleep 300'], onStdout, killGraceMs: 50 })
    await expect(running).rejects.toThrow('from the callback')
  })
})

describe('spawnDetached', () => {
  it('returns an identity that proves life, appends to the log, and can be stopped', async () => {
    const logFile = join(directory, 'log')
    const identity = await spawnDetached({ command: 'sh', args: ['-c', 'echo up; exec sleep 300'], logFile })
    expect(isSameProcessAlive(identity)).toBe(true)
    await until(() => readFileSync(logFile, 'utf8') === 'up\n')
    expect(isSameProcessAlive({ ...identity, startTime: `${identity.startTime}0` })).toBe(false)
    expect(await stopDetached(identity)).toBe(true)
    expect(isSameProcessAlive(identity)).toBe(false)
    expect(await stopDetached(identity)).toBe(true)
  })

  it('says when the program is missing', async () => {
    await expect(spawnDetached({ command: 'no-such-program-here', args: [] })).rejects.toMatchObject({
      code: 'PROGRAM_MISSING',
    })
  })
})
