import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import { WebSocket } from 'ws'
import type { HomePaths } from '../platform/paths.ts'
import type { EngineClient } from '../shared/contract/index.ts'
import { AppError } from '../shared/errors.ts'
import { operatorHeader } from './caller.ts'

const handshakeTimeoutMs = 5_000
/** Also where no socket can be at all, below a file or at too long a path: whoever takes the home says that better. */
const nobodyThere = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'EINVAL']

export interface SocketClient {
  readonly client: EngineClient
  close(): Promise<void>
}

/** Where a socket is, and what to call whoever owns it. */
export type SocketPlace = Pick<HomePaths, 'engineSocket' | 'home'>

/** Whoever is just going cuts those that say hello at this moment. */
const cutOff = ['ECONNRESET', 'EPIPE']
const goingMessage = 'Unexpected server response: 503'
/** Then it is gone, or another has come, within this many looks. */
const looks = 20
const lookAgainMs = 100

/**
 * @param options.operator what whoever sits elsewhere is called there, see `socketCaller`; absent for this machine
 * @returns null when nobody listens there; a socket file that a killed process left counts as nobody
 */
export async function connectSocket(
  home: SocketPlace,
  options: { readonly operator?: string } = {},
): Promise<SocketClient | null> {
  for (let look = 1; ; look += 1) {
    const answer = await openSocket(home, options)
    if (answer !== 'cut-off') return answer
    if (look === looks) throw noAnswer(home, new Error('It ends each connection.'))
    await sleep(lookAgainMs)
  }
}

function openSocket(
  home: SocketPlace,
  options: { readonly operator?: string },
): Promise<SocketClient | 'cut-off' | null> {
  const socket = new WebSocket(`ws+unix:${home.engineSocket}:/rpc`, {
    handshakeTimeout: handshakeTimeoutMs,
    perMessageDeflate: false,
    headers: options.operator === undefined ? {} : { [operatorHeader]: options.operator },
  })
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (nobodyThere.includes(error.code ?? '')) resolve(null)
      else if (cutOff.includes(error.code ?? '') || error.message === goingMessage) resolve('cut-off')
      else reject(noAnswer(home, error))
    })
    socket.once('open', () => resolve(clientOver(socket)))
  })
}

function clientOver(socket: WebSocket): SocketClient {
  socket.on('error', () => socket.terminate())
  const link = new RPCLink({ websocket: socket as unknown as globalThis.WebSocket })
  return {
    client: createORPCClient<EngineClient>(link),
    close: () =>
      new Promise((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) return resolve()
        socket.once('close', () => resolve())
        socket.close()
      }),
  }
}

function noAnswer(home: SocketPlace, cause: unknown): AppError {
  return new AppError('ENGINE_UNAVAILABLE', `Whoever owns ${home.home} does not answer on its socket.`, {
    data: { socket: home.engineSocket },
    cause,
  })
}

/**
 * A new one-time link to the console of the daemon that owns the home.
 * @throws AppError ENGINE_UNAVAILABLE when none runs, UNSUPPORTED when its owner serves no console
 */
export function requestLoginLink(home: HomePaths): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: home.engineSocket, path: '/login-link', method: 'POST' }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new AppError('UNSUPPORTED', 'The desktop app owns this home; it serves no console to a browser.'))
      })
    })
    asked.once('error', (cause) =>
      reject(
        new AppError('ENGINE_UNAVAILABLE', `No daemon serves ${home.home}. Start one with "lockstep serve".`, {
          cause,
        }),
      ),
    )
    asked.end()
  })
}
