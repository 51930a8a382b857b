import type { NodeKind } from '../shared/model/node.ts'

/** What a demo node is before it exists: its name, its kind and the address it would like to have. */
export interface CatalogueEntry {
  readonly name: string
  readonly kind: NodeKind
  /** Within 127.0.0.0/8; used where the system lets us bind it. */
  readonly preferredAddress: string
}

/** The mix repeats every twelve nodes, so that even a small fleet has something of everything. */
const mix: readonly NodeKind[] = [
  'laptop',
  'vps',
  'worker',
  'vps',
  'storage',
  'worker',
  'laptop',
  'vps',
  'worker',
  'vm',
  'vps',
  'storage',
]

const people = [
  'ada',
  'boris',
  'chen',
  'dilek',
  'emeka',
  'frida',
  'goran',
  'hana',
  'ivo',
  'jun',
  'kaja',
  'luis',
  'mina',
  'noor',
  'otto',
  'priya',
]
const sites = ['fra', 'ams', 'nyc', 'sgp', 'waw', 'gru', 'syd', 'cpt']

const twoDigits = (number: number): string => String(number).padStart(2, '0')

/** `ordinal` counts the nodes of one kind from 0. */
function nameOf(kind: NodeKind, ordinal: number): string {
  if (kind === 'laptop') {
    const round = Math.floor(ordinal / people.length)
    return `${people[ordinal % people.length]}-laptop${round === 0 ? '' : `-${round + 1}`}`
  }
  if (kind === 'vps') return `edge-${sites[ordinal % sites.length]}-${Math.floor(ordinal / sites.length) + 1}`
  return `${kind}-${twoDigits(ordinal + 1)}`
}

/** 127.77.0.1 onwards, never ending in .0 or .255. */
const addressOf = (index: number): string => `127.77.${Math.floor(index / 254)}.${(index % 254) + 1}`

/** The first `count` nodes of an endless list: a larger fleet holds the smaller one. */
export function catalogue(count: number): readonly CatalogueEntry[] {
  const seen = new Map<NodeKind, number>()
  return Array.from({ length: count }, (_, index) => {
    const kind = mix[index % mix.length] as NodeKind
    const ordinal = seen.get(kind) ?? 0
    seen.set(kind, ordinal + 1)
    return { name: nameOf(kind, ordinal), kind, preferredAddress: addressOf(index) }
  })
}
