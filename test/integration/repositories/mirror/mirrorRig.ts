import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { z } from 'zod'
import type { RepositoryMirrors } from '../../../../src/engine/ports/repositories.ts'
import {
  createRepositoryMirrors,
  type RepositoryMirrorDependencies,
} from '../../../../src/engine/repositories/mirror/index.ts'
import { systemClock } from '../../../../src/platform/clock.ts'
import { AppError } from '../../../../src/shared/errors.ts'
import { Repository, RepositoryInput } from '../../../../src/shared/model/repository.ts'

/** Git as a person runs it, without anything of whoever runs the tests. */
const environment = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Ann Other',
  GIT_AUTHOR_EMAIL: 'ann@example.org',
  GIT_COMMITTER_NAME: 'Ann Other',
  GIT_COMMITTER_EMAIL: 'ann@example.org',
  LOCKSTEP_TEST_FILE: process.env.LOCKSTEP_TEST_FILE ?? '',
}

/** @returns what it printed, without the line end */
export function git(directory: string, args: readonly string[], stdin?: string | Buffer): string {
  return execFileSync('git', ['-c', 'protocol.file.allow=always', '-c', 'gc.auto=0', ...args], {
    cwd: directory,
    env: environment,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(stdin === undefined ? {} : { input: stdin }),
  }).trimEnd()
}

/** Writes files and commits everything. @returns the commit */
export function commitFiles(directory: string, files: Readonly<Record<string, string>>, message = 'change'): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), content)
  }
  git(directory, ['add', '--all'])
  git(directory, ['commit', '--quiet', '--allow-empty', '--message', message])
  return git(directory, ['rev-parse', 'HEAD'])
}

export function newRepository(
  directory: string,
  files: Readonly<Record<string, string>> = { 'a.txt': 'one\n' },
): string {
  mkdirSync(directory, { recursive: true })
  git(directory, ['init', '--quiet', '--initial-branch=main'])
  return commitFiles(directory, files, 'first')
}

/** One entry of a tree that no `git add` would make. */
export interface RawEntry {
  readonly mode: '100644' | '100755' | '120000' | '040000' | '160000'
  readonly name: string | Buffer
  readonly hash: string
}

export const blob = (directory: string, content: string | Buffer): string =>
  git(directory, ['hash-object', '-w', '--stdin'], content)

/** A tree object by hand: names are taken as they are. */
export function rawTree(directory: string, entries: readonly RawEntry[]): string {
  const bytes = entries.flatMap(({ mode, name, hash }) => [
    Buffer.from(`${mode.replace(/^0/, '')} `),
    Buffer.isBuffer(name) ? name : Buffer.from(name),
    Buffer.from([0]),
    Buffer.from(hash, 'hex'),
  ])
  return git(directory, ['hash-object', '-w', '-t', 'tree', '--literally', '--stdin'], Buffer.concat(bytes))
}

/** Makes the branch `main` a commit of this tree. */
export function commitTree(directory: string, tree: string): string {
  const commit = git(directory, ['commit-tree', tree, '-m', 'by hand'])
  git(directory, ['update-ref', 'refs/heads/main', commit])
  return commit
}

/** What a test says differently. */
export type SomeSettings = Partial<z.input<typeof RepositoryInput>>

export interface MirrorRig {
  readonly directory: string
  /** A repository with one commit on `main`, the remote of {@link MirrorRig.repository}. */
  readonly origin: string
  readonly home: string
  readonly mirrors: RepositoryMirrors
  /** As of the service: what a fetch brought is kept in it. */
  repository(settings?: SomeSettings, heads?: Repository['state']['heads']): Repository
  /** Another engine on the same files. */
  again(changes?: Partial<RepositoryMirrorDependencies>): RepositoryMirrors
  dispose(): Promise<void>
}

const nobody = async (): Promise<never> => {
  throw new AppError('INTERNAL', 'nothing here goes over ssh')
}

export async function createMirrorRig(changes: Partial<RepositoryMirrorDependencies> = {}): Promise<MirrorRig> {
  const directory = await mkdtemp(join(tmpdir(), 'ls-mirror-'))
  const home = join(directory, 'hömé dir', 'repositories')
  const origin = join(directory, 'origin')
  newRepository(origin)
  const quiet = () => undefined
  const again: MirrorRig['again'] = (more = {}) =>
    createRepositoryMirrors({
      directory: home,
      clock: systemClock,
      logger: { info: quiet, warn: quiet },
      openSsh: { prepare: nobody },
      sshPool: { exec: nobody },
      findNode: async () => null,
      principal: 'sync-agent',
      tokenOf: async () => null,
      ...changes,
      ...more,
    })
  return {
    directory,
    origin,
    home,
    mirrors: again(),
    again,
    repository: (settings = {}, heads = {}) =>
      Repository.parse({
        id: '01900000-0000-7000-8000-00000000000a',
        settings: RepositoryInput.parse({ name: 'project', remote: `file://${origin}`, ...settings }),
        hasToken: false,
        state: { heads, fetchedAt: null, diagnosis: null, warnings: [] },
        createdAt: 0,
        updatedAt: 0,
      }),
    dispose: () => rm(directory, { recursive: true, force: true }),
  }
}

/** The error that a promise ends with. */
export async function failureOf(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown
    throw thrown
  }
  throw new Error('it did not fail')
}

/** Command lines of all processes there are now. */
export const commandLines = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [readFileSync(`/proc/${name}/cmdline`, 'latin1')]
      } catch {
        // It ended meanwhile.
        return []
      }
    })

/** Names of all that lies below, `.git` left out; directories end with a slash. Links are not followed. */
export function listing(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => name !== '.git')
    .flatMap((entry) => {
      if (!entry.isDirectory()) return [entry.name]
      const inner = listing(join(directory, entry.name)).map((name) => `${entry.name}/${name}`)
      return [`${entry.name}/`, ...inner]
    })
    .sort()
}
