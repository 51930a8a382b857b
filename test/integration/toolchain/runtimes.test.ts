import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openWorkshop, projectRoot } from './workshop.ts'

const workshop = openWorkshop()
afterAll(() => workshop.dispose())

/** What each runtime has, and what must not compile there. */
const runtimes = [
  { runtime: 'shared', has: ['TextEncoder'], lacks: ['document', 'process', 'Buffer', 'setTimeout', 'fetch'] },
  { runtime: 'core', has: ['TextDecoder'], lacks: ['document', 'process', 'Buffer', 'setTimeout', 'crypto'] },
  { runtime: 'node', has: ['process', 'Buffer', 'fetch'], lacks: ['document', 'window'] },
  { runtime: 'main', has: ['process', 'Buffer'], lacks: ['document', 'window'] },
  { runtime: 'preload', has: ['document', 'MessagePort'], lacks: ['Buffer', 'process'] },
  { runtime: 'renderer', has: ['document', 'MessagePort'], lacks: ['Buffer', 'process', 'setImmediate'] },
]

function missingNames(runtime: string, names: readonly string[]): string[] {
  workshop.write('probe.ts', names.map((name, index) => `export const value${index}: unknown = ${name}\n`).join(''))
  const extended = join(projectRoot, 'tsconfig', `${runtime}.json`)
  workshop.write('tsconfig.json', JSON.stringify({ extends: extended, include: [], files: probeFiles(runtime) }))
  const { output } = workshop.node('node_modules/@typescript/native/bin/tsc', ['--project', 'tsconfig.json'])
  return [...output.matchAll(/probe\.ts.*Cannot find name '(\w+)'/g)].flatMap(([, name]) => name ?? [])
}

function probeFiles(runtime: string): string[] {
  const universal = join(projectRoot, 'tsconfig', 'universal.d.ts')
  return ['shared', 'core'].includes(runtime) ? ['probe.ts', universal] : ['probe.ts']
}

describe('a runtime compiles only against the globals that it has', () => {
  it.each(runtimes)('$runtime', ({ runtime, has, lacks }) => {
    expect(missingNames(runtime, [...has, ...lacks])).toEqual(lacks)
  })
})
