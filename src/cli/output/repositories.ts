import type { RepositoryImport } from '../../shared/contract/repositories.ts'
import { assertNever } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type {
  CheckoutPlace,
  Commit,
  Repository,
  RepositoryLogin,
  RepositoryTarget,
  SentinelReading,
  SyncPreview,
  WantedRef,
} from '../../shared/model/repository.ts'
import { printableLine } from './printable.ts'
import { bad, good, type Paint, waiting } from './style.ts'
import { type Cell, renderFacts, renderTable } from './table.ts'
import { isoTime, isoTimeOr, plural, sizeWords } from './words.ts'

export const shortHash = (commit: string): string => commit.slice(0, 10)

/** Which commit a plan wants. */
export function refWords(ref: WantedRef): string {
  switch (ref.kind) {
    case 'branch':
      return ref.name === null ? 'default branch' : `branch ${ref.name}`
    case 'tag':
      return `tag ${ref.name}`
    case 'commit':
      return `commit ${shortHash(ref.commit)}`
    default:
      return assertNever(ref)
  }
}

function stateCell({ state }: Repository): Cell {
  if (state.diagnosis !== null) return { text: `failing: ${state.diagnosis.sentence}`, paint: bad }
  if (state.fetchedAt === null) return { text: 'never fetched', paint: waiting }
  const warnings = state.warnings.length === 0 ? '' : `, ${plural(state.warnings.length, 'warning')}`
  return { text: `fetched ${isoTime(state.fetchedAt)}${warnings}`, paint: state.warnings.length === 0 ? good : waiting }
}

const headOf = ({ settings, state }: Repository): string => {
  const commit = state.heads[settings.defaultBranch]
  return `${settings.defaultBranch} ${commit === undefined ? '-' : shortHash(commit)}`
}

export function renderRepositories(repositories: readonly Repository[]): string {
  if (repositories.length === 0) return 'There is no repository. Add one with: lockstep repos add NAME --remote URL\n'
  return renderTable(
    ['REPOSITORY', 'HEAD', 'REMOTE', 'CHECKOUT', 'STATE'],
    repositories.map((repository) => [
      repository.settings.name,
      headOf(repository),
      repository.settings.remote ?? 'origin of the checkout',
      checkoutWords(repository.settings.checkout),
      stateCell(repository),
    ]),
  )
}

function checkoutWords(checkout: CheckoutPlace): string {
  switch (checkout.kind) {
    case 'none':
      return '-'
    case 'here':
      return checkout.directory
    case 'node':
      return `${checkout.node}:${checkout.directory}`
    default:
      return assertNever(checkout)
  }
}

function loginWords(login: RepositoryLogin, hasToken: boolean): string {
  switch (login.kind) {
    case 'none':
      return 'none'
    case 'key':
      return `SSH key ${login.file}`
    case 'certificate':
      return 'certificate of the user authority'
    case 'token':
      return `token as ${login.user}${hasToken ? ', in the vault' : ', which is missing'}`
    default:
      return assertNever(login)
  }
}

export function renderRepository(repository: Repository): string {
  const { settings, state } = repository
  const { scan } = settings
  const scanned = scan.enabled ? `${scan.tool}, ${scan.blockOnSecrets ? 'blocks' : 'shows only'}` : 'off'
  const facts = renderFacts([
    ['name', settings.name],
    ['id', repository.id],
    ['remote', settings.remote ?? 'origin of the checkout'],
    ['checkout', checkoutWords(settings.checkout)],
    ['login', loginWords(settings.login, repository.hasToken)],
    ['default branch', headOf(repository)],
    ['scan', scanned],
    ['asked', settings.pollIntervalSeconds === null ? 'by hand' : `every ${settings.pollIntervalSeconds} s`],
    ['large files', settings.largeFiles],
    ['submodules', settings.submodules ? 'yes' : 'no'],
    ['depth', settings.depth === null ? null : String(settings.depth)],
    ['state', stateCell(repository)],
    [
      'next',
      state.diagnosis === null || state.diagnosis.nextAction.kind === 'none' ? null : state.diagnosis.nextAction.label,
    ],
  ])
  const evidence = renderFacts((state.diagnosis?.evidence ?? []).map((line) => ['evidence', line] as const))
  const warnings = renderFacts(state.warnings.map((text) => ['warning', { text, paint: waiting }] as const))
  const heads = Object.entries(state.heads)
  const table =
    heads.length === 0
      ? ''
      : `\n${renderTable(
          ['REF', 'COMMIT'],
          heads.map(([name, commit]) => [name, commit]),
        )}`
  return `${facts}${evidence}${warnings}${table}`
}

