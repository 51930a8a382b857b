import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { connectSocket } from '../../../src/daemon/socketClient.ts'
import { homePaths } from '../../../src/platform/paths.ts'
import { errorCodes } from '../../../src/shared/errors.ts'
import { DemoStatus } from '../../../src/shared/model/demo.ts'
import { parsePrometheusText } from '../../support/prometheusText.ts'
import { freePort } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type Daemon, json, makeHome, runCli, serveDaemon } from '../cli/harness.ts'

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

function get(target: { readonly socketPath: string } | { readonly port: number }, path: string, headers = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', ...target, path, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: String(response.headers['content-type']), body }),
      )
    })
    asked.on('error', reject).end()
  })
}

let home: string
let remove: () => Promise<void>
let daemon: Daemon
let port: number

beforeAll(async () => {
  ;({ home, remove } = await makeHome())
  port = await freePort()
  await writeFile(`${home}/config.yaml`, `metrics: { port: ${port} }\nreconcileIntervalMs: 3600000\n`)
  daemon = await serveDaemon(home, ['--demo', '--nodes', '3', '--log-format', 'file'])
})
afterAll(async () => {
  await runCli(home, ['demo', 'down'])
  await daemon.stop()
  await remove()
})

const scrape = async () => parsePrometheusText((await get({ port }, '/metrics')).body)

