import type { CommitHash, Repository, WantedRef } from '../../shared/model/repository.ts'

/** Which commit a ref means, by the heads that are kept; a commit means itself, whether or not it was fetched. */
export function resolveRef(
  { settings, state }: Pick<Repository, 'settings' | 'state'>,
  ref: WantedRef,
): CommitHash | null {
  switch (ref.kind) {
    case 'commit':
      return ref.commit
    case 'tag':
      return headOf(state.heads, `tags/${ref.name}`)
    case 'branch':
      return headOf(state.heads, ref.name ?? settings.defaultBranch)
  }
}

/** Names come from elsewhere: `constructor` is a branch like any other. */
const headOf = (heads: Repository['state']['heads'], name: string): CommitHash | null =>
  Object.hasOwn(heads, name) ? (heads[name] ?? null) : null

/** For people: `branch main`, `tag v1`, `commit 1a2b3c4d5e6f`. */
export function refWords(ref: WantedRef, defaultBranch: string): string {
  switch (ref.kind) {
    case 'commit':
      return `commit ${shortCommit(ref.commit)}`
    case 'tag':
      return `tag ${ref.name}`
    case 'branch':
      return `branch ${ref.name ?? defaultBranch}`
  }
}

export const shortCommit = (commit: CommitHash): string => commit.slice(0, 12)
