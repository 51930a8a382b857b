/*
 * Our lines in sshd_config: one block at the very top, where sshd obeys the first value it finds and no `Match` has
 * begun. Everything outside the marks belongs to somebody else and keeps every byte. Texts are latin1, so that bytes
 * that are no UTF-8 survive.
 */

export const beginMark = '# lockstep: begin'
export const endMark = '# lockstep: end'
const note = '# Written by Lockstep. Changes between these marks are overwritten.'
const sectionPrefix = '# section: '

/** Lines of the block by who wants them; each kind of change touches its own section only. */
export type BlockSections = Readonly<Record<string, readonly string[]>>

/** `trust` first: where two sections name a file of trusted keys, the one that plans keep current wins. */
const order = ['trust', 'krl', 'host-certificate', 'storage']

interface SplitConfig {
  readonly blocks: readonly (readonly string[])[]
  /** What is not ours, every byte of it. Half a block counts as not ours, except for its mark. */
  readonly rest: string
}

/** What our block says now; of several blocks the first one wins, as in sshd. */
export function readManagedBlock(config: string): BlockSections {
  const sections: Record<string, readonly string[]> = {}
  for (const block of splitConfig(config).blocks)
    for (const [name, lines] of sectionsOf(block)) sections[name] ??= lines
  return sections
}

/** The configuration with this block, and with no other one of ours; without sections, without a block. */
export function withManagedBlock(config: string, sections: BlockSections): string {
  const { rest } = splitConfig(config)
  const names = Object.keys(sections).filter((name) => (sections[name] ?? []).length > 0)
  if (names.length === 0) return rest
  const lineEnd = /\r?\n/.exec(rest)?.[0] ?? '\n'
  const body = names.sort(byOrder).flatMap((name) => [`${sectionPrefix}${name}`, ...(sections[name] ?? [])])
  return `${[beginMark, note, ...body, endMark].join(lineEnd)}${lineEnd}${rest}`
}

/** The same with one section exchanged; an empty one goes. */
export function withSection(config: string, name: string, lines: readonly string[]): string {
  return withManagedBlock(config, { ...readManagedBlock(config), [name]: lines })
}

function byOrder(left: string, right: string): number {
  const [leftRank, rightRank] = [order.indexOf(left), order.indexOf(right)]
  return leftRank - rightRank || (left < right ? -1 : 1)
}

function splitConfig(config: string): SplitConfig {
  const lines = config.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const blocks: string[][] = []
  let rest = ''
  for (let index = 0; index < lines.length; index += 1) {
    const end = isMark(lines[index], beginMark) ? endOfBlock(lines, index) : null
    if (end !== null) {
      blocks.push(lines.slice(index + 1, end).map((line) => line.trim()))
      index = end
    } else if (!isMark(lines[index], beginMark) && !isMark(lines[index], endMark)) rest += lines[index]
  }
  return { blocks, rest }
}

/** Null for half a block: whatever follows its mark may be anybody's. */
function endOfBlock(lines: readonly string[], begin: number): number | null {
  for (let index = begin + 1; index < lines.length; index += 1) {
    if (isMark(lines[index], endMark)) return index
    if (isMark(lines[index], beginMark)) return null
  }
  return null
}

const isMark = (line: string | undefined, mark: string): boolean => line?.trim() === mark

function sectionsOf(block: readonly string[]): Map<string, string[]> {
  const sections = new Map<string, string[]>()
  let current: string[] | undefined
  for (const line of block) {
    if (line.startsWith(sectionPrefix)) {
      current = []
      sections.set(line.slice(sectionPrefix.length).trim(), current)
    } else if (line !== '' && !line.startsWith('#')) current?.push(line)
  }
  return sections
}
