import { join } from 'node:path'
import type { MirrorGit } from './mirrorGit.ts'
import type { MakeTree } from './snapshots.ts'
import { stampDirectories, writeTree } from './treeWriter.ts'

/** Fills a snapshot from the mirror. */
export function treeMaker(mirror: MirrorGit): MakeTree {
  return async (order, options) => {
    const { entries } = await writeTree(
      { ...order, mirror, commit: order.form.commit, indexFile: join(order.scratch, 'index') },
      options,
    )
    await stampDirectories(order, entries, options)
    return { pointers: [] }
  }
}
