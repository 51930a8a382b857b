import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../../platform/atomicFile.ts'
import { explainFileError, hasErrorCode } from '../../../platform/fileErrors.ts'

/** Where the files of one repository lie. */
export interface RepositoryHome {
  readonly root: string
  /** Bare. Holds every commit that was ever fetched: nothing is pruned, because one may roll back to it. */
  readonly mirror: string
  /** One directory for each snapshot; what begins with a dot is not complete. */
  readonly trees: string
  /** Mirrors of submodules. */
  readonly modules: string
  readonly stampFile: string
}

export const repositoryHome = (root: string): RepositoryHome => ({
  root,
  mirror: join(root, 'mirror.git'),
  trees: join(root, 'trees'),
  modules: join(root, 'modules'),
  stampFile: join(root, 'stamp'),
})

/** Made whole under such a name, then renamed; a leftover with it is nobody's. */
export const unfinishedName = (): string => `.unfinished-${randomUUID()}`
const isUnfinished = (name: string): boolean => name.startsWith('.unfinished-')

/** Directories for the repository, without what an engine that was killed left in them. */
export async function openHome(home: RepositoryHome): Promise<void> {
  try {
    for (const directory of [home.root, home.trees, home.modules]) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await chmod(directory, 0o700)
      await removeUnfinished(directory)
    }
  } catch (thrown) {
    throw explainFileError(thrown, home.root)
  }
  const modules = (await readdir(home.modules)).map((name) => join(home.modules, name))
  for (const mirror of [home.mirror, ...modules]) await sweepMirror(mirror)
}

async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (isUnfinished(name)) await rm(join(directory, name), { recursive: true, force: true })
}

/** Only we work in a mirror: a lock or a half-written pack in it is from a git that was killed. */
async function sweepMirror(mirror: string): Promise<void> {
  const names = await readdir(mirror, { recursive: true }).catch((thrown: unknown) => {
    if (hasErrorCode(thrown, 'ENOENT')) return []
    throw thrown
  })
  for (const name of names) {
    const base = name.slice(name.lastIndexOf('/') + 1)
    if (base.endsWith('.lock') || (name.startsWith('objects/') && base.startsWith('tmp_')))
      await rm(join(mirror, name), { recursive: true, force: true })
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (thrown) {
    if (hasErrorCode(thrown, 'ENOENT') || hasErrorCode(thrown, 'ENOTDIR')) return false
    throw thrown
  }
}

/** Gone at once for everybody, and from the disk a moment later. */
export async function removeWhole(directory: string, name: string): Promise<void> {
  const doomed = join(directory, unfinishedName())
  try {
    await rename(join(directory, name), doomed)
  } catch (thrown) {
    if (hasErrorCode(thrown, 'ENOENT')) return
    throw thrown
  }
  await rm(doomed, { recursive: true, force: true })
}

/**
 * A second that no snapshot of this repository had before, durable before it is used. Files that a snapshot writes anew
 * carry it as their time: equal path, size and time then mean equal content, which is all that rsync looks at.
 */
export async function nextStamp(home: RepositoryHome, nowMs: number): Promise<number> {
  const before = Number(await readFile(home.stampFile, 'utf8').catch(() => '0'))
  const stamp = Math.max(Math.floor(nowMs / 1000), (Number.isSafeInteger(before) ? before : 0) + 1)
  await writeFileAtomic(home.stampFile, `${stamp}\n`)
  return stamp
}
