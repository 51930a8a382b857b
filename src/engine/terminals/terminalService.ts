import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Caller } from '../../shared/contract/base.ts'
import { AppError } from '../../shared/errors.ts'
import type { TerminalId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Terminal, TerminalSize } from '../../shared/model/terminal.ts'
import type { Identities, OpenSshAccess, Store } from '../ports.ts'
import type { TerminalDuplex } from './duplex.ts'
import type { TerminalCommand } from './ptyProcess.ts'
import { type SessionIdentity, TerminalSession } from './terminalSession.ts'

/** A session costs a process, a file descriptor and its replay buffer. */
const maxOpenTerminals = 64
/** Sessions that have ended stay listed, so that a reload still shows their last lines; the oldest make room. */
const maxExitedTerminals = 16

export interface TerminalServiceDependencies {
  readonly openSsh: OpenSshAccess
  readonly identities: Pick<Identities, 'ensure'>
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: Pick<Logger, 'warn'>
  /** Opening and closing are written to the audit log when given. */
  readonly store?: Pick<Store, 'transact'>
  /** What to run instead of `ssh`; for tests and measurements. */
  readonly command?: (node: FleetNode) => Promise<TerminalCommand>
}

export interface TerminalService {
  /**
   * Starts an interactive login. Resolves when the client program runs, not when the login has succeeded: what it
   * says, also why it could not log in, is the terminal's output.
   */
  open(request: { readonly node: FleetNode; readonly size: TerminalSize; readonly caller: Caller }): Promise<Terminal>
  /** Open ones and the newest that have ended, oldest first. */
  list(): readonly Terminal[]
  /** Ends the program with all its children. Rejects with `NOT_FOUND`, or `STOP_NOT_CONFIRMED` when one survives. */
  close(terminalId: TerminalId, caller?: Caller): Promise<Terminal>
  /** Lets a window watch and type; first comes the replay of what it missed. Closes the channel of an unknown terminal. */
  attach(terminalId: TerminalId, duplex: TerminalDuplex): void
  /** Ends all terminals. Rejects when a child cannot be proven gone. */
  stop(): Promise<void>
}

/** Nothing of our environment reaches the node or the client program but what they cannot do without. */
function minimalEnvironment(): Record<string, string> {
  const { PATH = '/usr/local/bin:/usr/bin:/bin', HOME = '/', LANG = 'C.UTF-8' } = process.env
  return { PATH, HOME, LANG, TERM: 'xterm-256color' }
}

async function sshCommand(dependencies: TerminalServiceDependencies, node: FleetNode): Promise<TerminalCommand> {
  await dependencies.identities.ensure(node, 'terminal', { reason: `terminal on ${node.name}` })
  const access = await dependencies.openSsh.prepare(node, 'terminal')
  const [file = 'ssh', ...args] = access.sshArguments
  return { file, args: ['-tt', ...args], environment: minimalEnvironment() }
}

class Terminals implements TerminalService {
  readonly #dependencies: TerminalServiceDependencies
  readonly #sessions = new Map<TerminalId, TerminalSession>()
  #opening = 0
  #stopped = false

  constructor(dependencies: TerminalServiceDependencies) {
    this.#dependencies = dependencies
  }

  async open({ node, size, caller }: Parameters<TerminalService['open']>[0]): Promise<Terminal> {
    this.#refuseWhenFull()
    this.#opening += 1
    try {
      const id = this.#dependencies.ids() as TerminalId
      const command = await (this.#dependencies.command?.(node) ?? sshCommand(this.#dependencies, node))
      await this.#audit('terminal.open', { id, nodeName: node.name, caller })
      this.#refuseWhenStopped()
      const identity = { id, nodeId: node.id, nodeName: node.name, openedAt: this.#dependencies.clock.nowMs() }
      return this.#start(identity, command, size)
    } finally {
      this.#opening -= 1
    }
  }

  list(): readonly Terminal[] {
    return [...this.#sessions.values()].map((session) => session.describe())
  }

  async close(terminalId: TerminalId, caller?: Caller): Promise<Terminal> {
    const session = this.#sessions.get(terminalId)
    if (session === undefined) throw new AppError('NOT_FOUND', 'This terminal does not exist any more.')
    const gone = await session.end()
    if (!gone)
      throw new AppError(
        'STOP_NOT_CONFIRMED',
        `A process of the terminal on ${session.describe().nodeName} could not be ended.`,
      )
    if (this.#sessions.delete(terminalId) && caller !== undefined) {
      await this.#audit('terminal.close', { id: terminalId, nodeName: session.describe().nodeName, caller })
    }
    return session.describe()
  }

  attach(terminalId: TerminalId, duplex: TerminalDuplex): void {
    const session = this.#sessions.get(terminalId)
    if (session === undefined) duplex.close()
    else session.attach(duplex)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const results = await Promise.all(
      [...this.#sessions.values()].map(async (session) => ({ session, gone: await session.end() })),
    )
    this.#sessions.clear()
    const left = results.filter(({ gone }) => !gone).map(({ session }) => session.pid)
    if (left.length > 0)
      throw new AppError('STOP_NOT_CONFIRMED', `Terminal processes could not be ended: ${left.join(', ')}.`)
  }

  #start(identity: SessionIdentity, command: TerminalCommand, size: TerminalSize): Terminal {
    try {
      const session = new TerminalSession(identity, {
        command,
        size,
        clock: this.#dependencies.clock,
        onExit: () => this.#forgetOldest(),
      })
      this.#sessions.set(identity.id, session)
      return session.describe()
    } catch (error) {
      this.#dependencies.logger.warn({ node: identity.nodeName, err: error }, 'a terminal could not be started')
      throw new AppError(
        'PROGRAM_FAILED',
        `A terminal on ${identity.nodeName} could not be started: ${command.file} does not run.`,
        { cause: error },
      )
    }
  }

  #refuseWhenStopped(): void {
    if (this.#stopped) throw new AppError('ENGINE_UNAVAILABLE', 'The engine is stopping; no terminal was opened.')
  }

  #refuseWhenFull(): void {
    this.#refuseWhenStopped()
    const open = this.list().filter((terminal) => terminal.status === 'open').length + this.#opening
    if (open < maxOpenTerminals) return
    throw new AppError(
      'PRECONDITION_FAILED',
      `${maxOpenTerminals} terminals are open. Close one before opening another.`,
    )
  }

  #forgetOldest(): void {
    const exited = [...this.#sessions].filter(([, session]) => session.describe().status === 'exited')
    for (const [id, session] of exited.slice(0, Math.max(0, exited.length - maxExitedTerminals))) {
      this.#sessions.delete(id)
      void session.end()
    }
  }

  async #audit(
    action: string,
    event: { readonly id: TerminalId; readonly nodeName: string; readonly caller: Caller },
  ): Promise<void> {
    const entry = {
      at: this.#dependencies.clock.nowMs(),
      actor: event.caller.operator,
      action,
      subject: event.nodeName,
      detail: { terminalId: event.id, via: event.caller.via },
    }
    await this.#dependencies.store?.transact((transaction) => transaction.appendAudit([entry]))
  }
}

/** Interactive logins over system `ssh`, one pseudo-terminal each. */
export function createTerminalService(dependencies: TerminalServiceDependencies): TerminalService {
  return new Terminals(dependencies)
}
