/** Lines around a change that are shown with it. */
const contextLines = 3
/** Beyond this many changed lines the exact path costs too much; then whole blocks stand against each other. */
const maxSteps = 400

type Edit = { readonly kind: ' ' | '-' | '+'; readonly line: string }

const linesOf = (text: string): readonly string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

/**
 * The changes from one text to another in the unified form, without the header of files (diff(1), POSIX). Empty for equal
 * texts. By the algorithm of Myers (1986) between what both have in common at the beginning and the end.
 */
export function unifiedDiff(before: string, after: string): string {
  const [old, current] = [linesOf(before), linesOf(after)]
  let start = 0
  while (start < old.length && start < current.length && old[start] === current[start]) start += 1
  let end = 0
  while (
    end < old.length - start &&
    end < current.length - start &&
    old[old.length - 1 - end] === current[current.length - 1 - end]
  )
    end += 1
  const same = (lines: readonly string[]): Edit[] => lines.map((line) => ({ kind: ' ', line }))
  const middle = edits(old.slice(start, old.length - end), current.slice(start, current.length - end))
  return hunks([...same(old.slice(0, start)), ...middle, ...same(old.slice(old.length - end))])
}

function edits(old: readonly string[], current: readonly string[]): readonly Edit[] {
  const trace = shortestTrace(old, current)
  if (trace === null)
    return [...old.map((line): Edit => ({ kind: '-', line })), ...current.map((line): Edit => ({ kind: '+', line }))]
  const path: Edit[] = []
  let [x, y] = [old.length, current.length]
  for (let step = trace.length - 1; step >= 0; step -= 1) {
    const reached = trace[step] as Map<number, number>
    const diagonal = x - y
    const down =
      step === 0 || diagonal === -step || (diagonal !== step && at(reached, diagonal - 1) < at(reached, diagonal + 1))
    const from = step === 0 ? 0 : down ? diagonal + 1 : diagonal - 1
    const [fromX, fromY] = step === 0 ? [0, 0] : [at(reached, from), at(reached, from) - from]
    while (x > fromX && y > fromY) {
      path.push({ kind: ' ', line: old[x - 1] as string })
      x -= 1
      y -= 1
    }
    if (step === 0) break
    if (down) path.push({ kind: '+', line: current[y - 1] as string })
    else path.push({ kind: '-', line: old[x - 1] as string })
    ;[x, y] = [fromX, fromY]
  }
  return path.reverse()
}

const at = (reached: ReadonlyMap<number, number>, diagonal: number): number => reached.get(diagonal) ?? -1

/** How far each diagonal was reached before each step; null when it takes too many. */
function shortestTrace(old: readonly string[], current: readonly string[]): Map<number, number>[] | null {
  const reached = new Map<number, number>([[1, 0]])
  const trace: Map<number, number>[] = []
  for (let step = 0; step <= Math.min(maxSteps, old.length + current.length); step += 1) {
    trace.push(new Map(reached))
    for (let diagonal = -step; diagonal <= step; diagonal += 2) {
      const down = diagonal === -step || (diagonal !== step && at(reached, diagonal - 1) < at(reached, diagonal + 1))
      let x = down ? at(reached, diagonal + 1) : at(reached, diagonal - 1) + 1
      while (x < old.length && x - diagonal < current.length && old[x] === current[x - diagonal]) x += 1
      reached.set(diagonal, x)
      if (x >= old.length && x - diagonal >= current.length) return trace
    }
  }
  return null
}

function hunks(all: readonly Edit[]): string {
  const changed = all.flatMap(({ kind }, index) => (kind === ' ' ? [] : [index]))
  const ranges: [number, number][] = []
  for (const index of changed) {
    const last = ranges.at(-1)
    if (last !== undefined && index - contextLines <= last[1]) last[1] = index + contextLines + 1
    else ranges.push([Math.max(0, index - contextLines), index + contextLines + 1])
  }
  const count = (edits: readonly Edit[], without: string): number => edits.filter(({ kind }) => kind !== without).length
  return ranges
    .map(([from, to]) => {
      const [ahead, part] = [all.slice(0, from), all.slice(from, to)]
      const head = `@@ -${place(count(ahead, '+'), count(part, '+'))} +${place(count(ahead, '-'), count(part, '-'))} @@`
      return `${[head, ...part.map(({ kind, line }) => kind + line)].join('\n')}\n`
    })
    .join('')
}

/** An empty side is named by the line before it. */
const place = (ahead: number, count: number): string => `${count === 0 ? ahead : ahead + 1},${count}`
