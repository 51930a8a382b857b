import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import type { FleetNode, NodeInput } from '../../../src/shared/model/node.ts'
import { NodeInput as NodeInputSchema } from '../../../src/shared/model/node.ts'
import { PlanInput } from '../../../src/shared/model/plan.ts'
import { isFinal, type Run } from '../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'
import { TestWindow, until } from '../terminals/harness.ts'

interface KeyPair {
  readonly file: string
  readonly publicLine: string
  readonly fingerprint: string
}

function makeKey(file: string, type: 'ed25519' | 'ecdsa' | 'rsa', passphrase = ''): void {
  const made = spawnSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'fleet', '-f', file])
  if (made.status !== 0) throw new Error(String(made.stderr))
}

/** Lines of a private key between its markers, but those of its public half: what must appear nowhere. */
const secretsOf = (privateKey: string, { publicLine }: KeyPair): string[] =>
  privateKey.split('\n').filter((line) => line.length > 30 && !line.startsWith('-----') && !publicLine.includes(line))

async function everyFile(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

describe.skipIf(sshdMissing !== null)(
  `nodes with static keys${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let directory: string
    let test: TestEngine
    let sshd: TestSshd
    const keys = new Map<string, KeyPair>()
    const key = (name: string): KeyPair => keys.get(name) as KeyPair

    async function addNode(name: string, overrides: Partial<NodeInput> = {}): Promise<FleetNode> {
      const { address, port, user } = sshd
      const { offered: hostKeys } = await test.client.nodes.probeHostKey({ address, port })
      const node = NodeInputSchema.parse({ name, kind: 'vps', address, port, user, ...overrides })
      return test.client.nodes.add({ node, hostKeys })
    }
    const withKey = (name: string): Partial<NodeInput> => ({ login: { kind: 'static-key', keyFile: key(name).file } })
    const applyPlan = (name: string, selector: string) =>
      test.client.plans.apply({
        plans: [
          PlanInput.parse({
            name,
            kind: 'tree',
            selector,
            spec: { push: { source: join(directory, 'source'), target: join(directory, 'remote') } },
          }),
        ],
      })
    async function push(node: string): Promise<Run> {
      await test.client.runs.push({
        idempotencyKey: `test-${node}-${Math.random()}` as never,
        plans: [],
        targets: { kind: 'nodes', nodes: [node] },
      })
      return test.runOf(node, (run) => isFinal(run.status))
    }
    const issued = () => test.client.certificates.list({ search: '', limit: 100 } as never)

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'ls-static-'))
      await mkdir(join(directory, 'source'))
      await writeFile(join(directory, 'source', 'a.txt'), 'one')
      for (const [name, type] of [
        ['shared', 'ed25519'],
        ['ecdsa', 'ecdsa'],
        ['rsa', 'rsa'],
        ['stranger', 'ed25519'],
      ] as const) {
        const file = join(directory, `id_${name}`)
        makeKey(file, type)
        const publicLine = (await readFile(`${file}.pub`, 'utf8')).trim()
        const printed = spawnSync('ssh-keygen', ['-lf', file], { encoding: 'utf8' }).stdout
        keys.set(name, { file, publicLine, fingerprint: printed.split(' ')[1] ?? '' })
      }
      test = await startTestEngine()
      const [authority] = await test.client.certificates.createAuthorities({ kinds: ['ssh-user'] })
      sshd = await startSshd({
        authorizedKeys: ['shared', 'ecdsa', 'rsa'].map((name) => key(name).publicLine),
        trustedUserCa: authority?.publicKey ?? '',
        principals: ['sync-agent'],
      })
    })
    afterAll(async () => {
      await test.dispose()
      await sshd.stop()
      await rm(directory, { recursive: true, force: true })
    })

    it('D9 S1.4 S1.88 S1.89 pushes with a key that several nodes share: green, marked, and without any certificate', async () => {
      await addNode('one', withKey('shared'))
      await addNode('two', withKey('shared'))
      await applyPlan('site', 'login:static-key')
      const run = await push('one')
      expect([run.failure?.sentence, run.status]).toEqual([undefined, 'succeeded'])
      expect(run.visits.find(({ state }) => state === 'ENSURE_CERT')?.outcome).toBe('skipped')
      expect(run.certificateSerial).toBeNull()
      expect(run.proof).toMatchObject({ certificateSerial: null, staticKey: key('shared').fingerprint })
      expect(await readFile(join(directory, 'remote', 'a.txt'), 'utf8')).toBe('one')
      const node = await test.node('one')
      expect(node.certificate).toBeNull()
      expect(computeTile(node, Date.now())).toMatchObject({ fill: 'in-step', certificate: { level: 'static-key' } })
      expect(await issued()).toEqual([])
      const listed = await test.client.nodes.list({ filter: 'login:static-key' })
      expect(listed.map(({ name }) => name)).toEqual(['one', 'two'])
      expect(await sshd.log()).toContain(`Accepted key ED25519 ${key('shared').fingerprint}`)
    })

    it.each(['ecdsa', 'rsa'])('D9 a key of type %s logs in with ssh2 and with system ssh and rsync', async (name) => {
      await addNode(name, withKey(name))
      const run = await push(name)
      expect([run.failure?.sentence, run.status]).toEqual([undefined, 'succeeded'])
      expect(run.proof?.staticKey).toBe(key(name).fingerprint)
    })

    it('D9 a terminal opens with the static key', async () => {
      const terminal = await test.client.terminals.open({ node: 'one', size: { columns: 80, rows: 24 } })
      const window = new TestWindow()
      test.engine.attachTerminal(terminal.id, window)
      window.type('tty && exit 7\r')
      await until('the exit frame', () => window.exitCode !== null)
      expect(window.tail).toContain('/dev/pts/')
      expect(window.exitCode).toBe(7)
    })

    it('D9 doctor names the key and warns about it', async () => {
      const report = await test.client.nodes.doctor({ node: 'one' })
      expect(report.diagnosis).toBeNull()
      const step = report.steps.find(({ name }) => name === 'static key')
      expect(step).toMatchObject({ status: 'warning', detail: expect.stringContaining(key('shared').fingerprint) })
      expect(report.steps.some(({ name }) => name === 'certificate')).toBe(false)
    })

    it('D9 nothing is renewed for it, and that is said', async () => {
      const targets = { kind: 'nodes' as const, nodes: ['one'] }
      await expect(test.client.certificates.renew({ targets })).rejects.toMatchObject({
        code: 'PRECONDITION_FAILED',
        message: expect.stringMatching(/one is logged in to with a static key.*--certificate/),
      })
      expect(await test.client.certificates.renew({ targets: { kind: 'all' } })).toEqual([])
      expect(await issued()).toEqual([])
    })

    it('D9 a rotation does not wait for such nodes, and names them', async () => {
      await test.client.certificates.startRotation({ kind: 'ssh-user' })
      try {
        expect(await test.client.certificates.rotationProgress({ kind: 'ssh-user' })).toMatchObject({
          total: 0,
          ready: true,
          outside: ['ecdsa', 'one', 'rsa', 'two'],
        })
      } finally {
        await test.client.certificates.rollBackRotation({ kind: 'ssh-user' })
      }
    })

    it('D9 what a revocation would mean names them: it does not stop a static key', async () => {
      const preview = await test.client.certificates.previewRevocation({ targets: { kind: 'nodes', nodes: ['one'] } })
      expect(preview).toMatchObject({ certificates: [], staticKeyNodes: ['ecdsa', 'one', 'rsa', 'two'] })
    })

    it('D9 a key that others may read is not used, from the next login on', async () => {
      await chmod(key('shared').file, 0o644)
      try {
        const node = await test.client.nodes.check({ node: 'one' })
        expect(node.reachability).toMatchObject({
          status: 'unreachable',
          diagnosis: {
            code: 'PRECONDITION_FAILED',
            sentence: expect.stringContaining(`chmod 600 ${key('shared').file}`),
          },
        })
        const run = await push('one')
        expect(run).toMatchObject({ status: 'failed', failure: { short: 'key file too open' } })
        const terminal = test.client.terminals.open({ node: 'one', size: { columns: 80, rows: 24 } })
        await expect(terminal).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
      } finally {
        await chmod(key('shared').file, 0o600)
      }
      expect((await test.client.nodes.check({ node: 'one' })).reachability.status).toBe('reachable')
    })

    it('D9 a missing key, a passphrase and a file that is no key are told apart', async () => {
      const away = `${key('shared').file}.away`
      await rename(key('shared').file, away)
      const missing = await test.client.nodes.doctor({ node: 'one' })
      await rename(away, key('shared').file)
      expect(missing.diagnosis).toMatchObject({ short: 'key file missing' })

      const locked = join(directory, 'id_locked')
      makeKey(locked, 'ed25519', 'open sesame')
      const noKey = join(directory, 'no-key')
      await writeFile(noKey, 'CANARY-not-a-key-4711', { mode: 0o600 })
      for (const [name, keyFile, short] of [
        ['locked', locked, 'key has a passphrase'],
        ['nokey', noKey, 'key file unusable'],
        ['directory', directory, 'key file unusable'],
      ] as const) {
        await addNode(name, { login: { kind: 'static-key', keyFile }, maintenance: true })
        const { diagnosis } = await test.client.nodes.doctor({ node: name })
        expect(diagnosis).toMatchObject({ short })
        expect(JSON.stringify(diagnosis)).not.toContain('CANARY')
        await test.client.nodes.remove({ node: name })
      }
    })

    it('D9 a key that the node does not know is refused by name', async () => {
      await addNode('stranger', withKey('stranger'))
      const run = await push('stranger')
      expect(run.failure).toMatchObject({
        code: 'KEY_REFUSED',
        short: 'static key refused',
        sentence: expect.stringContaining('authorized_keys'),
      })
      expect(run.failure?.evidence.join()).toContain(key('stranger').fingerprint)
      const { diagnosis } = await test.client.nodes.doctor({ node: 'stranger' })
      expect(diagnosis).toMatchObject({ code: 'KEY_REFUSED', short: 'static key refused' })
      await test.client.nodes.remove({ node: 'stranger' })
    })

    it('D9 a node moves to certificates and back, and each run says what it logged in with', async () => {
      await applyPlan('site', '*')
      const moved = await test.client.nodes.update({ node: 'two', patch: { login: { kind: 'certificate' } } })
      expect(moved.login).toEqual({ kind: 'certificate' })
      const certified = await push('two')
      expect([certified.failure?.sentence, certified.status]).toEqual([undefined, 'succeeded'])
      expect(certified.certificateSerial).not.toBeNull()
      expect(certified.proof?.staticKey).toBeUndefined()
      expect(computeTile(await test.node('two'), Date.now()).certificate.level).toBe('ok')

      const { login } = withKey('shared')
      const back = await test.client.nodes.update({ node: 'two', patch: { login } })
      expect(back.certificate).toBeNull()
      const again = await push('two')
      expect(again).toMatchObject({ status: 'succeeded', certificateSerial: null })
      expect(again.proof).toMatchObject({ certificateSerial: null, staticKey: key('shared').fingerprint })
    })

    it('D9 a relative path, or one with two names, is refused', async () => {
      for (const keyFile of ['id_fleet', '~/id_fleet', '/keys/../id_fleet', '/keys//id_fleet', '/keys/'])
        await expect(
          test.client.nodes.update({ node: 'one', patch: { login: { kind: 'static-key', keyFile } } }),
        ).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('key file') })
    })

    it('D9 S1.4 the private key is in no file of the home, no log line and no answer', async () => {
      const secrets: string[] = []
      for (const pair of keys.values()) secrets.push(...secretsOf(await readFile(pair.file, 'utf8'), pair))
      expect(secrets.length).toBeGreaterThan(10)
      const said = [...test.logLines, JSON.stringify(await test.client.nodes.list({ filter: '' }))]
      for (const { id } of (await test.client.runs.list({ limit: 100 })).runs)
        said.push(JSON.stringify(await test.client.runs.get({ runId: id })))
      said.push(JSON.stringify(await test.client.audit.list({ limit: 200 } as never)))
      const files = await everyFile(dirname(test.home.keysDirectory))
      expect(files.length).toBeGreaterThan(3)
      for (const file of files) said.push((await readFile(file)).toString('latin1'))
      // What the search would find: the path of the file is known, and so is its public half.
      expect(said.some((text) => text.includes(key('shared').fingerprint))).toBe(true)
      expect(said.filter((text) => text.includes('PRIVATE KEY'))).toEqual([])
      for (const secret of secrets) expect(said.filter((text) => text.includes(secret))).toEqual([])
    })
  },
)
