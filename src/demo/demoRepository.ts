import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { exec } from '../platform/exec.ts'

/** Where the repository of the demo lies on this machine. */
export interface DemoRepository {
  readonly remoteUrl: string
  /** A clone of it, as a person would have one. */
  readonly checkoutDirectory: string
}

/** Nothing of the person's own git: neither hooks nor a name. */
const environment = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Demo',
  GIT_AUTHOR_EMAIL: 'demo@demo.example',
  GIT_COMMITTER_NAME: 'Demo',
  GIT_COMMITTER_EMAIL: 'demo@demo.example',
}

const git = (directory: string, ...args: readonly string[]) =>
  exec({ command: 'git', args: ['-C', directory, ...args], env: environment, timeoutMs: 60_000 })

const history: readonly { readonly subject: string; readonly files: Readonly<Record<string, string>> }[] = [
  {
    subject: 'Collectors and their settings',
    files: {
      'README.md': '# Demo project\n\nA project that is brought to three nodes, one commit at a time.\n',
      'collectors/network.py': 'def collect():\n    return ["dns", "http"]\n',
      'collectors/files.py': 'def collect():\n    return ["hashes"]\n',
      'settings.yaml': 'interval_seconds: 300\n',
    },
  },
  {
    subject: 'Collect more often',
    files: { 'settings.yaml': 'interval_seconds: 60\n' },
  },
  {
    subject: 'A collector for processes',
    files: { 'collectors/processes.py': 'def collect():\n    return ["names", "parents"]\n' },
  },
]

/**
 * A bare repository with three commits and a clone of it; what is there stays, with all that somebody did in it.
 * @throws AppError PROGRAM_MISSING without git
 */
export async function ensureDemoRepository(fleetDirectory: string): Promise<DemoRepository> {
  const root = join(fleetDirectory, 'repository')
  const remote = join(root, 'remote.git')
  const checkoutDirectory = join(root, 'checkout')
  if (!(await exists(root))) {
    const unfinished = `${root}.unfinished`
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { recursive: true, mode: 0o700 })
    await makeRepository(unfinished)
    await rename(unfinished, root)
    await git(checkoutDirectory, 'remote', 'set-url', 'origin', remote)
  }
  return { remoteUrl: `file://${remote}`, checkoutDirectory }
}

async function makeRepository(root: string): Promise<void> {
  const remote = join(root, 'remote.git')
  const checkout = join(root, 'checkout')
  await git(root, 'init', '--quiet', '--bare', '--initial-branch=main', remote)
  await git(root, 'init', '--quiet', '--initial-branch=main', checkout)
  await git(checkout, 'remote', 'add', 'origin', remote)
  for (const { subject, files } of history) {
    for (const [name, content] of Object.entries(files)) {
      const path = join(checkout, name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, content)
    }
    await git(checkout, 'add', '--all')
    await git(checkout, 'commit', '--quiet', '--message', subject)
  }
  await git(checkout, 'push', '--quiet', '--set-upstream', 'origin', 'main')
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
