import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const projectRoot = resolve(import.meta.dirname, '../../..')

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  /** Both outputs, one after the other. */
  readonly output: string
}

/** A throw-away project folder that sees the installed packages of this one. */
export interface Workshop {
  readonly folder: string
  write(file: string, content: string): void
  /** Runs a JavaScript file of the project with the Node of the tests, in the folder. */
  node(script: string, args: readonly string[], env?: Readonly<Record<string, string>>): Outcome
  dispose(): void
}

export function openWorkshop(): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep toolchain '))
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    write: (file, content) => writeFileSync(join(folder, file), content),
    node: (script, args, env = {}) => {
      const options = { cwd: folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', ...env } } as const
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(projectRoot, script), ...args], options)
      return { status, stdout, output: `${stdout}${stderr}` }
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
}