export function renderCommits(commits: readonly Commit[]): string {
  if (commits.length === 0) return 'No commit was fetched of this line.\n'
  return renderTable(
    ['COMMIT', 'COMMITTED', 'AUTHOR', 'REFS', 'SUBJECT'],
    commits.map(({ commit, committedAt, author, refs, subject }) => [
      shortHash(commit),
      isoTime(committedAt),
      author,
      refs.length === 0 ? '-' : refs.join(', '),
      subject,
    ]),
  )
}

/** Names for the ids that answers hold. */
export interface Names {
  readonly nodes: readonly FleetNode[]
  readonly plans: readonly Plan[]
}

const nameOf = (list: readonly { readonly id: string; readonly name: string }[], id: string): string =>
  list.find((each) => each.id === id)?.name ?? id

function standing({ desired, observed, behind }: RepositoryTarget): Cell {
  if (observed === null) return { text: 'never delivered', paint: waiting }
  if (desired === null) return { text: 'nothing fetched', paint: waiting }
  if (observed === desired) return { text: 'at the commit', paint: good }
  return { text: behind === null ? 'on another line' : `${behind} behind`, paint: waiting }
}

export function renderTargets(targets: readonly RepositoryTarget[], { nodes, plans }: Names): string {
  if (targets.length === 0)
    return 'No plan delivers this repository. Write one of kind "repository": lockstep plans apply\n'
  const nodeNames = new Map(nodes.map(({ id, name }) => [id, name]))
  return renderTable(
    ['NODE', 'PLAN', 'STATE', 'WANTED', 'READ BACK', 'VERIFIED', 'DIRECTORY'],
    targets.map((target) => [
      nodeNames.get(target.nodeId) ?? target.nodeId,
      nameOf(plans, target.planId),
      standing(target),
      target.desired === null ? '-' : shortHash(target.desired),
      target.observed === null ? '-' : shortHash(target.observed),
      isoTimeOr(target.verifiedAt, 'never'),
      target.directory,
    ]),
  )
}

const readingPaint: Readonly<Record<SentinelReading['status'], Paint>> = {
  matches: good,
  differs: bad,
  absent: bad,
  unreadable: bad,
}

export function renderReadings(readings: readonly SentinelReading[], { nodes, plans }: Names): string {
  if (readings.length === 0) return 'No plan delivers this repository to any of these nodes.\n'
  return renderTable(
    ['NODE', 'PLAN', 'SENTINEL', 'EXPECTED', 'FOUND', 'WHY'],
    readings.map(({ nodeId, planId, status, expected, found, diagnosis }) => [
      nameOf(nodes, nodeId),
      nameOf(plans, planId),
      { text: status, paint: readingPaint[status] },
      expected === null ? '-' : shortHash(expected),
      found === null ? '-' : found.slice(0, 40),
      diagnosis?.sentence ?? '',
    ]),
  )
}

export function renderPreview({ commit, totals, bytes, ...lists }: SyncPreview): string {
  const words = `${totals.added} added, ${totals.changed} changed, ${totals.deleted} deleted, ${sizeWords(bytes)}`
  const lines = (sign: string, paths: readonly string[]): string =>
    paths.map((path) => `${sign} ${printableLine(path)}\n`).join('')
  const shown = lists.added.length + lists.changed.length + lists.deleted.length
  const all = totals.added + totals.changed + totals.deleted
  return [
    `Commit ${commit}: ${words}.\n`,
    lines('+', lists.added),
    lines('~', lists.changed),
    lines('-', lists.deleted),
    shown < all ? `and ${all - shown} more.\n` : '',
  ].join('')
}

export function renderImport({ repository, nodes, plans, notes }: RepositoryImport, applied: boolean): string {
  const { name, remote, checkout, defaultBranch } = repository
  return [
    renderFacts([
      ['repository', name],
      ['remote', remote ?? 'origin of the checkout'],
      ['checkout', checkoutWords(checkout)],
      ['default branch', defaultBranch],
    ]),
    nodes.length === 0
      ? ''
      : `\n${renderTable(
          ['NODE', 'ADDRESS', 'PORT', 'USER'],
          nodes.map((node) => [node.name, node.address, String(node.port), node.user]),
        )}`,
    plans.length === 0
      ? ''
      : `\n${renderTable(
          ['PLAN', 'SELECTOR', 'DIRECTORY'],
          plans.map((plan) => [plan.name, plan.selector, plan.kind === 'repository' ? plan.spec.target : plan.kind]),
        )}`,
    notes.map((note) => `note: ${printableLine(note)}\n`).join(''),
    applied ? 'Taken over.\n' : 'Nothing was changed. With --apply it is taken over.\n',
  ].join('')
}
