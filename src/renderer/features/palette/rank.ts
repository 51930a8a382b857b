/** Something the palette can go to or do. */
export interface PaletteItem {
  readonly id: string
  readonly kind: 'view' | 'node' | 'agent' | 'run' | 'plan' | 'action'
  readonly label: string
  /** Fainter words beside the label; searched too. */
  readonly detail: string
  readonly keys: string
  readonly run: () => void
}

/**
 * How well a text fits: every word of the query has to occur; the start of the text counts most, then the start of a
 * word, then anywhere. 0 means that it does not fit.
 */
export function score(query: string, text: string): number {
  const haystack = text.toLowerCase()
  let total = 1
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = haystack.indexOf(word)
    if (at < 0) return 0
    total += at === 0 ? 4 : /[\s\-_.:/]/.test(haystack[at - 1] ?? '') ? 2 : 1
  }
  return total
}

const kindOrder: Readonly<Record<PaletteItem['kind'], number>> = {
  node: 0,
  agent: 1,
  action: 2,
  view: 3,
  plan: 4,
  run: 5,
}

/** Best first; equals by kind, then by name. With an empty query only what is not a node, agent or run, which would be all of them. */
export function rank(items: Iterable<PaletteItem>, query: string, limit: number): readonly PaletteItem[] {
  const empty = query.trim() === ''
  const scored: { readonly item: PaletteItem; readonly points: number }[] = []
  for (const item of items) {
    if (empty && (item.kind === 'node' || item.kind === 'agent' || item.kind === 'run')) continue
    const points = Math.max(score(query, item.label) * 2, score(query, `${item.label} ${item.detail}`))
    if (points > 0) scored.push({ item, points })
  }
  scored.sort(
    (a, b) =>
      b.points - a.points ||
      kindOrder[a.item.kind] - kindOrder[b.item.kind] ||
      a.item.label.localeCompare(b.item.label),
  )
  return scored.slice(0, limit).map(({ item }) => item)
}
