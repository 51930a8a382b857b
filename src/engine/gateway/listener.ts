import { constants } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type { Logger } from '../../platform/logger.ts'
import { AppError } from '../../shared/errors.ts'
import type { AgentId } from '../../shared/model/ids.ts'
import { errorAnswer } from './http.ts'
import { createRequestHandler, type RequestHandlerDependencies } from './requestHandler.ts'

export interface ListenerLimits {
  /** From the first byte of TLS to its end, in ms. */
  readonly handshakeTimeoutMs: number
  readonly headersTimeoutMs: number
  /** For a whole request, body included. */
  readonly requestTimeoutMs: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
}

export const defaultLimits: ListenerLimits = {
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  maxConnections: 4_096,
  maxConnectionsPerAddress: 512,
}

/** PEM. */
export interface ListenerCertificates {
  readonly certificate: string
  readonly privateKey: string
  /** Client certificates under these count. */
  readonly roots: readonly string[]
}

export interface ListenerOptions extends Pick<RequestHandlerDependencies, 'services' | 'version' | 'clock'> {
  readonly address: string
  readonly port: number
  readonly certificates: ListenerCertificates
  readonly limits: ListenerLimits
  readonly logger: Logger
}

/** An open port. */
export interface Listener {
  readonly port: number
  openConnections(): number
  /** For handshakes from now on; connections that are open go on. */
  takeCertificates(certificates: ListenerCertificates): void
  disconnect(agentId: AgentId): void
  /** Ends every connection; resolves when nothing that was asked is under way any more. */
  close(): Promise<void>
}

/**
 * TLS 1.3 only. A client certificate is asked for and never insisted on here, because enrolment and the roots are for
 * those who have none yet: each route insists by itself, and all do that do not say otherwise (ADR 8). No tickets and
 * no resumption: each handshake proves its certificate anew.
 */
const contextOf = ({ certificate, privateKey, roots }: ListenerCertificates): SecureContextOptions => ({
  cert: certificate,
  key: privateKey,
  ca: [...roots],
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
})

const maxHeaderBytes = 16_384
const timeoutCheckShare = 4

/** @throws the error of the system when the address cannot be listened on */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { limits, logger, services, version, clock } = options
  const connections = new Connections(limits.maxConnectionsPerAddress)
  const underWay = new Set<Promise<void>>()
  const handle = createRequestHandler({
    services,
    version,
    clock,
    logger,
    onIdentified: (socket, agentId) => connections.identified(socket, agentId),
  })
  const server = createServer(
    {
      ...contextOf(options.certificates),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: limits.handshakeTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / timeoutCheckShare),
      keepAliveTimeout: limits.headersTimeoutMs,
    },
    (request, response) => {
      const handled = handle(request, response)
        .catch((error: unknown) => {
          logger.error({ err: error }, 'a request of an agent could not be answered')
          request.socket.destroy()
        })
        .finally(() => underWay.delete(handled))
      underWay.add(handled)
    },
  )
  server.maxConnections = limits.maxConnections
  server.on('connection', (socket: Socket) => connections.opened(socket))
  server.on('secureConnection', (socket) => refuseResumed(socket, logger))
  server.on('tlsClientError', (error, socket) => {
    logger.debug({ reason: error.message, from: socket.remoteAddress }, 'a TLS handshake failed')
    socket.destroy()
  })
  server.on('clientError', answerMalformed)
  await listen(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    openConnections: () => connections.count,
    takeCertificates: (certificates) => server.setSecureContext(contextOf(certificates)),
    disconnect: (agentId) => connections.disconnect(agentId),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      connections.destroyAll()
      server.closeAllConnections()
      await closed
      await Promise.allSettled(underWay)
    },
  }
}

function listen(server: Server, { address, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Cannot happen without tickets and a cache; should it ever, the certificate was not proven in this handshake. */
function refuseResumed(socket: TLSSocket, logger: Logger): void {
  if (!socket.isSessionReused()) return
  logger.error({ from: socket.remoteAddress }, 'a TLS session was resumed and is refused')
  socket.destroy()
}

/** What is no HTTP, too long in its headers or too slow; there is no request to answer yet. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed || !socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const [status, refusal] = malformed(error.code)
  const text = JSON.stringify(errorAnswer(refusal).body)
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n`
  socket.end(head + text, () => socket.destroy())
}

function malformed(code: string | undefined): readonly [string, AppError] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [
        '431 Request Header Fields Too Large',
        new AppError('PAYLOAD_TOO_LARGE', `The headers are larger than ${maxHeaderBytes} bytes.`),
      ]
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', new AppError('TIMED_OUT', 'The request did not arrive in time.')]
    default:
      return ['400 Bad Request', new AppError('INVALID_INPUT', 'This is not a request of HTTP/1.1.')]
  }
}

/** Who is connected, from where, and as whom. */
class Connections {
  readonly #maxPerAddress: number
  readonly #sockets = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()
  readonly #byAgent = new Map<AgentId, Set<TLSSocket>>()

  constructor(maxPerAddress: number) {
    this.#maxPerAddress = maxPerAddress
  }

  get count(): number {
    return this.#sockets.size
  }

  opened(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown'
    const open = (this.#perAddress.get(address) ?? 0) + 1
    if (open > this.#maxPerAddress) return void socket.destroy()
    this.#perAddress.set(address, open)
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      const left = (this.#perAddress.get(address) ?? 1) - 1
      if (left > 0) this.#perAddress.set(address, left)
      else this.#perAddress.delete(address)
    })
  }

  identified(socket: TLSSocket, agentId: AgentId): void {
    const sockets = this.#byAgent.get(agentId) ?? new Set()
    if (sockets.has(socket)) return
    this.#byAgent.set(agentId, sockets.add(socket))
    socket.once('close', () => {
      sockets.delete(socket)
      if (sockets.size === 0 && this.#byAgent.get(agentId) === sockets) this.#byAgent.delete(agentId)
    })
  }

  disconnect(agentId: AgentId): void {
    for (const socket of [...(this.#byAgent.get(agentId) ?? [])]) socket.destroy()
  }

  destroyAll(): void {
    for (const socket of [...this.#sockets]) socket.destroy()
  }
}
