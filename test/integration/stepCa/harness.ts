import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkCertificateRequest, type SigningPolicy } from '../../../src/core/ca/policy.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import type { CertificateJudge } from '../../../src/platform/stepCa/answerCheck.ts'
import { connectStepCa, type StepCaClient } from '../../../src/platform/stepCa/client.ts'
import type { CertificateOrder } from '../../../src/platform/stepCa/order.ts'
import { AppError } from '../../../src/shared/errors.ts'
import type { TestStepCa } from '../../support/stepCa.ts'

export const allExtensions = [
  'permit-X11-forwarding',
  'permit-agent-forwarding',
  'permit-port-forwarding',
  'permit-pty',
  'permit-user-rc',
]

/** What the console and the agent enforce, whatever the authority does (D2). */
export const automation: SigningPolicy = {
  name: 'automation',
  certificateType: 'user',
  principalPattern: '^sync-agent$',
  maxLifetimeSeconds: 57_600,
  allowedExtensions: [],
  allowedCriticalOptions: [],
}

export function judgeBy(policy: Partial<SigningPolicy> = {}): CertificateJudge {
  return (terms) => checkCertificateRequest(terms, { ...automation, ...policy })
}

export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'lockstep-stepca-'))
}

export const removeDirectory = (directory: string): Promise<void> => rm(directory, { recursive: true, force: true })

export interface AgentKey {
  /** The private key; the certificate belongs beside it as `agent_key-cert.pub`. */
  readonly file: string
  readonly certificateFile: string
  readonly publicKey: Buffer
}

/** The key of an agent, made as on an agent (S0.27). */
export async function agentKey(directory: string, name = 'agent_key'): Promise<AgentKey> {
  const file = join(directory, name)
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-f', file, '-N', ''], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr)
  const { blob } = parsePublicKeyLine(await readFile(`${file}.pub`, 'utf8'))
  return { file, certificateFile: `${file}-cert.pub`, publicKey: blob }
}

export function connect(ca: TestStepCa, over: Partial<TestStepCa> = {}): Promise<StepCaClient> {
  const { url, rootFingerprint } = { ...ca, ...over }
  return connectStepCa({ url, rootFingerprint }, { clock: systemClock })
}

export function orderFor(
  ca: TestStepCa,
  publicKey: Uint8Array,
  over: Partial<CertificateOrder> = {},
): CertificateOrder {
  return {
    type: 'user',
    publicKey,
    keyId: 'sync-agent',
    principals: ['sync-agent'],
    lifetimeSeconds: 3_600,
    credential: { kind: 'password', provisioner: ca.provisioner, password: ca.password },
    judge: judgeBy(),
    ...over,
  }
}

export async function failureOf(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new Error('expected a failure')
}

export interface Impostor {
  readonly url: string
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[]
  openConnections(): Promise<number>
  stop(): Promise<void>
}

export type ImpostorAnswer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** A TLS server on loopback that answers as it likes. `pem`: its certificate chain and key. */
export async function startImpostor(pem: string, answer: ImpostorAnswer): Promise<Impostor> {
  const asked: string[] = []
  const server = createServer({ key: pem, cert: pem }, (incoming, response) => {
    asked.push(incoming.url ?? '')
    void answer(incoming, response)
  })
  // Never closes an idle connection: those that the client leaves open are seen.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    openConnections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
      }),
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Passes a request on to the real authority, with its body and answer changed on the way. */
export function relayTo(
  ca: TestStepCa,
  change: {
    readonly body?: (body: string, path: string) => string
    readonly answer?: (answer: string, path: string) => string
  } = {},
): ImpostorAnswer {
  return async (incoming, response) => {
    const path = incoming.url ?? ''
    const sent = await text(incoming)
    const { status, body } = await forward(ca, incoming, change.body?.(sent, path) ?? sent)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(change.answer?.(body, path) ?? body)
  }
}

function forward(ca: TestStepCa, incoming: IncomingMessage, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { method } = incoming
    const sent = request(`${ca.url}${incoming.url}`, { method, rejectUnauthorized: false, agent: false }, (answer) =>
      text(answer).then((read) => resolve({ status: answer.statusCode ?? 0, body: read }), reject),
    )
    sent.once('error', reject)
    sent.end(body)
  })
}

export async function text(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
