import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasErrorCode } from '../../platform/fileErrors.ts'
import { type Discovery, discoveryScript } from './discovery.ts'
import { type RemoteFailureReason, reasonOfStderr, remoteFailure } from './failure.ts'
import type { RemoteTarget } from './target.ts'

const connectTimeoutSeconds = 10
const discoveryTimeoutMs = 30_000
const keptStderrBytes = 8_192
/** A silent ssh has nothing to say. */
const explanationMs = 2_000
const killGraceMs = 2_000

/** One ssh of the user's, logged in at the other end for as long as this process lives. */
export interface SshSession {
  readonly discovery: Discovery
  /** Forwards a socket of this machine to one there. @throws AppError CONTROL_PLANE_UNREACHABLE */
  forward(localSocket: string, remoteSocket: string): Promise<void>
  /** The login has ended that nobody here ended. */
  onEnded(listener: () => void): void
  /** What ssh says at its end about a connection that did not get through; it comes a moment later than the end itself. */
  whyNotThrough(): Promise<string>
  close(): Promise<void>
}

/** Of the operator: their agent, their configuration, their known hosts; messages in the language we know. */
function environment(): NodeJS.ProcessEnv {
  const { LOCKSTEP_HOME: _home, LOCKSTEP_PASSPHRASE_FILE: _file, NODE_OPTIONS: _options, ...own } = process.env
  return { ...own, LC_ALL: 'C' }
}

/** @param controlSocket of this session alone: the operator's own shared connections are neither used nor kept open */
function argumentsFor({ host, user, port }: RemoteTarget, controlSocket: string): string[] {
  const options = {
    BatchMode: 'yes',
    LogLevel: 'INFO',
    // Stricter than any configuration: a key nobody has compared is not taken over, however it is configured.
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    ControlMaster: 'yes',
    ControlPersist: 'no',
    ConnectTimeout: connectTimeoutSeconds,
    ServerAliveInterval: 5,
    ServerAliveCountMax: 3,
    // Those of the operator's configuration are for other programs, and their ports may be taken.
    ClearAllForwardings: 'yes',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    PermitLocalCommand: 'no',
    RemoteCommand: 'none',
    RequestTTY: 'no',
  }
  return [
    '-T',
    '-x',
    '-a',
    ...['-S', controlSocket],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...(user === null ? [] : ['-l', user]),
    ...(port === null ? [] : ['-p', String(port)]),
    '--',
    host,
  ]
}

/**
 * Logs in and looks for the socket there, in one login.
 *
 * The shell at the other end waits for the end of its input, which is a pipe of ours: however this process ends, the pipe
 * closes, the shell ends, and with it ssh.
 *
 * @throws AppError CONTROL_PLANE_UNREACHABLE with the reason
 */
export async function openSshSession(target: RemoteTarget, controlSocket: string): Promise<SshSession> {
  const child = spawn('ssh', [...argumentsFor(target, controlSocket), 'sh'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment(),
    // Ctrl-C at our terminal is ours to answer: the session ends after what needs it.
    detached: true,
  })
  const session = new Session(target, child, controlSocket)
  try {
    await session.discover()
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

class Session implements SshSession {
  readonly #target: RemoteTarget
  readonly #child: ChildProcess
  readonly #controlSocket: string
  readonly #ended: Promise<Error | null>
  #stdout = ''
  #stderr = ''
  #found: Discovery | null = null
  #closing = false

  constructor(target: RemoteTarget, child: ChildProcess, controlSocket: string) {
    this.#target = target
    this.#child = child
    this.#controlSocket = controlSocket
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error))
      child.once('close', () => resolve(null))
    })
    child.stdin?.on('error', () => undefined)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptStderrBytes)
    })
  }

  get discovery(): Discovery {
    return this.#found ?? { socket: null, listening: false }
  }

  async discover(): Promise<void> {
    const { script, read } = discoveryScript(this.#target)
    const answered = new Promise<Discovery>((resolve) => {
      this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        // What comes after the answer is of no interest, however much it is.
        if (this.#found !== null) return
        this.#stdout = (this.#stdout + text).slice(-65_536)
        this.#found = read(this.#stdout)
        if (this.#found !== null) resolve(this.#found)
      })
    })
    this.#child.stdin?.write(script)
    const late = sleep(discoveryTimeoutMs, 'late' as const, { ref: false })
    const first = await Promise.race([answered, this.#ended, late])
    if (first === 'late') throw this.#failure('unreachable')
    if (first === null || first instanceof Error) throw this.#failureOfEnd(first)
  }

  async forward(localSocket: string, remoteSocket: string): Promise<void> {
    const args = [
      '-O',
      'forward',
      '-L',
      `${localSocket}:${remoteSocket}`,
      '-S',
      this.#controlSocket,
      '--',
      this.#target.host,
    ]
    // Reads no configuration: it only talks to our own session.
    const asked = spawn('ssh', ['-F', 'none', ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: environment() })
    let said = ''
    asked.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-keptStderrBytes)
    })
    const code = await new Promise<number | null>((resolve) => {
      asked.once('error', () => resolve(null))
      asked.once('close', resolve)
    })
    if (code !== 0) throw remoteFailure(this.#target, 'forwarding-refused', { evidence: said || this.#stderr })
  }

  onEnded(listener: () => void): void {
    void this.#ended.then(() => {
      if (!this.#closing) listener()
    })
  }

  async whyNotThrough(): Promise<string> {
    const told = new Promise<void>((resolve) => {
      const look = (): void => {
        if (/open failed/.test(this.#stderr)) resolve()
      }
      look()
      this.#child.stderr?.on('data', look)
    })
    await Promise.race([told, this.#ended, sleep(explanationMs, undefined, { ref: false })])
    return this.#stderr
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#child.stdin?.end()
    this.#child.kill('SIGTERM')
    const late = await Promise.race([this.#ended, sleep(killGraceMs, 'late' as const, { ref: false })])
    if (late === 'late') this.#child.kill('SIGKILL')
    await this.#ended
  }

  #failureOfEnd(error: Error | null): Error {
    if (hasErrorCode(error, 'ENOENT')) return this.#failure('ssh-missing')
    return this.#failure(reasonOfStderr(this.#stderr), error)
  }

  #failure(reason: RemoteFailureReason, cause?: unknown): Error {
    return remoteFailure(this.#target, reason, { evidence: this.#stderr, cause })
  }
}
