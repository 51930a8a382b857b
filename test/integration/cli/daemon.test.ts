import { readFile, stat, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { exec } from '../../../src/platform/exec.ts'
import { AuditEntry, AuditVerification } from '../../../src/shared/model/audit.ts'
import { Authority, IssuedCertificate } from '../../../src/shared/model/certificate.ts'
import { DemoStatus } from '../../../src/shared/model/demo.ts'
import { DoctorReport } from '../../../src/shared/model/diagnosis.ts'
import { BatchId, IdempotencyKey, NodeId, PlanId, RunId } from '../../../src/shared/model/ids.ts'
import { FleetNode } from '../../../src/shared/model/node.ts'
import { Plan } from '../../../src/shared/model/plan.ts'
import { Run } from '../../../src/shared/model/run.ts'
import { EngineStatus } from '../../../src/shared/model/system.ts'
import { type CliOptions, type Daemon, json, makeHome, refused, runCli, serveDaemon } from './harness.ts'

const PushResult = z.object({ batchId: BatchId, idempotencyKey: IdempotencyKey, runs: z.array(Run) })
const Runs = z.object({ runs: z.array(Run), next: RunId.nullable() })

let place: Awaited<ReturnType<typeof makeHome>>
let daemon: Daemon

const cli = <T extends z.ZodType>(schema: T, ...args: string[]): Promise<z.output<T>> => json(place.home, args, schema)
const no = (args: readonly string[], options?: CliOptions) => refused(place.home, args, options)
const say = (...args: string[]) => runCli(place.home, args)

/** As a person opens a link: `fetch` calls itself a script of a page. */
const statusOf = (url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    }).once('error', reject)
  })

