import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { SshPool } from '../../../src/engine/ports.ts'
import { createSshPool, type SshPoolSettings } from '../../../src/engine/ssh/pool.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { type AppError, toAppError } from '../../../src/shared/errors.ts'
import type { Diagnosis } from '../../../src/shared/model/diagnosis.ts'
import { eventually, sshdMissing, startSshd, type TestSshd, type TestSshdOptions } from '../../support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../../support/trust.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

const timeoutMs = 15_000
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

describe.skipIf(sshdMissing !== null)('ssh pool on a real sshd', () => {
  let trust: TestTrust
  const servers: TestSshd[] = []
  const pools: SshPool[] = []

  const server = async (options: TestSshdOptions = {}): Promise<TestSshd> => {
    const started = await startSshd({ trustedUserCa: trust.publicKey, principals: ['sync-agent'], ...options })
    servers.push(started)
    return started
  }
  const pool = (settings: SshPoolSettings = {}): SshPool => {
    const made = createSshPool({ identities: trust.identities, clock: systemClock, settings })
    pools.push(made)
    return made
  }
  const failureOf = async (promise: Promise<unknown>): Promise<AppError & { diagnosis: Diagnosis | undefined }> => {
    const thrown = await promise.then(
      () => {
        throw new Error('expected a failure')
      },
      (error: unknown) => toAppError(error),
    )
    return Object.assign(thrown, { diagnosis: thrown.data?.diagnosis as Diagnosis | undefined })
  }

  beforeAll(async () => {
    trust = await createTrust()
  })
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((made) => made.close()))
    await Promise.all(servers.splice(0).map((started) => started.stop()))
  })
  afterAll(() => trust.stop())

  it('U1 logs in with a certificate, runs a command with stdin, and keeps the connection', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    const first = await ssh.exec(node, 'cat; echo oops >&2; exit 7', { stdin: 'hello\n', timeoutMs })
    expect({ ...first, stdout: text(first.stdout), stderr: text(first.stderr) }).toEqual({
      exitCode: 7,
      signal: null,
      stdout: 'hello\n',
      stderr: 'oops\n',
    })
    await ssh.exec(node, 'true', { timeoutMs })
    expect(ssh.openConnections()).toBe(1)
    expect((await sshd.log()).match(/Accepted publickey/g)).toHaveLength(1)
    expect(await sshd.log()).toContain(`ID lockstep/automation/${node.id}`)
  })

  it('S1.82 opens one connection for many callers at once, and reports the signal that ended a command', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, index) => ssh.exec(node, `echo ${index}`, { timeoutMs })),
    )
    expect(results.map((result) => text(result.stdout).trim())).toEqual(results.map((_, index) => String(index)))
    expect((await sshd.log()).match(/Accepted publickey/g)).toHaveLength(1)
    const killed = await ssh.exec(node, 'kill -TERM $$', { timeoutMs })
    expect([killed.exitCode, killed.signal]).toEqual([null, 'SIGTERM'])
  })

  it('queues channels when the server allows fewer than we do (MaxSessions)', async () => {
    const sshd = await server({ extraConfig: ['MaxSessions 2'] })
    const node = nodeFor(sshd)
    const ssh = pool({ maxChannels: 8 })
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, index) => ssh.exec(node, `sleep 0.05; echo ${index}`, { timeoutMs })),
    )
    expect(results.map((result) => text(result.stdout).trim())).toEqual(results.map((_, index) => String(index)))
  })

  it('names the channel limit when the server allows no session at all', async () => {
    const node = nodeFor(await server({ extraConfig: ['MaxSessions 0'] }))
    const failure = await failureOf(pool().exec(node, 'true', { timeoutMs }))
    expect(failure.code).toBe('CHANNEL_LIMIT')
  })

  it('U32 gets through MaxStartups with many nodes behind one server', async () => {
    const sshd = await server({ extraConfig: ['MaxStartups 2:100:2'] })
    const ssh = pool({ maxConnectingPerTarget: 16, maxConnecting: 16 })
    const nodes = Array.from({ length: 24 }, () => nodeFor(sshd))
    const results = await Promise.all(nodes.map((node) => ssh.exec(node, 'true', { timeoutMs })))
    expect(results.every((result) => result.exitCode === 0)).toBe(true)
  })

  it('D4 explains a principal that is not listed', async () => {
    const node = nodeFor(await server({ principals: ['somebody-else'] }))
    const failure = await failureOf(pool().exec(node, 'true', { timeoutMs }))
    expect(failure.code).toBe('PRINCIPAL_NOT_LISTED')
    expect(failure.message).toContain(`principal sync-agent is not allowed to log in as ${node.user}`)
  })

  it('S0.22 names a refused key when the server trusts another authority', async () => {
    const other = await createTrust()
    const sshd = await server({ trustedUserCa: other.publicKey })
    const node = nodeFor(sshd)
    const failure = await failureOf(pool().exec({ ...node, principal: 'sync-agent' }, 'true', { timeoutMs }))
    expect(['KEY_REFUSED', 'PRINCIPAL_NOT_LISTED']).toContain(failure.code)
    expect(failure.diagnosis?.nextAction.kind).toBe('run-doctor')
    await other.stop()
  })

  it('U3 sends no login to a server whose host key is not the accepted one', async () => {
    const hostile = await server()
    const honest = await server()
    const node = nodeFor(hostile, { hostKeys: nodeFor(honest).hostKeys })
    const failure = await failureOf(pool().exec(node, 'true', { timeoutMs }))
    expect(failure.code).toBe('HOST_KEY_CHANGED')
    expect(failure.diagnosis?.evidence).toHaveLength(2)
    const log = await eventually(
      async () =>
        ((await hostile.log()).includes('Connection closed') || (await hostile.log()).includes('Disconnect')) &&
        hostile.log(),
      'the hostile server saw us leave',
    )
    expect(log).not.toMatch(/publickey|userauth|Accepted|Failed/i)
  })

  it('U2 fails closed without any accepted host key', async () => {
    const sshd = await server()
    const failure = await failureOf(pool().exec(nodeFor(sshd, { hostKeys: [] }), 'true', { timeoutMs }))
    expect(failure.code).toBe('HOST_KEY_UNKNOWN')
    expect(await sshd.log()).not.toMatch(/Accepted/)
  })

  it('U5 another key type is no change: uses the accepted one, and calls a lone other one unknown', async () => {
    const both = await server({ hostKeyTypes: ['ed25519', 'ecdsa'] })
    const ecdsaOnly = nodeFor(both, { hostKeys: [nodeFor(both).hostKeys[1]] })
    expect((await pool().exec(ecdsaOnly, 'true', { timeoutMs })).exitCode).toBe(0)
    const rsa = await server({ hostKeyTypes: ['rsa'] })
    const failure = await failureOf(
      pool().exec(nodeFor(rsa, { hostKeys: nodeFor(both).hostKeys }), 'true', { timeoutMs }),
    )
    expect(failure.code).toBe('HOST_KEY_UNKNOWN')
  })

  it('measures the clock and proves the login', async () => {
    const node = nodeFor(await server())
    const before = Date.now()
    const proof = await pool().login(node, { timeoutMs })
    expect(proof.clockSkewMs).toBe(0)
    expect(proof.at).toBeGreaterThanOrEqual(before)
    expect(proof.certificateSerial).toBe(trust.identities.current(node.id, 'automation')?.certificate.serial)
  })

  it('opens a new connection with the renewed certificate, and lets running commands end on the old one', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    let started = (): void => undefined
    const running = new Promise<void>((resolve) => {
      started = resolve
    })
    const long = ssh.exec(node, 'echo go; cat', { timeoutMs, stdin: 'x'.repeat(100_000), onStdout: () => started() })
    await running
    const old = trust.identities.current(node.id, 'automation')?.certificate.serial
    const [renewed] = await trust.identities.renew([node], { requestedBy: 'test', reason: 'renew' })
    const proof = await ssh.login(node, { timeoutMs })
    expect(proof.certificateSerial).toBe(renewed?.certificate.serial)
    expect(proof.certificateSerial).not.toBe(old)
    expect((await long).stdout.length).toBe(100_003)
    await eventually(() => ssh.openConnections() === 1, 'the old connection is gone')
  })

  it('a fresh login proves itself on a new connection and cuts nothing that runs', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    const release = new AbortController()
    const running = ssh.exec(node, 'echo go; sleep 30', {
      timeoutMs,
      signal: release.signal,
      onStdout: () => freshen(),
    })
    let fresh: Promise<unknown> | undefined
    const freshen = (): void => {
      fresh ??= ssh.login(node, { timeoutMs, fresh: true }).finally(() => release.abort())
    }
    expect((await failureOf(running)).code).toBe('CANCELED')
    await fresh
    expect((await sshd.log()).match(/Accepted publickey/g)).toHaveLength(2)
  })

  it('reconnects after the server went away, and says so while it is away', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    await ssh.exec(node, 'true', { timeoutMs })
    const cut = await failureOf(ssh.exec(node, 'kill -9 $PPID; sleep 5', { timeoutMs }))
    expect(cut.code).toBe('CONNECTION_LOST')
    expect((await ssh.exec(node, 'echo back', { timeoutMs })).exitCode).toBe(0)
    await sshd.stop()
    ssh.drop(node.id)
    const refused = await failureOf(ssh.exec(node, 'true', { timeoutMs }))
    expect(refused.code).toBe('CONNECTION_REFUSED')
    expect(refused.diagnosis?.transient).toBe(true)
  })

  it('S1.6 sends a command again when an idle connection turns out to be dead and cannot have delivered it', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    const serverProcess = Number(text((await ssh.exec(node, 'echo $PPID', { timeoutMs })).stdout))
    process.kill(serverProcess, 'SIGSTOP')
    const again = ssh.exec(node, 'echo again', { timeoutMs })
    process.kill(serverProcess, 'SIGKILL')
    expect(text((await again).stdout)).toBe('again\n')
    const next = Number(text((await ssh.exec(node, 'echo $PPID', { timeoutMs })).stdout))
    const started = failureOf(
      ssh.exec(node, 'echo once; sleep 30', { timeoutMs, onStdout: () => process.kill(next, 'SIGKILL') }),
    )
    expect((await started).code).toBe('CONNECTION_LOST')
  })

  it('stops a command at its deadline and when it is canceled', async () => {
    const node = nodeFor(await server())
    const ssh = pool()
    await ssh.exec(node, 'true', { timeoutMs })
    expect((await failureOf(ssh.exec(node, 'sleep 60', { timeoutMs: 200 }))).code).toBe('TIMED_OUT')
    const controller = new AbortController()
    const canceled = failureOf(
      ssh.exec(node, 'echo on; sleep 60', { timeoutMs, signal: controller.signal, onStdout: () => controller.abort() }),
    )
    expect((await canceled).code).toBe('CANCELED')
    expect((await failureOf(ssh.exec(node, 'true', { timeoutMs, signal: AbortSignal.abort() }))).code).toBe('CANCELED')
    expect((await ssh.exec(node, 'true', { timeoutMs })).exitCode).toBe(0)
  })

  it('S1.71 calls a node that has gone silent unreachable, and reaches it again on a new connection', async () => {
    const sshd = await server()
    const node = nodeFor(sshd)
    const ssh = pool()
    await ssh.exec(node, 'true', { timeoutMs })
    // Stops the server process of this connection; the sub-shell wakes it again so that nothing stays behind.
    const stopped = failureOf(
      ssh.exec(node, '(sleep 1.5; kill -CONT $PPID) >/dev/null 2>&1 </dev/null & echo on; kill -STOP $PPID', {
        timeoutMs: 900,
      }),
    )
    const codeOfLogin = (): Promise<string> =>
      ssh.login(node, { timeoutMs: 100 }).then(
        () => 'in',
        (error: unknown) => toAppError(error).code,
      )
    await eventually(async () => (await codeOfLogin()) === 'CONNECTION_TIMED_OUT', 'silence is noticed')
    expect((await stopped).code).toBe('TIMED_OUT')
    expect((await ssh.login(node, { timeoutMs })).clockSkewMs).toBe(0)
    expect((await sshd.log()).match(/Accepted publickey/g)?.length).toBeGreaterThan(1)
  })

  it('a login takes part in the queue when the server allows one channel', async () => {
    const node = nodeFor(await server({ extraConfig: ['MaxSessions 1'] }))
    const ssh = pool()
    const all = [
      ...Array.from({ length: 4 }, () => ssh.exec(node, 'sleep 0.05', { timeoutMs })),
      ssh.login(node, { timeoutMs }),
    ]
    expect(await Promise.all(all)).toHaveLength(5)
  })

  it('refuses more output than allowed instead of filling memory', async () => {
    const node = nodeFor(await server())
    const failure = await failureOf(pool().exec(node, 'yes', { timeoutMs, maxOutputBytes: 100_000 }))
    expect(failure.code).toBe('REMOTE_COMMAND_FAILED')
  })

  it('closes the least recently used idle connection beyond the cap, and idle ones after a while', async () => {
    const sshd = await server()
    const capped = pool({ maxConnections: 2 })
    for (const node of [nodeFor(sshd), nodeFor(sshd), nodeFor(sshd)]) await capped.exec(node, 'true', { timeoutMs })
    expect(capped.openConnections()).toBe(2)
    const impatient = pool({ idleCloseMs: 50 })
    await impatient.exec(nodeFor(sshd), 'true', { timeoutMs })
    await eventually(() => impatient.openConnections() === 0, 'the idle connection was closed')
  })

  it('names a silent port, a closed port and something that is no SSH server', async () => {
    const { createServer } = await import('node:net')
    const listen = (greet: string): Promise<{ port: number; stop: () => Promise<void> }> =>
      new Promise((resolve) => {
        const sockets = new Set<import('node:net').Socket>()
        const plain = createServer((socket) => {
          sockets.add(socket)
          socket.on('error', () => undefined)
          if (greet !== '') socket.end(greet)
        })
        plain.listen(0, '127.0.0.1', () =>
          resolve({
            port: (plain.address() as import('node:net').AddressInfo).port,
            stop: () =>
              new Promise((done) => {
                for (const socket of sockets) socket.destroy()
                plain.close(() => done())
              }),
          }),
        )
      })
    const sshd = await server()
    const ssh = pool({ connectTimeoutMs: 300 })
    const silent = await listen('')
    const web = await listen('HTTP/1.1 400 Bad Request\r\n\r\n')
    expect((await failureOf(ssh.exec(nodeFor(sshd, { port: silent.port }), 'true', { timeoutMs }))).code).toBe(
      'CONNECTION_TIMED_OUT',
    )
    expect((await failureOf(ssh.exec(nodeFor(sshd, { port: silent.port }), 'true', { timeoutMs: 100 }))).code).toBe(
      'CONNECTION_TIMED_OUT',
    )
    expect((await failureOf(ssh.exec(nodeFor(sshd, { port: web.port }), 'true', { timeoutMs }))).code).toBe(
      'NOT_AN_SSH_SERVER',
    )
    expect(
      (await failureOf(ssh.exec(nodeFor(sshd, { address: 'no-such-host.invalid' }), 'true', { timeoutMs }))).code,
    ).toBe('NAME_NOT_RESOLVED')
    await Promise.all([silent.stop(), web.stop()])
  })

  it('names a login whose forced command or shell runs nothing', async () => {
    const sshd = await server({ extraConfig: ['ForceCommand echo This account is currently not available.; exit 1'] })
    const failure = await failureOf(pool().login(nodeFor(sshd), { timeoutMs }))
    expect(failure.code).toBe('SHELL_REFUSED')
  })
})
