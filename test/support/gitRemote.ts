import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { exec } from '../../src/platform/exec.ts'

export interface GitRemote {
  /** Bare. */
  readonly directory: string
  readonly url: string
  /** Where commits are made, as by a person elsewhere. */
  readonly work: string
  /** Writes these files (null removes one), commits and pushes. @returns the commit */
  commit(files: Readonly<Record<string, string | null>>, message?: string): Promise<string>
  git(...args: readonly string[]): Promise<string>
  remove(): Promise<void>
}

const person = {
  GIT_AUTHOR_NAME: 'A Person',
  GIT_AUTHOR_EMAIL: 'person@example.org',
  GIT_COMMITTER_NAME: 'A Person',
  GIT_COMMITTER_EMAIL: 'person@example.org',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
}

export async function runGit(directory: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await exec({ command: 'git', args: ['-C', directory, ...args], env: person })
  return stdout.trim()
}

/** A real bare repository with a clone beside it; nothing is committed yet. */
export async function createGitRemote(): Promise<GitRemote> {
  const root = await mkdtemp(join(tmpdir(), 'ls-remote-'))
  const directory = join(root, 'remote.git')
  const work = join(root, 'work')
  await runGit(root, 'init', '--quiet', '--bare', '--initial-branch=main', directory)
  await runGit(root, 'clone', '--quiet', directory, work)
  await runGit(work, 'checkout', '--quiet', '-B', 'main')
  const git = (...args: readonly string[]): Promise<string> => runGit(work, ...args)
  return {
    directory,
    url: `file://${directory}`,
    work,
    git,
    commit: async (files, message = 'a change') => {
      for (const [name, content] of Object.entries(files)) {
        const path = join(work, name)
        if (content === null) await rm(path)
        else {
          await mkdir(dirname(path), { recursive: true })
          await writeFile(path, content)
        }
      }
      await git('add', '--all')
      await git('commit', '--quiet', '--allow-empty', '-m', message)
      await git('push', '--quiet', '--force', 'origin', 'HEAD')
      return git('rev-parse', 'HEAD')
    },
    remove: () => rm(root, { recursive: true, force: true }),
  }
}
