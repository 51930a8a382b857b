import { describe, expect, it } from 'vitest'
import { aService } from '../../../test/fakes/aRegistry.ts'
import { readRouters, readTraefikCheck, routerNames, traefikCheckScript, traefikListScript } from './traefikProbe.ts'

describe('what a node says about Traefik', () => {
  it('S1.47 counts as running only when the script said so', () => {
    expect(readTraefikCheck(0, '')).toEqual({ kind: 'running' })
    expect(readTraefikCheck(3, 'starting\nthe container traefik is exited\n')).toEqual({
      kind: 'stopped',
      why: 'the container traefik is exited',
    })
    expect(readTraefikCheck(3, '')).toEqual({ kind: 'stopped', why: 'it was not found' })
    expect(readTraefikCheck(4, 'docker\n')).toEqual({ kind: 'no-program', program: 'docker' })
    expect(readTraefikCheck(137, '')).toEqual({ kind: 'unknown', exitCode: 137 })
  })

  it('S1.76 counts routers as listed only when none is missing, left over or switched off', () => {
    const head = (counts: string, lines = '') => readRouters(0, `${counts}\n${lines}`)
    expect(head('listed 2 missing 0 surplus 0 disabled 0 warning 1', 'warning lockstep-a@file: x')).toEqual({
      kind: 'listed',
      routers: 2,
      warnings: ['warning lockstep-a@file: x'],
    })
    expect(head('listed 1 missing 1 surplus 0 disabled 0 warning 0', 'missing lockstep-a@file')).toEqual({
      kind: 'not-listed',
      what: '1 routers are missing',
      evidence: ['missing lockstep-a@file'],
    })
    expect(head('listed 2 missing 0 surplus 1 disabled 1 warning 0')).toMatchObject({
      what: '1 that were removed are still served, 1 are switched off by an error',
    })
    expect(head('')).toMatchObject({ kind: 'not-listed' })
    expect(head('<html>')).toMatchObject({ kind: 'not-listed' })
    expect(readRouters(7, 'curl: (7) Failed to connect')).toMatchObject({ evidence: ['curl: (7) Failed to connect'] })
    expect(readRouters(6, '')).toEqual({ kind: 'no-fetcher' })
  })

  it('S1.77 keeps of what a node says as much as a person reads', () => {
    const dots = `${'.'.repeat(200_000)}x`
    expect(readTraefikCheck(3, dots)).toEqual({ kind: 'stopped', why: '.'.repeat(300) })
    const finding = readRouters(7, `${dots}\n`.repeat(1_000))
    expect(JSON.stringify(finding).length).toBeLessThan(30_000)
  })

  it('S1.26 asks for the routers of public services alone', () => {
    expect(routerNames([aService(), aService({ name: 'inner', public: false })])).toEqual(['lockstep-demo@file'])
  })

  it('no name or path can leave its word in a script', () => {
    const check = traefikCheckScript({ kind: 'pid-file', file: "/tmp/a'b/traefik.pid" })
    expect(check).toContain(`'/tmp/a'\\''b/traefik.pid'`)
    expect(traefikListScript('http://127.0.0.1:8080/', { waits: false })).toContain(
      "'http://127.0.0.1:8080/api/http/routers?search=lockstep-&per_page=100000'",
    )
    expect(traefikCheckScript({ kind: 'none' })).toBeNull()
  })
})
