import { connect, type Socket } from 'node:net'
import ssh2, { type Algorithms, type AnyAuthMethod, type Client } from 'ssh2'
import { isStartupDrop } from '../../core/diagnose/connection.ts'
import type { ConnectEvidence, ConnectStage } from '../../core/diagnose/evidence.ts'
import { parseServerBanner } from '../../core/parse/ssh.ts'

/** Where to connect to. */
export interface SshTarget {
  readonly address: string
  readonly port: number
}

/** What is known of one connection attempt, filled in as it goes; read when it fails. */
export class AttemptTrace {
  stage: ConnectStage = 'connect'
  /** First line of the server. */
  banner: string | undefined
  hostKey: ConnectEvidence['hostKey']
  timedOut = false

  evidence(error: unknown, nowMs: number): ConnectEvidence {
    const { message, errno } = describeError(error)
    return {
      stage: this.stage,
      nowMs,
      ...(this.timedOut ? { timedOut: true } : {}),
      ...(errno === undefined ? {} : { errno }),
      ...(message === '' ? {} : { message }),
      ...(this.banner === undefined ? {} : { banner: this.banner }),
      ...(this.hostKey === undefined ? {} : { hostKey: this.hostKey }),
    }
  }
}

/** Thrown inside this folder; the pool turns it into a diagnosed AppError. */
export class AttemptFailed extends Error {
  readonly evidence: ConnectEvidence
  readonly retryable: boolean

  constructor(evidence: ConnectEvidence) {
    super(evidence.message ?? evidence.stage)
    this.name = 'AttemptFailed'
    this.evidence = evidence
    this.retryable = isStartupDrop(evidence)
  }
}

function describeError(error: unknown): { readonly message: string; readonly errno: string | undefined } {
  if (!(error instanceof Error)) return { message: '', errno: undefined }
  // With several addresses Node throws one error that holds one for each.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : error
  const code = (first as NodeJS.ErrnoException | undefined)?.code
  return { message: first?.message ?? error.message, errno: typeof code === 'string' ? code : undefined }
}

/** Cheapest first: measured 4 to 5 ms of our CPU for a whole login. */
const baseAlgorithms: Algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group14-sha256',
  ],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes256-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
}

interface OpenOptions {
  readonly trace: AttemptTrace
  readonly username: string
  readonly hostKeyAlgorithms: readonly string[]
  /** Must decide synchronously; nothing is authenticated before it said yes. */
  readonly acceptHostKey: (blob: Buffer) => boolean
  readonly authHandler: () => AnyAuthMethod | false
  /** Called when the protocol exists and nothing was sent yet. */
  readonly prepare?: (client: Client) => void
  readonly keepaliveIntervalMs?: number
}

/**
 * The kernel asks a quiet peer after 6 s and gives it up three unanswered seconds later: a cut link is noticed within 9 s
 * (tcp(7), TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT).
 */
const keepAlive = { enable: true, initialDelay: 6_000, interval: 1_000, count: 3 } as const

/** Starts an ssh2 client over a socket of our own, so that every stage can be told apart. */
export function openClient(
  target: SshTarget,
  options: OpenOptions,
): { readonly client: Client; readonly socket: Socket } {
  const { trace } = options
  const socket = connect({ host: target.address, port: target.port, noDelay: true })
  socket.setKeepAlive(keepAlive)
  socket.once('connect', () => {
    trace.stage = 'banner'
  })
  watchBanner(socket, trace)
  const client = new ssh2.Client()
  client.on('handshake', () => {
    trace.stage = 'authenticate'
  })
  client.connect({
    sock: socket,
    username: options.username,
    // Deadlines are kept by the caller, who knows about queueing too.
    readyTimeout: 0,
    keepaliveInterval: options.keepaliveIntervalMs ?? 0,
    keepaliveCountMax: 3,
    algorithms: {
      ...baseAlgorithms,
      serverHostKey: [...options.hostKeyAlgorithms] as NonNullable<Algorithms['serverHostKey']>,
    },
    hostVerifier: options.acceptHostKey,
    authHandler: options.authHandler,
  })
  options.prepare?.(client)
  return { client, socket }
}

/** Servers may greet before they identify themselves; then the greeting is what tells most. */
function watchBanner(socket: Socket, trace: AttemptTrace): void {
  socket.once('data', (chunk: Buffer) => {
    const line = chunk.toString('latin1').split(/\r?\n/, 1)[0] ?? ''
    trace.banner = line
    if (parseServerBanner(line) !== null) trace.stage = 'handshake'
  })
}
