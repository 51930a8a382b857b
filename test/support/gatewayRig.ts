import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificateRequest } from '../../src/agent/control/certificateRequest.ts'
import { createAgentSide } from '../../src/engine/agentSide.ts'
import { createPki, type Pki } from '../../src/engine/pki/pki.ts'
import { createRegistryContent } from '../../src/engine/registry/content.ts'
import { type FileLogStore, openLogStore, openStore, type SqliteStore } from '../../src/engine/store/index.ts'
import { type Clock, systemClock } from '../../src/platform/clock.ts'
import { Config } from '../../src/platform/config.ts'
import { createIdSource } from '../../src/platform/ids.ts'
import type { KeyVault } from '../../src/platform/keyVault.ts'
import { createLogging } from '../../src/platform/logger.ts'
import { ed25519Blob, formatPublicKeyLine } from '../../src/platform/openssh/publicKey.ts'
import { agentApiPaths, agentVersionHeader, EnrollResponse, RegisterResponse } from '../../src/shared/agentApi/index.ts'
import type { Agent } from '../../src/shared/model/agent.ts'
import type { Run } from '../../src/shared/model/run.ts'
import { memoryVault } from './trust.ts'

export const operator = 'ann@desk'

/** The wall clock, moved. TLS libraries look at the real one. */
interface ShiftedClock extends Clock {
  shiftMs: number
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  // biome-ignore lint/suspicious/noExplicitAny: what a test says about it is the check
  readonly body: any
}

export interface ClientIdentity {
  readonly cert: string
  readonly key: string
}

/** An agent as far as the gateway can tell: real keys, real certificates, no machine behind it. */
export interface EnrolledAgent extends ClientIdentity, EnrollResponse {
  readonly sshPublicKey: string
}

export interface GatewayRig {
  readonly directory: string
  readonly store: SqliteStore
  readonly logs: FileLogStore
  readonly pki: Pki
  readonly vault: KeyVault
  readonly clock: ShiftedClock
  readonly side: ReturnType<typeof createAgentSide>
  readonly logLines: readonly string[]
  /** Of the gateway, e.g. `https://127.0.0.1:40123`. */
  url(): Promise<string>
  roots(): Promise<string[]>
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** A fresh join token's secret part. */
  token(nodeName?: string | null): Promise<string>
  enroll(nodeName?: string): Promise<EnrolledAgent>
  agent(agentId: string): Promise<Agent>
  /** Stops everything and starts it again on the same files. */
  restart(options?: Pick<RigOptions, 'listen'>): Promise<GatewayRig>
  /** Closes what is open, the directory stays. */
  stop(): Promise<void>
  dispose(): Promise<void>
}

export interface CallOptions {
  readonly identity?: ClientIdentity | null
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: RequestOptions
}

interface RigOptions {
  readonly directory?: string
  readonly vault?: KeyVault
  readonly limits?: Parameters<typeof createAgentSide>[0]['limits']
  readonly shiftMs?: number
  readonly version?: string
  /** Default true. */
  readonly listen?: boolean
}

