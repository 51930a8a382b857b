import 'reflect-metadata'
import { createHash, webcrypto, X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import * as x509 from '@peculiar/x509'
import {
  agentApiLimits,
  ClientCertificateRequest,
  EnrollRequest,
  HeartbeatRequest,
  RegisterRequest,
  SshCertificateRequest,
  StateRequest,
} from '../../../src/shared/agentApi/index.ts'
import { Run } from '../../../src/shared/model/run.ts'
import { aRun } from '../../fakes/aRun.ts'

/*
 * The other side of the agent's REST contract, in memory: real TLS 1.3 with client certificates, real idempotency. What
 * goes wrong is told to it by `faults`.
 */

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
x509.cryptoProvider.set(webcrypto as never)

export interface KnownRun {
  run: Run
  sequence: number
  log: Buffer
  registrations: number
  /** Every state that was reported, in order, once each. */
  readonly states: string[]
}

export interface Faults {
  /** Status for requests whose path holds this, until it is taken away. `hang` never answers. */
  readonly path: string
  readonly answer: number | 'hang' | 'lose-answer'
  /** Bodies smaller than this pass. */
  readonly fromBytes?: number
  times?: number
}

export interface TestControlPlane {
  readonly url: string
  readonly runs: Map<string, KnownRun>
  readonly heartbeats: HeartbeatRequest[]
  readonly requests: string[]
  faults: Faults[]
  /** What heartbeats say. */
  renewClientCertificate: boolean
  cancelRequestedBy: string | null
  /** Added to its clock. */
  clockSkewMs: number
  /** Roots that heartbeats hand out besides the own. */
  readonly moreRoots: string[]
  /** Issues SSH certificates; set by the test. */
  issueSsh: (request: { publicKey: string; minValidSeconds: number }) => Promise<string>
  joinSecret(token?: string): string
  readonly rootPem: string
  readonly clientCertificates: string[]
  runById(id: string): KnownRun | undefined
  stop(): Promise<void>
}

async function makeRoot(): Promise<{ certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair }> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test root',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    keys: keys as never,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  return { certificate, keys }
}

/** A root nobody uses, for rotations. */
export async function strangeRoot(): Promise<string> {
  return (await makeRoot()).certificate.toString('pem')
}

let serial = 1

