import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { traefikCheckScript, traefikListScript } from '../../../src/core/registry/traefikProbe.ts'
import type { DemoNode } from '../../../src/shared/model/demo.ts'
import { type FleetUnderTest, fleetUnderTest, nodeNamed } from './harness.ts'

let test: FleetUnderTest

beforeEach(async () => {
  test = await fleetUnderTest()
})
afterEach(() => test.dispose())

describe('Traefik of the demo fleet', { timeout: 120_000 }, () => {
  it('S1.47 S1.50 runs on every VPS with routes of its own, and can be stopped on one of them', async () => {
    const status = await test.fleet.up({ nodes: 4, trustedUserCa: test.authority })
    const { registry } = await test.fleet.describeForRegistration()
    const [first, second] = [nodeNamed(status, 'edge-fra-1'), nodeNamed(status, 'edge-ams-1')]
    const check = traefikCheckScript({ kind: 'pid-file', file: registry.traefikPidFile }) ?? ''
    const list = traefikListScript(registry.traefikApi ?? '', { waits: true })
    const lists = (node: DemoNode, stdin: string) => test.ssh(node, [list], { stdin })
    for (const node of [first, second]) expect((await test.ssh(node, [check])).exitCode).toBe(0)

    const config = join(first.directory, 'home', registry.routesFile.slice(2))
    await writeFile(
      config,
      'http:\n  routers:\n    lockstep-x:\n      rule: "Host(`x.example.com`)"\n      entryPoints: ["websecure"]\n      service: "s"\n  services:\n    s: {}\n',
    )
    expect((await lists(first, 'lockstep-x@file\n')).stdout).toContain('listed 1 missing 0 surplus 0 disabled 0')
    expect((await lists(second, '')).stdout).toContain('listed 0 missing 0')

    await test.fleet.fault('edge-fra-1', 'traefik-stopped')
    expect((await test.ssh(first, [check])).exitCode).toBe(3)
    expect((await test.ssh(first, [traefikListScript(registry.traefikApi ?? '', { waits: false })])).exitCode).toBe(7)
    expect((await test.ssh(second, [check])).exitCode).toBe(0)
    await test.fleet.heal('edge-fra-1')
    expect((await test.ssh(first, [check])).exitCode).toBe(0)
  })

  it('is there again under the same address after it was killed, and is stopped nowhere else', async () => {
    const { nodes } = await test.fleet.up({ nodes: 2, trustedUserCa: test.authority })
    const before = (await test.fleet.describeForRegistration()).registry.traefikApi
    const edge = nodes.find(({ kind }) => kind === 'vps')
    const pidFile = join(edge?.directory ?? '', 'home', 'traefik', 'traefik.pid')
    const pid = Number(await readFile(pidFile, 'utf8'))
    process.kill(pid, 'SIGKILL')
    await test.fleet.up({ nodes: 2, trustedUserCa: test.authority })
    expect(Number(await readFile(pidFile, 'utf8'))).not.toBe(pid)
    expect((await test.fleet.describeForRegistration()).registry.traefikApi).toBe(before)
    await expect(test.fleet.fault('ada-laptop', 'traefik-stopped')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})
