import type { ClientChannel } from 'ssh2'
import { AppError } from '../../shared/errors.ts'
import type { RemoteCommandOptions, RemoteCommandResult } from '../ports.ts'
import { type SshConnection, timeoutReason } from './connection.ts'

/** The server would not open one more channel, or would not run the command. Nothing was run. */
export class ChannelRefused extends Error {
  readonly kind: 'channel' | 'command'

  constructor(kind: 'channel' | 'command', message: string) {
    super(message)
    this.name = 'ChannelRefused'
    this.kind = kind
  }
}

/** The connection went away before the command said how it ended. */
export class CommandCut extends Error {
  /** True when the command cannot have reached the server, so that sending it again is safe. */
  readonly neverSent: boolean

  constructor(neverSent: boolean) {
    super('the connection was lost before the command ended')
    this.name = 'CommandCut'
    this.neverSent = neverSent
  }
}

const defaultMaxOutputBytes = 16 * 1024 * 1024

type CommandOptions = Pick<RemoteCommandOptions, 'stdin' | 'maxOutputBytes' | 'onStdout' | 'onStderr'> & {
  readonly signal: AbortSignal
}

/**
 * Runs one command on an open connection. A command that fails is a result.
 * @throws ChannelRefused, CommandCut, AppError (TIMED_OUT, CANCELED, REMOTE_COMMAND_FAILED for too much output)
 */
export function runCommand(
  connection: SshConnection,
  command: string,
  options: CommandOptions,
): Promise<RemoteCommandResult> {
  const { signal } = options
  return new Promise((resolve, reject) => {
    if (connection.closed) return reject(new CommandCut(true))
    const receivedBefore = connection.bytesReceived
    // The command goes out only after the server has confirmed the channel, and a confirmation is bytes.
    const cut = (): CommandCut => new CommandCut(connection.bytesReceived === receivedBefore)
    if (signal.aborted) return reject(stopped(signal, command))
    let settled = false
    const settle = (finish: () => void): void => {
      settled = true
      signal.removeEventListener('abort', onAbort)
      unsubscribe()
      finish()
    }
    const onAbort = (): void => settle(() => reject(stopped(signal, command)))
    signal.addEventListener('abort', onAbort, { once: true })
    const unsubscribe = connection.onClosed(() => settle(() => reject(cut())))
    try {
      connection.client.exec(command, (error, channel) => {
        if (settled) return void channel?.close()
        // Listening must begin before this returns: the whole answer of a quick command may be in the same packet.
        settle(() =>
          error === undefined
            ? resolve(collect(connection, channel, { ...options, command }))
            : reject(refusal(error, connection, cut)),
        )
      })
    } catch {
      // ssh2 throws at once when the socket is no longer writable, which it may be before anybody is told that it closed:
      // whoever tries again must not be given this connection, or the two would go on without ever letting it close.
      settle(() => reject(cut()))
      connection.destroy()
    }
  })
}

function refusal(error: Error, connection: SshConnection, cut: () => CommandCut): Error {
  if (connection.closed || /no response|not connected/i.test(error.message)) return cut()
  return new ChannelRefused(/unable to exec/i.test(error.message) ? 'command' : 'channel', error.message)
}

function stopped(signal: AbortSignal, command: string): AppError {
  const program = command.trim().split(/\s+/, 1)[0] ?? ''
  if (signal.reason === timeoutReason)
    return new AppError('TIMED_OUT', `The command ${program} took too long and was stopped.`)
  return new AppError('CANCELED', `The command ${program} was canceled.`)
}

type CollectOptions = CommandOptions & { readonly command: string }

function collect(
  connection: SshConnection,
  channel: ClientChannel,
  options: CollectOptions,
): Promise<RemoteCommandResult> {
  const { signal, maxOutputBytes = defaultMaxOutputBytes } = options
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let sizeBytes = 0
    let ended: Pick<RemoteCommandResult, 'exitCode' | 'signal'> | undefined
    let failure: Error | undefined
    const stop = (error: Error): void => {
      failure ??= error
      // Without the signal a command that writes nothing would run on after its channel is gone.
      channel.signal('TERM')
      channel.close()
      settle()
    }
    const take = (into: Buffer[], listener: ((bytes: Uint8Array) => void) | undefined) => (chunk: Buffer) => {
      sizeBytes += chunk.length
      if (sizeBytes > maxOutputBytes) return stop(tooMuch(maxOutputBytes))
      into.push(chunk)
      listener?.(chunk)
    }
    const onAbort = (): void => stop(stopped(signal, options.command))
    let settled = false
    function settle(): void {
      if (settled) return
      settled = true
      signal.removeEventListener('abort', onAbort)
      unsubscribe()
      if (failure !== undefined) reject(failure)
      else if (ended === undefined) reject(new CommandCut(false))
      else resolve({ ...ended, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) })
    }
    channel.on('data', take(stdout, options.onStdout))
    channel.stderr.on('data', take(stderr, options.onStderr))
    channel.on('exit', (code: number | null, name?: string) => {
      ended = { exitCode: code, signal: name === undefined ? null : String(name) }
    })
    // A command may end without reading its input.
    channel.on('error', () => undefined)
    channel.once('close', settle)
    const unsubscribe = connection.onClosed(settle)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    else if (typeof options.stdin !== 'function') channel.end(options.stdin)
    else feed(channel, options.stdin()).catch(stop)
  })
}

/** No faster than the other side takes it. Resolves early when it reads no more. @throws what the source throws */
async function feed(channel: ClientChannel, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let closed = false
  let wake = (): void => undefined
  channel.once('close', () => {
    closed = true
    wake()
  })
  channel.on('drain', () => wake())
  for await (const piece of pieces) {
    if (closed || !channel.writable) return
    const awake = new Promise<void>((resolve) => {
      wake = resolve
    })
    if (!channel.write(piece)) await awake
  }
  if (!closed) channel.end()
}

function tooMuch(maxOutputBytes: number): AppError {
  return new AppError('REMOTE_COMMAND_FAILED', `The command wrote more than ${maxOutputBytes} bytes and was stopped.`, {
    data: { maxOutputBytes },
  })
}
