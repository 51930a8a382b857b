import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Engine } from '../engine/engine.ts'
import type { Metrics } from '../engine/metrics/metrics.ts'
import { type ProbeResult, probeHealth, probeReadiness } from '../engine/metrics/readiness.ts'
import type { MetricsConfig } from '../platform/config.ts'
import { AppError } from '../shared/errors.ts'

/** Figures and probes of a daemon, for a monitoring system. Nothing in them names a node or a person. */
export interface Observation {
  /** Answers `/metrics`, `/healthz` and `/readyz`. @returns false for everything else, which is then unanswered */
  answer(request: IncomingMessage, response: ServerResponse): boolean
  stop(): void
}

const plainText = 'text/plain; charset=utf-8'
const prometheusText = 'text/plain; version=0.0.4; charset=utf-8'

export async function createObservation(
  { measures }: Engine,
  options: {
    readonly version: string
    /** Counts runs and commits from now on; otherwise from the first time somebody asks for the figures. */
    readonly fromTheStart: boolean
  },
): Promise<Observation> {
  let metrics: Promise<Metrics> | null = null
  // Whoever never asks does not pay for the library: its megabytes, and the wake-ups of the loop's watch.
  const load = async (): Promise<Metrics> => {
    const { createMetrics } = await import('../engine/metrics/metrics.ts')
    return createMetrics(measures, options)
  }
  const begin = (): Promise<Metrics> => {
    metrics ??= load()
    return metrics
  }
  if (options.fromTheStart) await begin()
  const probe = async (result: Promise<ProbeResult>): Promise<Answer> => {
    const { ok, text } = await result
    return { status: ok ? 200 : 503, type: plainText, text }
  }
  const paths: Readonly<Record<string, () => Promise<Answer>>> = {
    '/metrics': async () => ({ status: 200, type: prometheusText, text: await (await begin()).render() }),
    '/healthz': () => probe(probeHealth(measures)),
    '/readyz': () => probe(probeReadiness(measures)),
  }
  return {
    answer: (request, response) => {
      const make = request.method === 'GET' ? paths[request.url ?? ''] : undefined
      if (make === undefined) return false
      make().then(
        (answer) => send(response, answer),
        () => send(response, { status: 500, type: plainText, text: 'failed\n' }),
      )
      return true
    },
    stop: () => void metrics?.then((each) => each.stop()),
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

const send = (response: ServerResponse, { status, type, text }: Answer): void => {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  response.end(text)
}

export interface ObservationServer {
  readonly url: string
  close(): Promise<void>
}

/**
 * The same over HTTP on loopback, without a session.
 * @throws AppError ADDRESS_IN_USE
 */
export async function serveObservation(observation: Observation, where: MetricsConfig): Promise<ObservationServer> {
  const server = createServer((request, response) => {
    if (isOfThisMachine(request) && observation.answer(request, response)) return
    response.writeHead(404).end()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(taken(where, cause)))
    server.listen(where.port, where.address, resolve)
  })
  const { port } = server.address() as AddressInfo
  const shown = where.address.includes(':') ? `[${where.address}]` : where.address
  return {
    url: `http://${shown}:${port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A page of somebody whose name was rebound to loopback reads nothing here. */
const isOfThisMachine = ({ headers: { host = '', origin } }: IncomingMessage): boolean =>
  origin === undefined && /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?$/.test(host)

const taken = ({ address, port }: MetricsConfig, cause: unknown): AppError =>
  new AppError(
    'ADDRESS_IN_USE',
    `The metrics cannot be served on ${address} port ${port}. Choose another port under metrics: in config.yaml.`,
    { data: { address, port }, cause },
  )