describe('metrics of a daemon', () => {
  it('S1F.3 tell nodes by what their tile shows, in the text format, and follow what happens', async () => {
    const answer = await get({ port }, '/metrics')
    expect(answer).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
    const inStep = await waitFor('three nodes in step', async () => {
      const seen = await scrape()
      const count = seen.samples
        .filter(({ name, labels }) => name === 'lockstep_nodes' && labels.fill === 'in-step')
        .reduce((sum, { value }) => sum + value, 0)
      return count === 3 && seen
    })
    expect(inStep.value('lockstep_nodes', { kind: 'vps', fill: 'in-step' })).toBe(1)
    expect(inStep.value('lockstep_nodes', { kind: 'vps', fill: 'error' })).toBe(0)
    expect(inStep.value('lockstep_node_certificates', { remaining: '16h' })).toBe(3)
    expect(inStep.value('lockstep_vault_unlocked')).toBe(1)
    expect(inStep.value('lockstep_ssh_connections')).toBeGreaterThan(0)

    await json(home, ['demo', 'fault', 'edge-fra-1', 'offline'], DemoStatus)
    await json(home, ['push', 'edge-fra-1', '--wait'], z.unknown(), { exitCode: 1 })
    const after = await scrape()
    expect(after.value('lockstep_nodes', { kind: 'vps', fill: 'unreachable' })).toBe(1)
    expect(after.value('lockstep_nodes_status', { kind: 'vps', status: 'pending_sync' })).toBe(1)
    const failures = after.samples.filter(({ name }) => name === 'lockstep_run_failures_total')
    expect(failures.map(({ labels }) => labels.kind)).toContain('tree')
    await json(home, ['demo', 'heal', 'edge-fra-1'], DemoStatus)
  })

  it('S1F.3 are histograms of runs and of commits that add up, beside memory, CPU and the event loop', async () => {
    const seen = await scrape()
    expect(seen.types.get('lockstep_run_duration_seconds')).toBe('histogram')
    for (const family of ['lockstep_run_duration_seconds', 'lockstep_store_commit_seconds']) {
      const buckets = seen.samples.filter(({ name }) => name === `${family}_bucket`)
      const counts = seen.samples.filter(({ name }) => name === `${family}_count`)
      expect(counts.length).toBeGreaterThan(0)
      for (const { labels, value } of counts) {
        const own = buckets.filter((b) => Object.entries(labels).every(([key, label]) => b.labels[key] === label))
        expect(own.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value })
        expect(own.map((bucket) => bucket.value)).toEqual(own.map((bucket) => bucket.value).sort((a, b) => a - b))
        expect(value).toBeGreaterThan(0)
      }
    }
    expect(seen.value('process_resident_memory_bytes')).toBeGreaterThan(1e7)
    expect(seen.value('process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(seen.value('lockstep_event_loop_delay_seconds', { quantile: '0.99' })).toBeGreaterThanOrEqual(0)
    expect(seen.value('lockstep_reconcile_age_seconds')).toBeLessThan(3600)
  })

  it('S1F.3 have labels of closed lists only: no node, address, id, path or secret', async () => {
    const { body } = await get({ port }, '/metrics')
    const nodes = await json(home, ['nodes', 'list'], z.array(z.object({ id: z.string(), name: z.string() })))
    expect(nodes).toHaveLength(3)
    for (const { id, name } of nodes) {
      expect(body).not.toContain(id)
      expect(body).not.toContain(name)
    }
    expect(body).not.toContain(home)
    expect(body).not.toMatch(/127\.0\.0\.\d/)
    const codes = new Set<string>(errorCodes)
    for (const { labels } of (await scrape()).samples)
      for (const [label, value] of Object.entries(labels)) {
        expect([
          'kind',
          'fill',
          'status',
          'code',
          'le',
          'quantile',
          'remaining',
          'version',
          'registry',
          'place',
        ]).toContain(label)
        if (label === 'code') expect(codes).toContain(value)
      }
  })

  it('S1F.3 are on the unix socket, too; nothing but figures and probes is on the open port', async () => {
    const socketPath = homePaths(home).engineSocket
    expect((await get({ socketPath }, '/metrics')).status).toBe(200)
    expect((await get({ socketPath }, '/healthz')).body).toBe('ok\n')
    for (const path of ['/', '/rpc', '/login-link', '/hello', '/login?token=x'])
      expect((await get({ port }, path)).status).toBe(404)
    // A page whose name was rebound to loopback, or that asks across origins.
    expect((await get({ port }, '/metrics', { host: `evil.example:${port}` })).status).toBe(404)
    expect((await get({ port }, '/metrics', { origin: 'https://evil.example' })).status).toBe(404)
  })

  it('S1.95 is ready when the vault is open and the loops run', async () => {
    const ready = await get({ port }, '/readyz')
    expect(ready).toMatchObject({ status: 200, body: 'vault: ok\nloops: ok\nreconcile: ok\n' })
  })
})

describe('probes', () => {
  it('S1.95 a daemon whose vault is locked is alive but not ready, and says why', async () => {
    const other = await makeHome()
    const made = await runCli(other.home, ['ca', 'init'], { env: await passphraseIn(other.home) })
    expect(made.exitCode).toBe(0)
    const locked = await serveDaemon(other.home)
    try {
      const socketPath = homePaths(other.home).engineSocket
      expect(await get({ socketPath }, '/healthz')).toMatchObject({ status: 200 })
      const notReady = await waitFor('the loops', async () => {
        const answer = await get({ socketPath }, '/readyz')
        return answer.body.includes('loops: ok') && answer
      })
      expect(notReady).toMatchObject({ status: 503, body: expect.stringMatching(/^vault: locked/) })
      const client = await connectSocket(homePaths(other.home))
      await client?.client.system.unlock({ passphrase: 'canary-passphrase' })
      await client?.close()
      expect((await get({ socketPath }, '/readyz')).status).toBe(200)
    } finally {
      await locked.stop()
      await other.remove()
    }
  })

  it('S1F.3 refuses an address that others reach, and names a port that is taken', async () => {
    const other = await makeHome()
    try {
      await writeFile(`${other.home}/config.yaml`, 'metrics: { address: 0.0.0.0, port: 9100 }\n')
      expect(await runCli(other.home, ['serve'])).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('metrics.address: an address of this machine only'),
      })
      await writeFile(`${other.home}/config.yaml`, `metrics: { port: ${port} }\n`)
      expect(await runCli(other.home, ['serve'])).toMatchObject({
        exitCode: 5,
        stderr: expect.stringContaining(`port ${port}`),
      })
    } finally {
      await other.remove()
    }
  })
})

async function passphraseIn(directory: string): Promise<Record<string, string>> {
  const file = `${directory}/passphrase`
  await writeFile(file, 'canary-passphrase\n')
  return { LOCKSTEP_PASSPHRASE_FILE: file }
}
