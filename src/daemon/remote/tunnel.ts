import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { isOperatorName } from '../caller.ts'
import { Hello, helloPath, speakTheSame } from '../hello.ts'
import { type RemoteFailureReason, remoteFailure } from './failure.ts'
import { openSshSession, type SshSession } from './sshSession.ts'
import type { RemoteTarget } from './target.ts'

const helloTimeoutMs = 10_000
const largestHelloBytes = 65_536

/** The unix socket of another control plane, as if it were here. */
export interface RemoteSocket {
  readonly socketPath: string
  /** What the control plane says of itself. */
  readonly hello: Hello
  /** The way to it has ended that nobody here ended. */
  onEnded(listener: () => void): void
  /** Ends ssh and removes the socket. Safe to repeat. */
  close(): Promise<void>
}

/** What we are called where we sit; the other end sets beside it whom sshd let in. */
export function localOperator(): string {
  const name = `${userInfo().username}@${hostname()}`
  return isOperatorName(name) ? name : 'unnamed@unknown'
}

/**
 * Brings the socket of another control plane here: over the operator's own ssh, with their keys, their configuration and the
 * host keys they trust. Nothing listens on a network at either end.
 *
 * @throws AppError CONTROL_PLANE_UNREACHABLE; `data.reason` says which of the causes, the message what to do next
 */
export async function openRemoteSocket(
  target: RemoteTarget,
  options: { readonly version: string },
): Promise<RemoteSocket> {
  // 0700: whoever could open the socket in it would be the operator.
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-'))
  const removeDirectory = () => rm(directory, { recursive: true, force: true })
  const session = await openSshSession(target, join(directory, 'c')).catch(async (error: unknown) => {
    await removeDirectory()
    throw error
  })
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => {
    closing ??= session.close().finally(removeDirectory)
    return closing
  }
  try {
    const socketPath = join(directory, 's')
    const hello = await reach(target, { session, socketPath, ...options })
    return { socketPath, hello, close, onEnded: (listener) => session.onEnded(listener) }
  } catch (error) {
    await close()
    throw error
  }
}

interface Reaching {
  readonly session: SshSession
  readonly socketPath: string
  readonly version: string
}

async function reach(target: RemoteTarget, { session, socketPath, version }: Reaching): Promise<Hello> {
  const remoteSocket = session.discovery.socket
  if (remoteSocket === null) throw remoteFailure(target, 'no-daemon')
  await session.forward(socketPath, remoteSocket)
  const answer = await askHello(socketPath).catch(async (cause: unknown) => {
    const evidence = await session.whyNotThrough()
    const reason: RemoteFailureReason = session.discovery.listening ? 'forwarding-refused' : 'no-daemon'
    throw remoteFailure(target, reason, { evidence, cause })
  })
  const hello = readHello(answer)
  if (hello === null) throw remoteFailure(target, 'other-version', { detail: `Here it is ${version}.` })
  if (speakTheSame(version, hello.version)) return hello
  throw remoteFailure(target, 'other-version', { detail: `There it is ${hello.version}, here ${version}.` })
}

function readHello(text: string): Hello | null {
  try {
    return Hello.parse(JSON.parse(text))
  } catch {
    return null
  }
}

function askHello(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(helloTimeoutMs)
    const asked = request({ socketPath, path: helloPath, agent: false, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text = (text + part).slice(0, largestHelloBytes)
      })
      response.once('end', () => resolve(text))
      response.once('error', reject)
    })
    asked.once('error', reject)
    asked.end()
  })
}