/** Store, authorities and gateway as an engine has them, listening on a free port of loopback. */
export async function startGateway(options: RigOptions = {}): Promise<GatewayRig> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'ls-gateway-')))
  await mkdir(join(directory, 'keys'), { recursive: true, mode: 0o700 })
  const vault = options.vault ?? memoryVault()
  const clock: ShiftedClock = {
    ...systemClock,
    shiftMs: options.shiftMs ?? 0,
    nowMs: () => Date.now() + clock.shiftMs,
  }
  const ids = createIdSource(clock)
  const logLines: string[] = []
  const logging = createLogging({ level: 'debug', sinks: [(line) => logLines.push(line)] })
  const store = await openStore({ databaseFile: join(directory, 'db'), backupsDirectory: directory, clock })
  const logs = await openLogStore({ directory: join(directory, 'logs') })
  const pki = createPki({
    keysDirectory: join(directory, 'keys'),
    vault,
    store,
    clock,
    newId: ids,
    principals: ['sync-agent'],
  })
  await pki.load()
  const side = createAgentSide({
    store,
    logs,
    clock,
    ids,
    x509: pki.x509,
    authority: pki.authority,
    revocations: pki.revocations,
    content: createRegistryContent(store),
    config: Config.parse({}),
    logger: logging.logger,
    version: options.version ?? '0.1.0',
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  })
  if (options.listen !== false) await side.start()
  const listening = await side.gateway.status()
  if (listening.settings === null)
    await side.gateway.enable({ address: '127.0.0.1', port: 0, names: ['127.0.0.1', 'localhost'] }, operator)

  const url = async (): Promise<string> => {
    const status = await side.gateway.status()
    if (status.url === null) throw new Error(`the gateway does not listen: ${status.problem}`)
    return status.url
  }
  const roots = async (): Promise<string[]> => (await pki.x509.roots()).map((root) => root.pem)
  const call: GatewayRig['call'] = async (method, path, { identity = null, body, headers, tls } = {}) => {
    const bytes = body instanceof Uint8Array ? body : body === undefined ? undefined : JSON.stringify(body)
    return exchange(new URL(path, await url()), bytes, {
      method,
      agent: false,
      ca: await roots(),
      ...(identity === null ? {} : { cert: identity.cert, key: identity.key }),
      headers: { [agentVersionHeader]: '0.1.0', ...headers },
      ...tls,
    })
  }
  const token = async (nodeName: string | null = null): Promise<string> => {
    const { secret } = await side.agents.createJoinToken({ nodeName, lifetimeSeconds: 3_600 }, operator)
    return secretPart(secret)
  }
  const stop = async (): Promise<void> => {
    await side.stop()
    await logs.close()
    await store.close()
    logging.close()
  }
  return {
    directory,
    store,
    logs,
    pki,
    vault,
    clock,
    side,
    logLines,
    url,
    roots,
    call,
    token,
    enroll: async (nodeName = 'agent-01') => {
      const wanted = await enrolment()
      const answer = await call('POST', agentApiPaths.enroll, {
        body: { ...wanted.request, token: await token(nodeName) },
      })
      if (answer.status !== 201) throw new Error(`enrolment: ${answer.status} ${JSON.stringify(answer.body)}`)
      const response = EnrollResponse.parse(answer.body)
      return {
        ...response,
        cert: response.clientCertificate,
        key: wanted.key,
        sshPublicKey: wanted.request.sshPublicKey,
      }
    },
    agent: (agentId) => side.agents.get(agentId),
    restart: async (change = {}) => {
      await stop()
      return startGateway({ ...options, ...change, directory, vault, shiftMs: clock.shiftMs })
    },
    stop,
    dispose: async () => {
      await stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** What an agent sends to enroll, without the token, and the key that stays with it. */
export async function enrolment(hostname = 'host-01') {
  const key = newKey()
  const ssh = generateKeyPairSync('ed25519')
  const request = {
    hostname,
    platform: 'linux x64',
    version: '0.1.0',
    certificateRequest: await makeCertificateRequest(key, hostname),
    sshPublicKey: formatPublicKeyLine(ed25519Blob(ssh.publicKey), 'lockstep-agent'),
  }
  return { request, key: key.privateKey }
}

/** A P-256 key in PEM. */
export function newKey(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

export function secretPart(word: string): string {
  const content = JSON.parse(Buffer.from(word.replace(/^lsj1\./, ''), 'base64url').toString('utf8')) as { s: string }
  return content.s
}

function exchange(url: URL, body: string | Uint8Array | undefined, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(pieces).toString('utf8')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text === '' ? null : JSON.parse(text),
        })
      })
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

export const aSpec = {
  storage: { address: 'storage.internal', port: 22, user: 'sync' },
  push: [{ source: '/srv/data', target: '/data/agent-01' }],
  pull: [],
}

/** A registration as an agent makes it. */
export const aRegistration = (overrides: Record<string, unknown> = {}) => ({
  requestedBy: 'root@host-01',
  spec: aSpec,
  startedAt: Date.now(),
  ...overrides,
})

export const aHeartbeat = (overrides: Record<string, unknown> = {}) => ({
  sentAt: Date.now(),
  version: '0.1.0',
  activity: { status: 'idle', nextRunAt: null },
  lock: null,
  spooledReports: 0,
  trustedRoots: [],
  spec: aSpec,
  ...overrides,
})

/** Registers a run for the agent. */
export async function registerRun(
  rig: GatewayRig,
  agent: ClientIdentity,
  key: string,
  startedAt = Date.now(),
): Promise<Run> {
  const { status, body } = await rig.call('PUT', agentApiPaths.registration(key), {
    identity: agent,
    body: aRegistration({ startedAt }),
  })
  if (status !== 201) throw new Error(`registration: ${status} ${JSON.stringify(body)}`)
  return RegisterResponse.parse(body).run
}