describe('the command line beside a daemon', () => {
  beforeAll(async () => {
    place = await makeHome()
    daemon = await serveDaemon(place.home, [
      '--demo',
      '--nodes',
      '3',
      '--reconcile-seconds',
      '3600',
      '--probe-seconds',
      '0.5',
    ])
  })

  afterAll(async () => {
    await runCli(place.home, ['demo', 'down'])
    await daemon.stop()
    await place.remove()
  })

  it('serve prints the home and a link that works once; open-link prints another one', async () => {
    expect(daemon.output()).toMatch(new RegExp(`^Lockstep serves ${place.home}\nhttp://127\\.0\\.0\\.1:\\d+/\\S+\n$`))
    const { link } = await cli(z.object({ link: z.url() }), 'open-link')
    expect(link).not.toBe(daemon.link)
    expect(await statusOf(link)).toBe(200)
    expect(await statusOf(link)).toBe(401)
    expect((await say('link')).stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\S+\n$/)
  })

  it('status names the daemon as the owner', async () => {
    const status = await cli(EngineStatus.extend({ owner: z.literal('daemon') }), 'status')
    expect(status).toMatchObject({ host: 'daemon', home: place.home, counts: { nodes: 3 } })
    expect(status.vault.unlocked).toBe(true)
    expect((await say('status')).stdout).toContain(`daemon, process ${status.pid}`)
  })

  it('demo status shows real servers', async () => {
    const status = await cli(DemoStatus, 'demo', 'status')
    expect(status).toMatchObject({ up: true })
    expect(status.nodes.map((node) => node.name)).toEqual(['ada-laptop', 'edge-fra-1', 'worker-01'])
    expect(await no(['demo', 'fault', 'worker-01', 'on-fire'])).toMatchObject({ exitCode: 2 })
    expect(await no(['demo', 'heal', 'nobody'])).toMatchObject({ exitCode: 3 })
  })

  it('S0.88 S1.104 push --wait gives full runs, and the same key gives the same runs', async () => {
    const first = await cli(PushResult, 'push', '--all', '--wait', '--idempotency-key', 'cli-test-key-1')
    expect(first.runs.map((run) => `${run.nodeName} ${run.status}`).sort()).toEqual([
      'ada-laptop succeeded',
      'edge-fra-1 succeeded',
      'worker-01 succeeded',
    ])
    expect(first.runs.every((run) => run.proof !== null)).toBe(true)
    const again = await cli(PushResult, 'push', '--all', '--wait', '--idempotency-key', 'cli-test-key-1')
    expect(again).toEqual({ ...first, runs: expect.any(Array) })
    expect(again.runs.map((run) => run.id).sort()).toEqual(first.runs.map((run) => run.id).sort())
    const listed = await cli(Runs, 'runs', 'list', '--batch', first.batchId)
    expect(listed.runs).toHaveLength(3)
  })

  it('push without --wait registers and returns; the key it made is told', async () => {
    const result = await say('push', 'ada-laptop', '--node', 'worker-01', '--plan', 'demo-site')
    expect(result).toMatchObject({ exitCode: 0 })
    expect(result.stdout).toMatch(/^2 runs registered: lockstep runs list --batch [0-9a-f-]{36}\n$/)
    expect(result.stderr).toMatch(/^Idempotency key cli\.[0-9a-f-]{36}\n$/)
    const filtered = await cli(PushResult, 'push', '--filter', 'kind:worker', '--wait')
    expect(filtered.runs.map((run) => run.nodeName)).toEqual(['worker-01'])
  })

  it('push wants one choice of nodes and refuses what is not there', async () => {
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [['push'], 2, 'Say which nodes'],
      [['push', '--all', 'ada-laptop'], 2, 'give one of them'],
      [['push', '--filter', 'kind:'], 2, 'needs a value'],
      [['push', '--filter', 'name:nobody'], 3, 'No node matches'],
      [['push', '--all', '--plan', 'no-plan'], 3, 'no plan "no-plan"'],
      [['push', '$(touch x); --all'], 3, 'There is no node'],
      [['push', '--all', '--idempotency-key', 'short'], 2, '8 characters'],
      [['push', '--all', '--timeout-seconds', '-1'], 2, 'timeout-seconds'],
    ]
    const answers = await Promise.all(cases.map(([args]) => no(args)))
    answers.forEach(({ exitCode, error }, index) => {
      expect({ exitCode, message: error.message }).toEqual({
        exitCode: cases[index]?.[1],
        message: expect.stringContaining(cases[index]?.[2] ?? ''),
      })
    })
  })

  it('S1.102 S1.103 health groups nodes and says status and last sync', async () => {
    const { stdout } = await say('health')
    const iso = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ'
    expect(stdout).toMatch(new RegExp(`^Management Laptops:\n• ada-laptop: active \\(last sync: ${iso}\\) ✓\n`))
    expect(stdout).toMatch(new RegExp(`\nVPS Edge Nodes:\n• edge-fra-1: active \\(last sync: ${iso}\\) ✓\n`))
    expect(stdout).toMatch(new RegExp(`\nWorker Nodes:\n• worker-01: active \\(last sync: ${iso}\\) ✓\n`))
    expect(stdout).not.toContain('Storage Nodes:')
    expect(await say('sync-controller', 'health')).toMatchObject({ exitCode: 0, stdout })
    const { groups } = await cli(
      z.object({
        groups: z.array(
          z.object({
            heading: z.string(),
            nodes: z.array(z.object({ name: z.string(), status: z.string(), lastSync: z.iso.datetime().nullable() })),
          }),
        ),
      }),
      'health',
    )
    expect(groups.map((group) => group.nodes.length)).toEqual([1, 1, 1, 0, 0])
  })

  it('a node that is offline fails its run with the cause: exit 1, and is green again after heal', async () => {
    await cli(DemoStatus, 'demo', 'fault', 'edge-fra-1', 'offline')
    const failed = await say('push', 'edge-fra-1', 'ada-laptop', '--wait')
    expect(failed).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(
        /edge-fra-1 {2}demo-site {2}failed {2}.*refused[\s\S]*1 of 2 runs succeeded, 1 did not/,
      ),
    })
    const report = await json(place.home, ['doctor', 'edge-fra-1'], DoctorReport, { exitCode: 1 })
    expect(report.diagnosis?.code).toBe('CONNECTION_REFUSED')
    await json(place.home, ['nodes', 'check', 'edge-fra-1'], FleetNode, { exitCode: 1 })
    await cli(DemoStatus, 'demo', 'heal', 'edge-fra-1')
    expect((await cli(FleetNode, 'nodes', 'check', 'edge-fra-1')).reachability.status).toBe('reachable')
    expect((await cli(DoctorReport, 'doctor', 'edge-fra-1')).diagnosis).toBeNull()
  })

  it('a first host key is a decision: shown, refused without one, taken only if it is the one offered', async () => {
    const server = (await cli(DemoStatus, 'demo', 'status')).nodes[0]
    const name = `it's "a" $(node) ‮`
    const args = [
      'nodes',
      'add',
      '--name',
      name,
      '--kind',
      'vm',
      '--address',
      server?.address ?? '',
      '--port',
      String(server?.port),
      '--user',
      'sync',
      '--label',
      'stage=test',
    ]
    const undecided = await no(args)
    expect(undecided).toMatchObject({ exitCode: 4, error: { code: 'PRECONDITION_FAILED' } })
    const offered = z.array(z.object({ fingerprint: z.string() })).parse(undecided.error.data?.offered)
    expect(await no([...args, '--accept-host-key', 'SHA256:another'])).toMatchObject({
      exitCode: 4,
      error: { code: 'CONFLICT' },
    })
    const added = await cli(FleetNode, ...args, '--accept-host-key', offered[0]?.fingerprint ?? '')
    expect(added.hostKeys.map((key) => key.fingerprint)).toEqual([offered[0]?.fingerprint])
    expect(await no([...args, '--host-key-later'])).toMatchObject({ exitCode: 4, error: { code: 'CONFLICT' } })
    expect((await say('nodes', 'list')).stdout).not.toContain('‮')
    const changed = await cli(
      FleetNode,
      'nodes',
      'update',
      name,
      '--label',
      'team=x',
      '--remove-label',
      'stage',
      '--maintenance',
      'on',
      '--port',
      '2',
    )
    expect(changed).toMatchObject({ labels: { team: 'x' }, maintenance: true, port: 2 })
    expect(await cli(z.object({ nodeId: NodeId }), 'nodes', 'remove', name)).toEqual({ nodeId: added.id })
    expect(await no(['nodes', 'show', name])).toMatchObject({ exitCode: 3 })
  })

  it('nodes accept-host-key pins what the node offers now', async () => {
    const node = await cli(FleetNode, 'nodes', 'show', 'worker-01')
    const fingerprint = node.hostKeys[0]?.fingerprint ?? ''
    expect((await cli(FleetNode, 'nodes', 'accept-host-key', 'worker-01', fingerprint)).hostKeys).toHaveLength(1)
    expect(await no(['nodes', 'accept-host-key', 'worker-01', 'SHA256:other'])).toMatchObject({ exitCode: 4 })
    expect(await no(['nodes', 'accept-host-key', 'worker-01', 'MD5:00'])).toMatchObject({ exitCode: 2 })
  })

  it('S1.15 imports the three lists of a registry, all or nothing', async () => {
    const registry = {
      management_laptops: [
        { ip: '100.86.112.112', name: 'imported-laptop', ssh_user: 'someone', status: 'active', last_sync: null },
      ],
      vps_nodes: [{ ip: '100.1.1.1', name: 'imported-vps', ssh_user: 'sammy' }],
      worker_nodes: [],
    }
    const bad = { ...registry, worker_nodes: [{ ip: 'not an address', name: '-x', ssh_user: 'root' }] }
    const refusedImport = await no(['nodes', 'import', '-'], { stdin: JSON.stringify(bad) })
    expect(refusedImport.exitCode).toBe(2)
    expect(refusedImport.error.message).toMatch(/document 1, line 1, worker_nodes\.0\.ip: an address is/)
    expect(refusedImport.error.message).toMatch(/worker_nodes\.0\.name: a name does not start with a dash/)
    expect(await cli(z.array(FleetNode), 'nodes', 'list', '--filter', 'imported-*')).toEqual([])
    const imported = await json(place.home, ['nodes', 'import', '-'], z.array(FleetNode), {
      stdin: JSON.stringify(registry),
    })
    expect(imported.map((node) => [node.name, node.kind, node.status, node.hostKeys.length])).toEqual([
      ['imported-laptop', 'laptop', 'pending_sync', 0],
      ['imported-vps', 'vps', 'pending_sync', 0],
    ])
    const twice = await no(['nodes', 'import', '-'], {
      stdin: '- {name: fresh, kind: vm, address: h, user: u}\n- {name: imported-vps, kind: vm, address: h, user: u}\n',
    })
    expect(twice).toMatchObject({ exitCode: 4, error: { code: 'CONFLICT' } })
    expect(await no(['nodes', 'show', 'fresh'])).toMatchObject({ exitCode: 3 })
    for (const node of imported) await cli(z.unknown(), 'nodes', 'remove', node.id)
  })

  it('plans apply names document, line and field, and applies nothing of a bad file', async () => {
    const good = 'name: one\nkind: tree\nselector: name:nobody\nspec: { push: { source: /srv/x, target: ~/x } }\n'
    const file = join(place.home, 'plans.yaml')
    await writeFile(
      file,
      `${good}---\nname: two\nkind: tree\nselector: '*'\nspec:\n  push: { source: relative, target: /../etc }\n`,
    )
    const wrong = await no(['plans', 'apply', file])
    expect(wrong.exitCode).toBe(2)
    expect(wrong.error.message).toMatch(/document 2, line 10, spec\.push\.source: a path is absolute/)
    expect(wrong.error.message).toMatch(/document 2, line 10, spec\.push\.target: a path holds no \.\. segment/)
    expect(await no(['plans', 'show', 'one'])).toMatchObject({ exitCode: 3 })
    const cases: readonly (readonly [string, RegExp])[] = [
      ['name: [', /document 1, line/],
      ['', /there is no plan/],
      [`${good}---\n${good}`, /same name/],
      ['a: &a [x,x]\nb: &b [*a,*a]\n'.repeat(2), /line/],
      [good.replace('name:nobody', `'kind:'`), /selector of plan "one" does not read/],
      [`${good}extra: 1\n`, /extra/],
    ]
    for (const [stdin, message] of cases) {
      const answer = await no(['plans', 'apply', '-'], { stdin })
      expect({ exitCode: answer.exitCode, message: answer.error.message }).toEqual({
        exitCode: 2,
        message: expect.stringMatching(message),
      })
    }
    expect(await no(['plans', 'apply', join(place.home, 'absent.yaml')])).toMatchObject({ exitCode: 3 })
    expect(await no(['plans', 'apply', place.home])).toMatchObject({ exitCode: 2 })
  })

  it('plans apply, list, show and remove; what show prints can be applied again', async () => {
    const source = `/srv/it's "odd"\nname`
    const text = `- name: hostile\n  kind: tree\n  selector: name:nobody\n  spec: { push: { source: ${JSON.stringify(source)}, target: ~/x } }\n`
    const [plan] = await json(place.home, ['plans', 'apply', '-f', '-'], z.array(Plan), { stdin: text })
    expect(plan).toMatchObject({ revision: 1, spec: { push: { source } } })
    const shown = await say('plans', 'show', 'hostile')
    const [same] = await json(place.home, ['plans', 'apply', '-'], z.array(Plan), { stdin: shown.stdout })
    expect(same).toMatchObject({ id: plan?.id, revision: 1 })
    expect((await say('plans', 'list')).stdout.split('\n').filter((line) => line.startsWith('hostile'))).toHaveLength(1)
    expect(await cli(z.object({ planId: PlanId }), 'plans', 'remove', 'hostile')).toEqual({ planId: plan?.id })
  })

  it('plans apply warns when two plans write the same place on the same nodes, and applies them all the same', async () => {
    const plan = (name: string, target: string) =>
      `- name: ${name}\n  kind: tree\n  selector: name:ada-laptop\n  spec: { push: { source: /srv/x, target: ${target} } }\n`
    const alone = await runCli(place.home, ['plans', 'apply', '-'], { stdin: plan('first', '~/one') })
    expect(alone).toMatchObject({ exitCode: 0, stderr: '' })
    const both = await runCli(place.home, ['plans', 'apply', '-'], { stdin: plan('second', '~/one/inner') })
    expect(both).toMatchObject({ exitCode: 0, stdout: 'second: created, revision 1\n' })
    expect(both.stderr).toContain(
      'Warning: The plans "second" and "first" both write ~/one/inner on 1 node (ada-laptop): each run of one undoes the other.',
    )
    for (const name of ['first', 'second']) await cli(z.object({ planId: PlanId }), 'plans', 'remove', name)
  })

  it('runs list filters and pages; show and log read one run', async () => {
    const page = await cli(Runs, 'runs', 'list', '--node', 'ada-laptop', '--status', 'succeeded', '--limit', '1')
    const [newest] = page.runs
    expect(newest).toMatchObject({ nodeName: 'ada-laptop', status: 'succeeded' })
    const older = await cli(
      Runs,
      'runs',
      'list',
      '--node',
      'ada-laptop',
      '--plan',
      'demo-site',
      '--status',
      'succeeded,failed',
      '--before',
      page.next ?? '',
    )
    expect(older.runs.every((run) => run.id < (newest?.id ?? ''))).toBe(true)
    const runId = newest?.id ?? ''
    expect((await cli(Run, 'runs', 'show', runId)).id).toBe(runId)
    expect((await cli(Run, 'runs', 'show', runId.slice(0, 24).toUpperCase())).id).toBe(runId)
    expect(await no(['runs', 'show', 'ffff'])).toMatchObject({ exitCode: 3, error: { code: 'NOT_FOUND' } })
    // All were made within the hour.
    const many = await no(['runs', 'show', runId.slice(0, 4)])
    expect(many).toMatchObject({ exitCode: 2, error: { message: expect.stringContaining('Several runs') } })
    expect(await no(['runs', 'show', 'edge-fra-1'])).toMatchObject({ exitCode: 2 })
    expect((await say('runs', 'show', runId)).stdout).toMatch(/PUSH_SYNC +1 +done/)
    const log = await cli(
      z.object({ runId: RunId, text: z.string(), totalBytes: z.number(), complete: z.boolean() }),
      'runs',
      'log',
      runId,
      '--follow',
    )
    expect(log).toMatchObject({ complete: true, text: expect.stringContaining('== PUSH_SYNC') })
    expect((await say('runs', 'log', runId)).stdout).toBe(log.text)
    const bad = await Promise.all([
      no(['runs', 'show', 'not-an-id']),
      no(['runs', 'show', '01a1fc86-b60f-722c-a286-6617f32292ae']),
      no(['runs', 'approve', runId, '--reason', 'mass-delete']),
      no(['runs', 'approve', runId, '--reason', 'because']),
      no(['runs', 'list', '--status', 'happy']),
      no(['runs', 'list', '--limit', '0']),
    ])
    expect(bad.map(({ exitCode }) => exitCode)).toEqual([2, 3, 4, 2, 2, 2])
    expect(await say('runs', 'cancel', runId)).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('nothing to cancel'),
    })
  })

  it('a safety stop ends push --wait with 6, and approve lets that one run go on', async () => {
    const plan = (await cli(z.array(Plan), 'plans', 'list')).find((each) => each.name === 'demo-site')
    const leg = plan?.kind === 'tree' ? plan.spec.push : null
    const stop = `name: demo-site\nkind: tree\nselector: ${plan?.selector}\nspec: { push: { source: ${join(place.home, 'empty')}, target: ${leg?.target} }, delete: true }\n`
    await exec({ command: 'mkdir', args: [join(place.home, 'empty')] })
    await json(place.home, ['plans', 'apply', '-'], z.array(Plan), { stdin: stop })
    const pushed = await json(place.home, ['push', 'worker-01', '--wait'], PushResult, { exitCode: 6 })
    expect(pushed.runs[0]).toMatchObject({ status: 'halted', halt: { reason: 'source-empty' } })
    const runId = pushed.runs[0]?.id ?? ''
    expect(await no(['runs', 'approve', runId, '--reason', 'mass-delete'])).toMatchObject({ exitCode: 4 })
    expect((await cli(Run, 'runs', 'cancel', runId)).status).toBe('canceled')
    const next = await json(place.home, ['push', 'worker-01', '--wait'], PushResult, { exitCode: 6 })
    expect(
      (await cli(Run, 'runs', 'approve', next.runs[0]?.id ?? '', '--reason', 'source-empty')).approvals,
    ).toHaveLength(1)
    // Everything would be deleted now, which is another safety stop: following the log ends there, too.
    const followed = await cli(z.object({ complete: z.boolean() }), 'runs', 'log', next.runs[0]?.id ?? '', '--follow')
    expect(followed.complete).toBe(false)
    expect((await cli(Run, 'runs', 'show', next.runs[0]?.id ?? '')).halt?.reason).toBe('mass-delete')
    const again = `name: demo-site\nkind: tree\nselector: ${plan?.selector}\nspec: { push: { source: ${leg?.source}, target: ${leg?.target} }, delete: true }\n`
    await json(place.home, ['plans', 'apply', '-'], z.array(Plan), { stdin: again })
  })

  it('issues a certificate that ssh-keygen reads, overwrites nothing, and refuses a private key', async () => {
    const key = join(place.home, 'person')
    await exec({ command: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-C', 'person', '-f', key] })
    const out = join(place.home, 'person-cert.pub')
    const args = [
      'cert',
      'issue',
      '--public-key',
      `${key}.pub`,
      '--principal',
      'sync-agent',
      '--reason',
      'a test',
      '--lifetime-seconds',
      '600',
      '--force-command',
      'uptime',
      '--source-address',
      '127.0.0.0/8',
    ]
    const issued = await cli(IssuedCertificate, ...args, '--permit-pty', '--out', out)
    expect(issued).toMatchObject({ principals: ['sync-agent'], reason: 'a test', extensions: ['permit-pty'] })
    const { stdout } = await exec({ command: 'ssh-keygen', args: ['-L', '-f', out] })
    expect(stdout).toMatch(/force-command uptime/)
    expect(await no([...args, '--out', out])).toMatchObject({ exitCode: 4, error: { code: 'CONFLICT' } })
    expect((await say(...args)).stdout).toMatch(/^ssh-ed25519-cert-v01@openssh\.com \S+/)
    const secret = await no(['cert', 'issue', '--public-key', key, '--principal', 'alice', '--reason', 'oops'])
    expect(secret).toMatchObject({ exitCode: 2 })
    expect(JSON.stringify(secret.error)).not.toContain((await readFile(key, 'utf8')).split('\n')[1])
    const bad = await Promise.all([
      no(['cert', 'issue', '--public-key', `${key}.pub`, '--reason', 'x']),
      no(['cert', 'issue', '--public-key', `${key}.pub`, '--principal', '*', '--reason', 'x']),
      no(['cert', 'issue', '--public-key', `${key}.pub`, '--principal', 'root', '--reason', 'x']),
      no([
        'cert',
        'issue',
        '--public-key',
        `${key}.pub`,
        '--principal',
        'a',
        '--reason',
        'x',
        '--lifetime-seconds',
        '60000',
      ]),
      no(['cert', 'renew']),
      no(['cert', 'renew', 'nobody']),
    ])
    expect(bad.map(({ exitCode }) => exitCode)).toEqual([2, 2, 4, 2, 2, 3])
    expect(
      (await cli(z.array(IssuedCertificate), 'certificates', 'list', '--limit', '2')).map((each) => each.principals),
    ).toEqual([['sync-agent'], ['sync-agent']])
  })

  it('renews certificates and has each accepted', async () => {
    const renewed = await cli(
      z.array(z.object({ node: FleetNode, serial: z.string(), accepted: z.boolean() })),
      'certs',
      'renew',
      '--all',
    )
    expect(renewed.map(({ node, accepted }) => [node.name, accepted])).toEqual([
      ['ada-laptop', true],
      ['edge-fra-1', true],
      ['worker-01', true],
    ])
  })

  it('ca show and export give the public half only', async () => {
    const [authority] = await cli(z.array(Authority), 'ca', 'show')
    const { stdout } = await say('ca', 'export')
    expect(stdout.trim()).toBe(authority?.publicKey.trim())
    expect(stdout).toMatch(/^ssh-ed25519 \S+/)
  })

  it('N14 audit: verify, list, export, and an export that was changed is found out without an engine', async () => {
    const verified = await cli(AuditVerification, 'audit', 'verify')
    expect(verified.intact).toBe(true)
    expect(await cli(z.array(AuditEntry), 'audit', 'list', '--limit', '3')).toHaveLength(3)
    const file = join(place.home, 'audit.jsonl')
    const { entries } = await cli(z.object({ entries: z.number() }), 'audit', 'export', '--out', file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await no(['audit', 'export', '--out', file])).toMatchObject({ exitCode: 4 })
    const offline = await json('/nowhere/at/all', ['audit', 'verify', '--file', file], AuditVerification)
    expect(offline).toMatchObject({ entries, intact: true })
    expect((await cli(z.array(AuditEntry), 'audit', 'export')).length).toBeGreaterThanOrEqual(entries)
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('"action":"node.add"', '"action":"node.ADD"'))
    const broken = await json('/nowhere/at/all', ['audit', 'verify', '--file', file], AuditVerification, {
      exitCode: 1,
    })
    expect(broken.intact).toBe(false)
    await writeFile(file, 'no json\n')
    expect(await refused('/nowhere/at/all', ['audit', 'verify', '--file', file])).toMatchObject({ exitCode: 2 })
    expect(await refused('/nowhere/at/all', ['audit', 'verify', '--file', `${file}.absent`])).toMatchObject({
      exitCode: 3,
    })
  })

  it('Ctrl-C while waiting stops the waiting, not the runs', async () => {
    await cli(DemoStatus, 'demo', 'fault', 'worker-01', 'slow')
    const stopped = await runCli(
      place.home,
      ['push', 'worker-01', 'ada-laptop', '--wait', '--idempotency-key', 'interrupted-1'],
      {
        onStdout: (text, child) => {
          if (text.includes('ada-laptop')) child.kill('SIGINT')
        },
      },
    )
    if (stopped.exitCode !== 0) {
      expect(stopped).toMatchObject({
        exitCode: 1,
        stderr: expect.stringMatching(/Stopped waiting\. The runs go on: lockstep runs list --batch/),
      })
    }
    await cli(DemoStatus, 'demo', 'heal', 'worker-01')
    const ended = await runCli(place.home, [
      'push',
      'worker-01',
      'ada-laptop',
      '--wait',
      '--idempotency-key',
      'interrupted-1',
      '--json',
    ])
    expect(PushResult.parse(JSON.parse(ended.stdout)).runs).toHaveLength(2)
  })

  it('help and mistakes in the command line', async () => {
    expect(await say('--help')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Usage: lockstep'),
      stderr: '',
    })
    expect(await say('--version')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(await say()).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('Name a command') })
    expect(await say('nodes', 'explode')).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringContaining("unknown command 'explode'"),
    })
    expect(await no(['health', '--frobnicate'])).toMatchObject({ exitCode: 2, error: { code: 'INVALID_INPUT' } })
    expect(await no(['health', 'too', 'many'])).toMatchObject({ exitCode: 2 })
  })
})
