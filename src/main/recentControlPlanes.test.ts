import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { recentControlPlanes } from './recentControlPlanes.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ls-recent-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

it('S1.92 keeps the newest eight control planes, each once, for this user alone; a damaged file is as good as none', () => {
  const file = join(directory, 'deep', 'control-planes.json')
  const recent = recentControlPlanes(file)
  expect(recent.list()).toEqual([])
  for (let number = 1; number <= 10; number += 1) recent.add({ name: `ops@control-${number}`, home: null })
  recent.add({ name: 'ops@control-5', home: null })
  expect(
    recentControlPlanes(file)
      .list()
      .map(({ name }) => name),
  ).toEqual([5, 10, 9, 8, 7, 6, 4, 3].map((number) => `ops@control-${number}`))
  expect(statSync(file).mode & 0o777).toBe(0o600)
  writeFileSync(file, '[{"name":"-oProxyCommand=id","home":null}]')
  expect(recent.list()).toEqual([])
})
