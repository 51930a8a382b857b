import { chmodSync, lutimesSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defaultSentinel } from '../../../core/parse/gitCheckout.ts'
import { runGit } from '../../../platform/git/git.ts'
import type { CommitHash } from '../../../shared/model/repository.ts'
import { gitError } from './failure.ts'
import type { MirrorGit, WorkOptions } from './mirrorGit.ts'

interface DotGitOrder {
  readonly mirror: MirrorGit
  readonly commit: CommitHash
  /** Holds the files of the commit. */
  readonly directory: string
  readonly stamp: number
}

/** A `.git` that knows this one commit: no remote, no login, no hook, no history. */
export async function writeDotGit(order: DotGitOrder, { signal }: WorkOptions): Promise<void> {
  const { mirror, commit, directory, stamp } = order
  const git = async (args: readonly string[], reading = false): Promise<void> => {
    const result = await runGit({
      args,
      directory,
      protocols: reading ? ['file'] : [],
      environment: { GIT_CEILING_DIRECTORIES: directory, GIT_OPTIONAL_LOCKS: '1' },
      ...(signal === undefined ? {} : { signal }),
    })
    if (result.exitCode !== 0) throw gitError(result, { place: 'the snapshot', login: 'none', machine: 'this machine' })
  }
  const hashFunction = commit.length === 64 ? 'sha256' : 'sha1'
  await git(['init', '--quiet', '--template=', `--object-format=${hashFunction}`, '.'])
  await git(
    [
      'fetch',
      '--quiet',
      '--depth=1',
      '--no-tags',
      '--no-write-fetch-head',
      '--end-of-options',
      mirror.directory,
      commit,
    ],
    true,
  )
  const dotGit = join(directory, '.git')
  await writeFile(join(dotGit, 'HEAD'), `${commit}\n`)
  await git(['read-tree', commit])
  await git(['update-index', '-q', '--refresh', '--really-refresh']).catch(() => undefined)
  await mkdir(join(dotGit, 'info'), { recursive: true })
  await writeFile(join(dotGit, 'info', 'exclude'), `/${defaultSentinel}\n`)
  for (const name of ['FETCH_HEAD', 'logs', 'hooks', 'description', 'branches'])
    await rm(join(dotGit, name), { recursive: true, force: true })
  for (const entry of await readdir(dotGit, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    chmodSync(path, entry.isDirectory() ? 0o755 : 0o644)
    lutimesSync(path, stamp, stamp)
  }
  chmodSync(dotGit, 0o755)
  lutimesSync(dotGit, stamp, stamp)
}