export async function startControlPlane(): Promise<TestControlPlane> {
  const root = await makeRoot()
  const rootPem = root.certificate.toString('pem')
  const issue = (subject: string, publicKey: unknown, extensions: x509.Extension[]) =>
    x509.X509CertificateGenerator.create({
      serialNumber: (serial++).toString(16).padStart(8, '0'),
      subject,
      issuer: root.certificate.subject,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 86_400_000),
      signingKey: root.keys.privateKey as never,
      publicKey: publicKey as never,
      signingAlgorithm: algorithm,
      extensions,
    })
  const serverKeys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const serverCertificate = await issue('CN=control', serverKeys.publicKey, [
    new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
  ])
  const serverKey = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', serverKeys.privateKey)).toString('base64')
  const usedTokens = new Set<string>()
  const known: TestControlPlane = {
    url: '',
    runs: new Map(),
    heartbeats: [],
    requests: [],
    faults: [],
    renewClientCertificate: false,
    cancelRequestedBy: null,
    clockSkewMs: 0,
    moreRoots: [],
    issueSsh: () => Promise.reject(new Error('no authority')),
    rootPem,
    clientCertificates: [],
    joinSecret: (token = `token-${'x'.repeat(16)}-${Math.random()}`) => {
      const pin = createHash('sha256').update(new X509Certificate(rootPem).raw).digest('hex')
      return `lsj1.${Buffer.from(JSON.stringify({ u: known.url, f: pin, s: token })).toString('base64url')}`
    },
    runById: (id) => [...known.runs.values()].find(({ run }) => run.id === id),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  const answer = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
  const refuse = (response: ServerResponse, status: number, code: string, message: string): void =>
    answer(response, status, { error: { code, message } })

  const clientCertificateFor = async (requestPem: string): Promise<string> => {
    const request = new x509.Pkcs10CertificateRequest(requestPem)
    if (!(await request.verify())) throw new Error('the request does not prove its key')
    const certificate = await issue('CN=agent', await request.publicKey.export(), [
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'urn:lockstep:agent:test' }]),
    ])
    known.clientCertificates.push(certificate.toString('pem'))
    return certificate.toString('pem')
  }

  const handle = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    const url = new URL(request.url ?? '/', 'https://x')
    const path = url.pathname
    known.requests.push(`${request.method} ${path}`)
    const fault = known.faults.find(
      (one) => path.includes(one.path) && body.length >= (one.fromBytes ?? 0) && (one.times ?? 1) > 0,
    )
    if (fault !== undefined) {
      if (fault.times !== undefined) fault.times -= 1
      if (fault.answer === 'hang') return
      if (fault.answer !== 'lose-answer') {
        refuse(response, fault.answer, fault.answer === 426 ? 'AGENT_VERSION_UNSUPPORTED' : 'INTERNAL', 'told to')
        return
      }
    }
    const lost = fault?.answer === 'lose-answer'
    const give = (status: number, content: unknown): void => {
      if (lost) response.destroy()
      else answer(response, status, content)
    }
    if (path === '/v1/sync/roots') return give(200, { roots: [rootPem] })
    if (path === '/v1/sync/enroll') {
      const asked = EnrollRequest.parse(JSON.parse(body.toString()))
      if (usedTokens.has(asked.token)) return refuse(response, 401, 'JOIN_TOKEN_REFUSED', 'used')
      usedTokens.add(asked.token)
      return give(200, {
        agentId: '01900000-0000-7000-8000-0000000000a1',
        nodeId: '01900000-0000-7000-8000-0000000000b1',
        nodeName: 'agent-01',
        clientCertificate: await clientCertificateFor(asked.certificateRequest),
        roots: [rootPem],
      })
    }
    if (!(request.socket as TLSSocket).authorized) return refuse(response, 401, 'UNAUTHORIZED', 'no certificate')
    if (path === '/v1/sync/heartbeat') {
      known.heartbeats.push(HeartbeatRequest.parse(JSON.parse(body.toString())))
      const { renewClientCertificate, moreRoots } = known
      return give(200, { now: Date.now() + known.clockSkewMs, roots: [rootPem, ...moreRoots], renewClientCertificate })
    }
    if (path === '/v1/sync/client-certificate') {
      const { certificateRequest } = ClientCertificateRequest.parse(JSON.parse(body.toString()))
      known.renewClientCertificate = false
      return give(200, { clientCertificate: await clientCertificateFor(certificateRequest), roots: [rootPem] })
    }
    if (path === '/v1/sync/ssh-certificate') {
      const asked = SshCertificateRequest.parse(JSON.parse(body.toString()))
      return give(200, {
        certificate: await known.issueSsh(asked),
        serial: '1',
        validBefore: Date.now() + 3_600_000,
      })
    }
    const registration = /^\/v1\/sync\/registrations\/([^/]+)$/.exec(path)
    if (registration !== null) {
      const key = decodeURIComponent(registration[1] ?? '')
      const asked = RegisterRequest.parse(JSON.parse(body.toString()))
      const before = known.runs.get(key)
      const run = before ?? newRun(key, asked)
      run.registrations += 1
      known.runs.set(key, run)
      return give(before === undefined ? 201 : 200, { run: run.run, logBytes: run.log.length })
    }
    const ofRun = /^\/v1\/sync\/runs\/([^/]+)\/(state|log)$/.exec(path)
    const run = known.runById(ofRun?.[1] ?? '')
    if (ofRun === null || run === undefined) return refuse(response, 404, 'NOT_FOUND', 'no such run')
    if (ofRun[2] === 'log') {
      const offset = Number(url.searchParams.get('offset'))
      if (offset <= run.log.length) run.log = Buffer.concat([run.log, body.subarray(run.log.length - offset)])
      return give(200, { sizeBytes: run.log.length })
    }
    const asked = StateRequest.parse(JSON.parse(body.toString()))
    if (asked.sequence > run.sequence) {
      run.sequence = asked.sequence
      run.run = Run.parse({ ...run.run, ...asked.run })
      if (run.states.at(-1) !== asked.run.state) run.states.push(asked.run.state)
    }
    return give(200, { sequence: run.sequence, cancelRequestedBy: known.cancelRequestedBy })
  }

  const server = createServer(
    {
      key: `-----BEGIN PRIVATE KEY-----\n${serverKey}\n-----END PRIVATE KEY-----\n`,
      cert: serverCertificate.toString('pem'),
      ca: [rootPem],
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        const body = Buffer.concat(pieces)
        if (body.length > agentApiLimits.bodyBytes) return refuse(response, 413, 'PAYLOAD_TOO_LARGE', 'too large')
        handle(request, response, body).catch((error: unknown) => {
          refuse(response, 500, 'INTERNAL', error instanceof Error ? error.message : String(error))
        })
      })
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(known, { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

let runNumber = 0

function newRun(key: string, { requestedBy }: RegisterRequest): KnownRun {
  runNumber += 1
  const id = (kind: string): string => `01900000-0000-7000-8${kind}-${String(runNumber).padStart(12, '0')}`
  const run = aRun({
    id: id('001'),
    idempotencyKey: key,
    batchId: id('002'),
    planId: '01900000-0000-7000-8000-0000000000c1',
    planName: 'agent-01',
    planKind: 'agent',
    nodeId: '01900000-0000-7000-8000-0000000000b1',
    nodeName: 'agent-01',
    trigger: 'agent',
    requestedBy,
    createdAt: Date.now(),
    seq: 1,
  })
  return { run, sequence: 0, log: Buffer.alloc(0), registrations: 0, states: [] }
}
