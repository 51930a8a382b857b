import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../src/platform/exec.ts'

/** One bare repository, and a working copy of it from which commits are made. */
export interface BenchRepository {
  /** As a remote. */
  readonly url: string
  /** A checkout that somebody keeps beside it, and brings forward with `git pull`. */
  readonly checkout: string
  /** Rewrites so many files and pushes the commit. */
  change(files: number): Promise<void>
  pull(): Promise<void>
}

/** Sizes of source files in a usual project: many small ones, a few larger ones; 5.4 KiB on average. */
const sizesBytes = [180, 420, 700, 900, 1_300, 1_900, 2_600, 4_200, 9_500, 32_000] as const

const git = (directory: string, ...args: string[]) =>
  exec({
    command: 'git',
    args: ['-C', directory, ...args],
    env: {
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'bench',
      GIT_AUTHOR_EMAIL: 'bench@bench.internal',
      GIT_COMMITTER_NAME: 'bench',
      GIT_COMMITTER_EMAIL: 'bench@bench.internal',
    },
    timeoutMs: 600_000,
  })

const nameOf = (index: number): string => `src/area-${index % 40}/part-${Math.floor(index / 40) % 25}/file-${index}.txt`

/** Text of as many bytes, half as long when it is compressed. */
const textOf = (index: number): string =>
  randomBytes(Math.ceil((sizesBytes[index % sizesBytes.length] ?? 0) / 2)).toString('hex')

export async function createBenchRepository(directory: string, files: number): Promise<BenchRepository> {
  const bare = join(directory, 'origin.git')
  const work = join(directory, 'work')
  const checkout = join(directory, 'checkout')
  for (const each of [bare, work]) await mkdir(each, { recursive: true })
  await git(bare, 'init', '--quiet', '--bare', '--initial-branch=main')
  await git(work, 'init', '--quiet', '--initial-branch=main')
  for (let index = 0; index < files; index += 1) {
    const path = join(work, nameOf(index))
    if (index < 1_000) await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, textOf(index))
  }
  const publish = async (): Promise<void> => {
    await git(work, 'add', '--all')
    await git(work, 'commit', '--quiet', '--message', 'change')
    await git(work, 'push', '--quiet', bare, 'main')
  }
  await publish()
  await git(directory, 'clone', '--quiet', bare, checkout)
  let next = 0
  return {
    url: `file://${bare}`,
    checkout,
    change: async (count) => {
      for (let changed = 0; changed < count; changed += 1, next = (next + 97) % files)
        await writeFile(join(work, nameOf(next)), textOf(next))
      await publish()
    },
    pull: async () => void (await git(checkout, 'pull', '--quiet', '--ff-only')),
  }
}
