import type { RunSummary } from '../../shared/model/run.ts'
import { displayName, type RsyncLine } from '../parse/rsync.ts'

type Item = Extract<RsyncLine, { kind: 'item' }>

/** A file or a link: what is delivered. */
export const isContent = (line: Item): line is Item & { type: 'file' | 'symlink' } =>
  line.type === 'file' || line.type === 'symlink'

/** Named only because what is equal was asked for, too. */
const isEqual = ({ change }: Item): boolean => /^\.. +$/.test(change)

/** Content goes over, or something is made or removed; a dot means that times or permissions alone differ. */
export const isDifference = (line: Item | Extract<RsyncLine, { kind: 'delete' }>): boolean =>
  line.kind === 'delete' || !line.change.startsWith('.')

const mostPaths = 1000

/** What one rsync did, as it says itself. */
export class Tally {
  readonly stats = new Map<string, number>()
  /** The first thousand. */
  readonly deletedPaths: string[] = []
  filesDeleted = 0
  directoriesDeleted = 0
  skippedSpecial = 0
  /** Lines about something that is not as on the other side. */
  changes = 0

  take(line: RsyncLine): void {
    if (line.kind === 'stat') {
      this.stats.set(line.name, line.value)
      // Ours come last, so whatever a sender put in front of them is gone.
      this.stats.set(`${line.name} (regular)`, line.regular ?? 0)
    } else if (line.kind === 'delete') this.#takeDelete(line)
    else if (line.kind === 'item') this.changes += isEqual(line) ? 0 : 1
    else if (line.kind === 'text' && line.text.startsWith('skipping non-regular file')) this.skippedSpecial += 1
  }

  #takeDelete(line: Extract<RsyncLine, { kind: 'delete' }>): void {
    this.changes += 1
    if (line.isDirectory) this.directoriesDeleted += 1
    else this.filesDeleted += 1
    if (this.deletedPaths.length < mostPaths) this.deletedPaths.push(displayName(line.name))
  }

  stat(name: string): number {
    return this.stats.get(name) ?? 0
  }

  /**
   * Regular files of the receiver that the source has too. Directories do not count: files are what a delete is
   * measured in, and a tree of many directories would make any share look small.
   */
  get existing(): number {
    return Math.max(0, this.stat('Number of files (regular)') - this.stat('Number of created files (regular)'))
  }
}

export const nothingMoved: RunSummary = {
  filesTotal: 0,
  filesTransferred: 0,
  filesDeleted: 0,
  bytesTotal: 0,
  bytesTransferred: 0,
  durationMs: 0,
}

/** What was moved counts every time; `filesTotal` and `bytesTotal` are the caller's, who knows what lies there once. */
export function addMoved(before: RunSummary | null, tally: Tally): RunSummary {
  const summary = before ?? nothingMoved
  return {
    ...summary,
    filesTransferred: summary.filesTransferred + tally.stat('Number of regular files transferred'),
    filesDeleted: summary.filesDeleted + tally.filesDeleted,
    bytesTransferred: summary.bytesTransferred + tally.stat('Total bytes sent') + tally.stat('Total bytes received'),
  }
}
