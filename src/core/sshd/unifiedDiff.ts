const contextLines = 3
/** Beyond this the middle is shown as replaced as a whole: a configuration is never that long. */
const mostCells = 4_000_000

type Edit = { readonly kind: ' ' | '-' | '+'; readonly line: string }

/** A unified diff as `diff -u` prints it; empty when nothing differs. `before` null: the file does not exist. */
export function unifiedDiff(path: string, before: string | null, after: string | null): string {
  if (before === after) return ''
  const edits = editsBetween(linesOf(before ?? ''), linesOf(after ?? ''))
  const header = `--- ${before === null ? '/dev/null' : path}\n+++ ${after === null ? '/dev/null' : path}\n`
  return header + hunksOf(edits).map(renderHunk).join('')
}

const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

function editsBetween(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1
  let tail = 0
  const longest = Math.min(before.length, after.length) - head
  while (tail < longest && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1
  const same = (line: string): Edit => ({ kind: ' ', line })
  return [
    ...before.slice(0, head).map(same),
    ...middleEdits(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ]
}

/** Longest common subsequence by table. */
function middleEdits(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1
  if ((before.length + 1) * width > mostCells) return [...before.map(removed), ...after.map(added)]
  const lengths = new Uint32Array((before.length + 1) * width)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  for (let row = before.length - 1; row >= 0; row -= 1)
    for (let column = after.length - 1; column >= 0; column -= 1)
      lengths[row * width + column] =
        before[row] === after[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
  const edits: Edit[] = []
  let [row, column] = [0, 0]
  while (row < before.length || column < after.length) {
    if (row < before.length && column < after.length && before[row] === after[column]) {
      edits.push({ kind: ' ', line: before[row] ?? '' })
      row += 1
      column += 1
    } else if (row < before.length && (column >= after.length || at(row + 1, column) >= at(row, column + 1))) {
      edits.push(removed(before[row] ?? ''))
      row += 1
    } else {
      edits.push(added(after[column] ?? ''))
      column += 1
    }
  }
  return edits
}

const removed = (line: string): Edit => ({ kind: '-', line })
const added = (line: string): Edit => ({ kind: '+', line })

interface Hunk {
  readonly oldStart: number
  readonly newStart: number
  readonly edits: Edit[]
}

function hunksOf(edits: readonly Edit[]): Hunk[] {
  const near = edits.map((_, index) =>
    edits.slice(Math.max(0, index - contextLines), index + contextLines + 1).some((edit) => edit.kind !== ' '),
  )
  const hunks: Hunk[] = []
  let [oldLine, newLine] = [1, 1]
  edits.forEach((edit, index) => {
    if (near[index] === true) {
      if (near[index - 1] !== true) hunks.push({ oldStart: oldLine, newStart: newLine, edits: [] })
      hunks.at(-1)?.edits.push(edit)
    }
    if (edit.kind !== '+') oldLine += 1
    if (edit.kind !== '-') newLine += 1
  })
  return hunks
}

function renderHunk({ oldStart, newStart, edits }: Hunk): string {
  const count = (kind: Edit['kind']): number => edits.filter((edit) => edit.kind !== kind).length
  const [oldCount, newCount] = [count('+'), count('-')]
  const range = (start: number, length: number): string => `${length === 0 ? start - 1 : start},${length}`
  const body = edits.map(({ kind, line }) =>
    line.endsWith('\n') ? `${kind}${line}` : `${kind}${line}\n\\ No newline at end of file\n`,
  )
  return `@@ -${range(oldStart, oldCount)} +${range(newStart, newCount)} @@\n${body.join('')}`
}
