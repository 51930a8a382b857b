import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAgentConfig } from '../../../src/core/agent/config.ts'
import { buildBundle } from './bundle.ts'

const run = promisify(execFile)
const resources = join(import.meta.dirname, '../../../resources/agent')
const analyze = spawnSync('systemd-analyze', ['--version']).status === 0

/** A Node as old as the agent may meet; the one of the system where there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  const version = existsSync(path) ? spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout : ''
  return Number(/^v(\d+)/.exec(version)?.[1] ?? 0) >= 20
})

describe('what is shipped', () => {
  let directory: string
  let entry: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-agent-shipped-'))
    const built = await buildBundle(join(directory, 'out'))
    // Far from every node_modules.
    entry = join(directory, 'alone', 'lockstep-agent.mjs')
    await mkdir(join(directory, 'alone'))
    await cp(built, entry)
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  it('is one file that needs nothing but Node, on this Node and on an older one', async () => {
    for (const node of [process.execPath, ...(oldNode === undefined ? [] : [oldNode])]) {
      const { stdout } = await run(node, [entry, '--help'], { env: { PATH: '/usr/bin:/bin' } })
      for (const command of ['enroll', 'run', 'serve', 'status', 'doctor', 'break-lock'])
        expect(stdout).toContain(command)
    }
    const source = await readFile(entry, 'utf8')
    const imports = [...source.matchAll(/^import .* from "([^"]+)";$/gm)].map((match) => match[1] ?? '')
    expect(imports.length).toBeGreaterThan(5)
    expect(imports.filter((name) => !builtinModules.includes(name.replace(/^node:/, '')))).toEqual([])
  })

  it('says so clearly when its Node is too old', async () => {
    const preload = join(directory, 'old.cjs')
    await writeFile(preload, "Object.defineProperty(process.versions, 'node', { value: '18.19.0' })\n")
    const answer = spawnSync(process.execPath, ['--require', preload, entry, 'run'], { encoding: 'utf8' })
    expect(answer.status).toBe(69)
    expect(answer.stderr).toContain('needs Node 20 or later; this is Node 18.19.0')
  })

  it('has the licenses of everything that is in it beside it', async () => {
    const text = await readFile(join(directory, 'out', 'lockstep-agent.LICENSES.txt'), 'utf8')
    for (const name of ['zod', 'commander', 'yaml', 'pino', 'croner', '@peculiar/x509'])
      expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+`, 'm'))
    expect(text).toContain('Permission is hereby granted, free of charge')
  })

  it('the example of a configuration is one', async () => {
    const reading = readAgentConfig(await readFile(join(resources, 'agent.yaml'), 'utf8'), () => null)
    expect(reading).toMatchObject({ ok: true, config: { storage: { user: 'sync' } } })
  })

  it.skipIf(!analyze)(
    'systemd takes the unit and calls it hardened (skipped where systemd-analyze is missing)',
    async () => {
      const unit = join(directory, 'lockstep-agent.service')
      const text = await readFile(join(resources, 'lockstep-agent.service'), 'utf8')
      // The program of the unit has to exist for the check.
      await writeFile(unit, text.replace(/^ExecStart=.*$/m, `ExecStart="${process.execPath}" "${entry}" serve`))
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
      expect(stderr.split('\n').filter((line) => line.includes('lockstep-agent'))).toEqual([])
      const security = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], {
        encoding: 'utf8',
      })
      const exposure = Number(/Overall exposure level for .*: ([\d.]+)/.exec(security)?.[1])
      expect(exposure).toBeGreaterThan(0)
      expect(exposure).toBeLessThan(4)
    },
  )
})
