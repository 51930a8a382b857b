import { jsonPath } from '../../core/registry/sourceTree.ts'
import type {
  EffectGroup,
  EntryChange,
  MergeConflict,
  RegistryCheck,
  RegistryProblem,
  RegistrySave,
} from '../../shared/contract/registry.ts'
import { assertNever } from '../../shared/errors.ts'
import type { RegistryRevision, RevisionSource } from '../../shared/model/registry.ts'
import type { RegistrySource, SourcePlace, SourceState } from '../../shared/model/registrySource.ts'
import { printableLine } from './printable.ts'
import { waiting } from './style.ts'
import { type Cell, renderTable } from './table.ts'
import { isoTime, plural } from './words.ts'

export function renderHistory(revisions: readonly RegistryRevision[]): string {
  if (revisions.length === 0) return 'There is no revision yet. Make one with: lockstep registry apply services FILE\n'
  return renderTable(
    ['REVISION', 'SAVED', 'BY', 'ENTRIES', 'DIGEST', 'FROM', 'COMMENT'],
    revisions.map(({ number, at, author, entries, digest, source, comment }) => [
      String(number),
      isoTime(at),
      author,
      String(entries),
      digest.slice(0, 12),
      sourceWords(source),
      comment,
    ]),
  )
}

function sourceWords(source: RevisionSource): string {
  switch (source.kind) {
    case 'console':
      return 'by hand'
    case 'file':
      return `file ${source.path}`
    case 'configMap':
      return `ConfigMap ${source.cluster} ${source.namespace}/${source.name} ${source.resourceVersion}`
    case 'return':
      return `revision ${source.toNumber} again`
    default:
      return assertNever(source)
  }
}

/** `3:14 $.demo.port is ...`, one line each. */
export const renderProblems = (problems: readonly RegistryProblem[]): string =>
  problems
    .map(({ path, line, column, message }) => `${line}:${column} ${printableLine(`${jsonPath(path)} ${message}`)}\n`)
    .join('')

export function renderCheck(check: RegistryCheck): string {
  if (check.status === 'invalid') return renderProblems(check.problems)
  const { entries, changes, effects, fleet, warnings } = check
  const lines = fleet.map(({ name, kind, detail }) => `  ${printableLine(`${name}: ${kind}, ${detail}`)}\n`)
  return [
    changes.length === 0 ? `Nothing changes (${plural(entries, 'entry', 'entries')}).\n` : renderChanges(changes),
    renderEffects(effects),
    lines.length === 0 ? '' : `In the fleet:\n${lines.join('')}`,
    warnings.map((warning) => `warning: ${printableLine(warning)}\n`).join(''),
  ].join('')
}

const signs = { added: '+', removed: '-', changed: '~' } as const

export function renderChanges(changes: readonly EntryChange[]): string {
  return changes
    .map(({ name, kind, fields }) => {
      const shown = kind === 'removed' ? [] : fields
      const lines = shown.map(({ field, before, after }) => {
        const value = kind === 'added' ? after : `${before ?? 'nothing'} -> ${after ?? 'nothing'}`
        return `    ${printableLine(`${field}: ${value}`)}\n`
      })
      return `${signs[kind]} ${printableLine(name)}\n${lines.join('')}`
    })
    .join('')
}

export function renderEffects(effects: readonly EffectGroup[]): string {
  if (effects.length === 0) return 'No node gets anything else than it gets now.\n'
  return effects
    .map(({ planName, kind, nodeIds, before, after }) => {
      const { added, removed } = lineCounts(before, after)
      const what = `${kind} of ${plural(nodeIds.length, 'node')}: +${added} -${removed} lines`
      return `${printableLine(planName)}: ${what}\n`
    })
    .join('')
}

/** Lines that only one of the two has; order does not matter for a summary. */
function lineCounts(before: string, after: string): { readonly added: number; readonly removed: number } {
  const counts = new Map<string, number>()
  for (const line of before.split('\n')) counts.set(line, (counts.get(line) ?? 0) - 1)
  for (const line of after.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1)
  const values = [...counts.values()]
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  return { added: sum(values.filter((count) => count > 0)), removed: -sum(values.filter((count) => count < 0)) }
}

export function renderSave(save: Exclude<RegistrySave, { status: 'conflict' }>): string {
  const { number, entries } = save.revision
  const what = save.status === 'saved' ? 'saved' : 'says the same already'
  return `Revision ${number} ${what}: ${plural(entries, 'entry', 'entries')}.\n`
}

export function renderConflicts(conflicts: readonly MergeConflict[]): string {
  return conflicts
    .map(({ name, base, ours, theirs }) => {
      const line = (who: string, text: string | null) => `  ${who}  ${printableLine(text ?? '(not there)')}\n`
      return `${printableLine(name)}\n${line('was   ', base)}${line('yours ', ours)}${line('theirs', theirs)}`
    })
    .join('')
}

export function renderSources(sources: readonly RegistrySource[]): string {
  if (sources.length === 0)
    return 'Nothing is followed; registries are edited here. Follow a file with: lockstep registry sources add NAME --file FILE\n'
  return renderTable(
    ['SOURCE', 'REGISTRY', 'PLACE', 'STATE', 'ID'],
    sources.map(({ id, name, registry, place, state }) => [name, registry, placeCell(place), stateWords(state), id]),
  )
}

/** What is followed without a check of who answers is never shown as if it were like the others. */
const placeCell = (place: SourcePlace): Cell =>
  place.kind === 'configMap' && place.allowUnverifiedTls
    ? { text: `${placeWords(place)}, certificate not checked`, paint: waiting }
    : { text: placeWords(place) }

function placeWords(place: SourcePlace): string {
  if (place.kind === 'file') return `file ${place.path}`
  return `ConfigMap ${place.context ?? 'current context'} ${place.namespace}/${place.name}`
}

function stateWords(state: SourceState): string {
  switch (state.status) {
    case 'starting':
      return 'starting'
    case 'following':
      return `following, seen ${isoTime(state.seenAt)}`
    case 'failing':
      return `failing since ${isoTime(state.since)}: ${state.diagnosis.sentence}`
    default:
      return assertNever(state)
  }
}
