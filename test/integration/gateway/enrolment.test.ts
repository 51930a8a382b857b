import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentContacts } from '../../../src/engine/fleet/agentContacts.ts'
import { createAgentEnrollment } from '../../../src/engine/fleet/agentEnrollment.ts'
import { createAgentService } from '../../../src/engine/fleet/agentService.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import { agentApiPaths } from '../../../src/shared/agentApi/index.ts'
import { aNode } from '../../fakes/aNode.ts'
import {
  type Answer,
  aHeartbeat,
  enrolment,
  type GatewayRig,
  operator,
  registerRun,
  secretPart,
  startGateway,
} from '../../support/gatewayRig.ts'

describe('enrolment with a join token', () => {
  let rig: GatewayRig

  beforeEach(async () => {
    rig = await startGateway()
  })

  afterEach(() => rig.dispose())

  const tryToken = async (token: string, request?: Record<string, unknown>): Promise<Answer> =>
    rig.call('POST', agentApiPaths.enroll, { body: { ...(await enrolment()).request, ...request, token } })

  it('S0.27 S0.32 D10 makes an agent with a node of its own, and says so in the audit log', async () => {
    const agent = await rig.enroll('vm-7')
    expect(await rig.agent('vm-7')).toMatchObject({
      id: agent.agentId,
      status: 'active',
      hostname: 'host-01',
      enrolledBy: operator,
      lastSeenAt: null,
    })
    const node = await rig.store.getNode(agent.nodeId)
    expect(node).toMatchObject({ name: 'vm-7', transport: 'poll', user: 'sync-agent', principal: 'sync-agent' })
    expect(new X509Certificate(agent.clientCertificate).subjectAltName).toBe(`URI:lockstep:agent:${agent.agentId}`)
    const actions = (await rig.store.listAudit({ limit: 10 })).map((entry) => entry.action)
    expect(actions).toContain('agent.enroll')
    expect(await rig.store.verifyAudit()).toMatchObject({ intact: true })
  })

  it('a join token is one word with address, pin and secret, and only the hash of the secret is stored', async () => {
    const made = await rig.side.agents.createJoinToken({ nodeName: null, lifetimeSeconds: 60 }, operator)
    const content = JSON.parse(Buffer.from(made.secret.slice('lsj1.'.length), 'base64url').toString('utf8'))
    expect(made.command).toBe(`printf %s '${made.secret}' | sudo lockstep-agent enroll --join-file -`)
    expect(content.u).toBe(await rig.url())
    expect(content.f).toBe((await rig.pki.x509.roots())[0]?.fingerprint)
    expect(Buffer.from(content.s, 'base64url')).toHaveLength(32)
    await tryToken(content.s)
    const stored = JSON.stringify([
      await rig.store.listJoinTokens(),
      await rig.store.getJoinToken(made.token.id),
      await rig.store.listAudit({ limit: 100 }),
      await rig.store.eventsAfter(0, 1_000),
      rig.logLines,
    ])
    expect(stored).not.toContain(content.s)
    expect(stored).not.toContain(made.secret)
  })

  it('a join token used twice is refused the second time', async () => {
    const token = await rig.token('vm-1')
    expect((await tryToken(token)).status).toBe(201)
    const again = await tryToken(token, { hostname: 'host-02' })
    expect([again.status, again.body.error.code]).toEqual([403, 'JOIN_TOKEN_REFUSED'])
    expect(await rig.side.agents.list()).toHaveLength(1)
  })

  it('two agents with the same token at the same instant: one wins', async () => {
    const token = await rig.token()
    const hosts = ['host-1', 'host-2', 'host-3', 'host-4']
    const answers = await Promise.all(hosts.map((hostname) => tryToken(token, { hostname })))
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 403, 403, 403])
    expect(await rig.side.agents.list()).toHaveLength(1)
    expect(await rig.store.listNodes()).toHaveLength(1)
  })

  it('an expired and a revoked token are refused, and both say the same to who tries', async () => {
    const expired = await rig.side.agents.createJoinToken({ nodeName: null, lifetimeSeconds: 60 }, operator)
    const revoked = await rig.side.agents.createJoinToken({ nodeName: null, lifetimeSeconds: 3_600 }, operator)
    await rig.side.agents.revokeJoinToken(revoked.token.id, operator)
    rig.clock.shiftMs = 61_000
    const answers = [await tryToken(secretPart(expired.secret)), await tryToken(secretPart(revoked.secret))]
    expect(answers.map((answer) => answer.status)).toEqual([403, 403])
    expect(answers[0]?.body.error.message).toBe(answers[1]?.body.error.message)
    const why = (await rig.store.listAudit({ limit: 10 })).map((entry) => entry.detail.why)
    expect(why).toEqual(expect.arrayContaining(['expired', 'revoked']))
  })

  it('who guesses tokens is locked out with the time to wait, also with a right one, and it is on record', async () => {
    const right = await rig.token()
    const guesses: Answer[] = []
    for (let guess = 0; guess < 6; guess += 1) guesses.push(await tryToken(`guess-number-${guess}-of-many`))
    expect(guesses.map((answer) => answer.status)).toEqual([403, 403, 403, 403, 403, 429])
    expect(Number(guesses[5]?.headers['retry-after'])).toBeGreaterThan(60)
    expect((await tryToken(right)).status).toBe(429)
    const refusals = (await rig.store.listAudit({ limit: 50 })).filter((row) => row.action === 'agent.enroll-refused')
    expect(refusals).toHaveLength(5)
    expect(refusals[0]?.detail).toMatchObject({ lockedOut: true })
    rig.clock.shiftMs = 1_000_000
    expect((await tryToken(right)).status).toBe(201)
  })

  it('guessing from a thousand addresses fills no audit log', async () => {
    const enrollment = createAgentEnrollment({
      store: rig.store,
      clock: rig.clock,
      ids: createIdSource(rig.clock),
      x509: rig.pki.x509,
      logger: createLogging({ level: 'fatal', sinks: [] }).logger,
      abandonRuns: async () => undefined,
    })
    const { request } = await enrolment()
    const guess = (index: number): Promise<string> =>
      enrollment.enroll({ ...request, token: 'x'.repeat(43) }, `10.0.${index >> 8}.${index & 255}`).then(
        () => 'enrolled',
        (error: { code: string }) => error.code,
      )
    const answers = await Promise.all(Array.from({ length: 1_200 }, (_, index) => guess(index)))
    expect(new Set(answers)).toEqual(new Set(['JOIN_TOKEN_REFUSED']))
    const rows = (await rig.store.listAudit({ limit: 5_000 })).filter(({ action }) => action === 'agent.enroll-refused')
    expect(rows.length).toBeGreaterThan(900)
    expect(rows.length).toBeLessThan(1_010)
  })

  it('the name of a node that is pushed to is refused, and the token still counts', async () => {
    await rig.store.transact((transaction) => transaction.saveNode(aNode({ name: 'web-1' })))
    const token = await rig.token('web-1')
    const refused = await tryToken(token)
    expect([refused.status, refused.body.error.code]).toEqual([409, 'CONFLICT'])
    await rig.store.transact((transaction) => transaction.removeNode(aNode().id))
    expect((await tryToken(token)).status).toBe(201)
  })

  it('a node with an agent that was heard of is not taken over; one whose agent was revoked is', async () => {
    const first = await rig.enroll('vm-1')
    await rig.call('POST', agentApiPaths.heartbeat, { identity: first, body: aHeartbeat() })
    await expect(rig.enroll('vm-1')).rejects.toThrow('409')
    await rig.side.agents.revoke('vm-1', 'host was rebuilt', operator)
    const second = await rig.enroll('vm-1')
    expect(second.nodeId).toBe(first.nodeId)
    expect((await rig.agent('vm-1')).id).toBe(second.agentId)
    expect((await rig.store.listNodes()).map((node) => node.name)).toEqual(['vm-1'])
  })

  it('a token for any host puts nobody into the place of a node by a claimed host name', async () => {
    const first = await rig.enroll('vm-1')
    await rig.call('POST', agentApiPaths.heartbeat, { identity: first, body: aHeartbeat() })
    await rig.side.agents.revoke('vm-1', 'host was rebuilt', operator)
    const open = await rig.token(null)
    const refused = await tryToken(open, { hostname: 'vm-1' })
    expect([refused.status, refused.body.error.code]).toEqual([409, 'CONFLICT'])
    expect((await rig.store.getAgent(first.agentId))?.status).toBe('revoked')
    expect((await tryToken(open, { hostname: 'vm-2' })).status).toBe(201)
    expect((await rig.enroll('vm-1')).nodeId).toBe(first.nodeId)
  })

  it.each([
    ['a pattern', '*'],
    ['a quote', 'vm"1'],
    ['words', 'vm 1'],
    ['a command', 'vm$(id)'],
    ['text from right to left', 'vm\u202e1'],
    ['an escape of a terminal', 'vm\u009b1'],
  ])('a host that calls itself %s names no node', async (_what, hostname) => {
    const refused = await tryToken(await rig.token(null), { hostname })
    expect([refused.status, refused.body.error.code]).toEqual([400, 'INVALID_INPUT'])
  })

  it('a certificate that is signed while its agent is revoked does not outlive the agent', async () => {
    const agent = await rig.enroll('vm-1')
    const ask = () =>
      rig.call('POST', agentApiPaths.sshCertificate, {
        identity: agent,
        body: { publicKey: agent.sshPublicKey, minValidSeconds: 60 },
      })
    expect((await ask()).status).toBe(200)
    const late: string[] = []
    const agents = createAgentService({
      store: rig.store,
      clock: rig.clock,
      ids: createIdSource(rig.clock),
      contacts: new AgentContacts(),
      gateway: rig.side.gateway,
      abandonRuns: async () => undefined,
      revocations: {
        revoke: async (ids, options) => {
          if (late.length === 0) late.push((await ask()).body.serial)
          return rig.pki.revocations.revoke(ids, options)
        },
      },
    })
    await agents.revoke('vm-1', 'stolen', operator)
    expect(late).toEqual([expect.any(String)])
    const issued = await rig.store.listCertificates({ nodeId: agent.nodeId, nowMs: Date.now(), limit: 10 })
    expect(issued).toHaveLength(2)
    expect(issued.filter(({ revocation }) => revocation === null)).toEqual([])
    expect((await ask()).status).toBe(401)
  })

  it('a host that took an SSH certificate and never reported is not replaced in silence', async () => {
    const first = await rig.enroll('vm-1')
    const body = { publicKey: first.sshPublicKey, minValidSeconds: 60 }
    await rig.call('POST', agentApiPaths.sshCertificate, { identity: first, body })
    await expect(rig.enroll('vm-1')).rejects.toThrow('409')
  })

  it('an enrolment whose answer was lost is done again with another token', async () => {
    const lost = await rig.enroll('vm-1')
    const again = await rig.enroll('vm-1')
    expect((await rig.call('POST', agentApiPaths.heartbeat, { identity: again, body: aHeartbeat() })).status).toBe(200)
    expect((await rig.call('POST', agentApiPaths.heartbeat, { identity: lost, body: aHeartbeat() })).status).toBe(401)
  })

  it('a host that was off until its certificate ended is enrolled anew, and what it had open ends', async () => {
    const first = await rig.enroll('vm-1')
    const run = await registerRun(rig, first, 'key-of-run-1')
    await rig.call('POST', agentApiPaths.heartbeat, { identity: first, body: aHeartbeat() })
    rig.clock.shiftMs = 8 * 86_400_000
    const second = await rig.enroll('vm-1')
    expect(second.nodeId).toBe(first.nodeId)
    expect(await rig.store.getRun(run.id)).toMatchObject({ status: 'failed' })
    expect(await rig.store.getNode(first.nodeId)).toMatchObject({ activeRunId: null })
    expect((await rig.store.listAgents()).map((agent) => agent.status)).toEqual(['revoked', 'active'])
  })

  it.each([
    [
      'a request for a certificate that is none',
      { certificateRequest: '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----' },
    ],
    ['an SSH key that is none', { sshPublicKey: 'ssh-ed25519 AAAA' }],
    ['a host name that cannot name a node', { hostname: 'a/b' }],
    ['a missing field', { platform: undefined }],
  ])('%s is refused, and the token still counts', async (_what, wrong) => {
    const token = await rig.token()
    const refused = await tryToken(token, wrong)
    expect(refused.status).toBe(400)
    expect(refused.body.error.message).not.toContain(token)
    expect((await tryToken(token)).status).toBe(201)
  })

  it('a token cannot be made while the gateway is off', async () => {
    await rig.side.gateway.disable(operator)
    await expect(rig.token()).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
  })

  it('S0.19 S0.33 only the key of the enrolment gets an SSH certificate, for sync-agent and 16 h at most', async () => {
    const agent = await rig.enroll()
    const other = await enrolment()
    const ask = (publicKey: string, minValidSeconds = 3_600) =>
      rig.call('POST', agentApiPaths.sshCertificate, { identity: agent, body: { publicKey, minValidSeconds } })
    const refused = await ask(other.request.sshPublicKey)
    expect([refused.status, refused.body.error.code]).toEqual([403, 'FORBIDDEN'])
    const issued = await ask(agent.sshPublicKey, 57_600)
    expect(issued.status).toBe(200)
    const [row] = await rig.store.listCertificates({ nodeId: agent.nodeId, nowMs: rig.clock.nowMs(), limit: 5 })
    expect(row).toMatchObject({
      purpose: 'agent',
      principals: ['sync-agent'],
      serial: issued.body.serial,
      extensions: [],
    })
    expect((row?.validBefore ?? 0) - rig.clock.nowMs()).toBeLessThanOrEqual(57_600_000)
    expect((await rig.agent(agent.agentId)).sshCertificate?.serial).toBe(issued.body.serial)
  })
})
