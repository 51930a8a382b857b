import { createHash } from 'node:crypto'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type TreeEntry, utf8 } from '../../../core/parse/gitTree.ts'
import { parseGitUrl, resolveSubmoduleUrl, shownUrl } from '../../../core/parse/gitUrl.ts'
import { AppError } from '../../../shared/errors.ts'
import { CommitHash } from '../../../shared/model/repository.ts'
import { bytePath } from './bytePath.ts'
import { incoming } from './heads.ts'
import { hasCommit } from './history.ts'
import type { MirrorGit, WorkOptions } from './mirrorGit.ts'
import type { RemoteAccess } from './remoteAccess.ts'

/** One submodule of a commit, with where its content is to come from. */
export interface Submodule {
  /** Bytes, below the root of the repository it is in. */
  readonly path: string
  readonly commit: CommitHash
  readonly url: string
}

/**
 * Submodules of a commit by `.gitmodules`, which somebody else wrote: only https and ssh, and files of this machine only
 * for a repository that is one itself (`local`).
 *
 * @throws AppError REPOSITORY_UNSAFE
 */
export async function listSubmodules(
  mirror: MirrorGit,
  {
    commit,
    entries,
    url,
    local,
  }: {
    readonly commit: CommitHash
    readonly entries: readonly TreeEntry[]
    readonly url: string
    readonly local: boolean
  },
  { signal }: WorkOptions,
): Promise<Submodule[]> {
  const links = entries.filter(({ kind }) => kind === 'submodule')
  if (links.length === 0) return []
  const { stdout } = await mirror.run({
    args: ['config', '-z', `--blob=${commit}:.gitmodules`, '--get-regexp', '^submodule\\..*\\.(path|url)$'],
    ...(signal === undefined ? {} : { signal }),
  })
  const urls = urlsByPath(stdout.toString('latin1'))
  return links.map(({ path, hash }) => {
    const written = urls.get(path)
    if (written === undefined) throw unsafe(path, 'has no URL in .gitmodules')
    return { path, commit: CommitHash.parse(hash), url: checkedUrl(path, written, { parent: url, local }) }
  })
}

function urlsByPath(listing: string): Map<string, string> {
  const settings = new Map<string, { path?: string; url?: string }>()
  for (const record of listing.split('\0')) {
    const lineEnd = record.indexOf('\n')
    if (lineEnd < 0) continue
    const key = record.slice(0, lineEnd)
    const name = key.slice('submodule.'.length, key.lastIndexOf('.'))
    const setting = settings.get(name) ?? {}
    if (key.endsWith('.path')) setting.path = record.slice(lineEnd + 1)
    else setting.url = record.slice(lineEnd + 1)
    settings.set(name, setting)
  }
  const urls = new Map<string, string>()
  for (const { path, url } of settings.values()) if (path !== undefined && url !== undefined) urls.set(path, url)
  return urls
}

function checkedUrl(
  path: string,
  written: string,
  { parent, local }: { readonly parent: string; readonly local: boolean },
): string {
  const url = resolveSubmoduleUrl(parent, utf8(written))
  if (url === null || url.startsWith('-') || /[\u0000-\u001f\u007f]/.test(url))
    throw unsafe(path, 'has a URL that leads nowhere')
  const parsed = parseGitUrl(url)
  const isLocal = local && parsed.kind === 'file' && parseGitUrl(parent).kind === 'file' && parsed.path.startsWith('/')
  if (parsed.kind !== 'https' && parsed.kind !== 'ssh' && !isLocal)
    throw unsafe(path, `is to come from ${shownUrl(url)}, and only https and ssh are taken`)
  return url
}

const unsafe = (path: string, reason: string): AppError =>
  new AppError(
    'REPOSITORY_UNSAFE',
    `The submodule ${JSON.stringify(utf8(path))} ${reason}. Correct .gitmodules, or deliver without submodules.`,
    { data: { path: utf8(path) } },
  )

/** A mirror of a submodule that has the commit, fetched by its hash or, where the server does not hand that out, with all. */
export async function mirrorOfSubmodule(
  parts: {
    readonly modules: string
    readonly newMirror: (directory: string) => MirrorGit
    readonly accessFor: (url: string) => Promise<RemoteAccess>
  },
  { commit, url }: Submodule,
  options: WorkOptions,
): Promise<MirrorGit> {
  const name = createHash('sha256').update(url).digest('hex').slice(0, 32)
  const mirror = parts.newMirror(join(parts.modules, `${name}.git`))
  await mirror.ensure(commit.length === 64 ? 'sha256' : 'sha1')
  if (await hasCommit(mirror, commit)) return mirror
  const access = await parts.accessFor(url)
  try {
    await mirror.fetch(access, { refspecs: [`+${commit}:refs/lockstep/pinned/${commit}`], depth: 1 }, options)
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== 'REF_NOT_FOUND') throw thrown
    await mirror.fetch(
      access,
      { refspecs: [`+refs/heads/*:${incoming.branches}*`, `+refs/tags/*:${incoming.tags}*`] },
      options,
    )
    if (!(await hasCommit(mirror, commit))) throw thrown
  }
  return mirror
}

/** Puts a finished tree into the place of the empty directory that stands for it. */
export async function moveInto(directory: string, path: string, made: string): Promise<void> {
  await rename(made, bytePath(directory, path))
}

export const newDirectory = async (directory: string): Promise<string> => {
  await mkdir(directory, { mode: 0o755 })
  return directory
}
