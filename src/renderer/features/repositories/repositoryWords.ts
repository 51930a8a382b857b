import { assertNever, type ErrorCode } from '../../../shared/errors.ts'
import type { Diagnosis } from '../../../shared/model/diagnosis.ts'
import type { CheckoutPlace, Repository, ScanReport, WantedRef } from '../../../shared/model/repository.ts'
import { shellQuote } from '../../components/CliEquivalent.tsx'
import { plural } from '../../components/format.ts'

/** As git shortens it in most places; the whole one is on hover and to be copied. */
export const shortHash = (commit: string): string => commit.slice(0, 10)

/** Where git works, in one line. */
export function placeWords({ checkout, remote }: Pick<Repository['settings'], 'checkout' | 'remote'>): string {
  const from = remote ?? 'its own origin'
  switch (checkout.kind) {
    case 'none':
      return from
    case 'here':
      return `${checkout.directory}, pulled from ${from}`
    case 'node':
      return `${checkout.directory} on ${checkout.node}, pulled from ${from}`
    default:
      return assertNever(checkout)
  }
}

export const checkoutWords: Readonly<Record<CheckoutPlace['kind'], string>> = {
  none: 'nowhere: only the mirror that the engine keeps',
  here: 'on the machine of the engine',
  node: 'on a node of the fleet',
}

/** What is mended in the settings: where the repository is, and how we prove who we are. */
const mendedInSettings: readonly ErrorCode[] = ['REPOSITORY_REFUSED', 'REF_NOT_FOUND', 'LARGE_FILE_POINTERS']

/** The one thing to do about a repository that cannot be fetched. */
export function remedyOf({ code }: Pick<Diagnosis, 'code'>): {
  readonly kind: 'force' | 'settings' | 'again'
  readonly label: string
} {
  if (code === 'REPOSITORY_DIVERGED') return { kind: 'force', label: 'Take the new history' }
  if (mendedInSettings.includes(code)) return { kind: 'settings', label: 'Change the settings' }
  return { kind: 'again', label: 'Fetch again' }
}

/** What a scan came to. */
export function scanWords(report: ScanReport | null): string {
  if (report === null) return 'never scanned'
  const open = openFindings(report)
  switch (report.status) {
    case 'clean':
      return 'no findings'
    case 'blocked':
      return `${plural(open, 'finding')}: syncs are held back`
    case 'findings':
      return open === 0
        ? `${plural(report.findingsTotal, 'finding')}, all allowed`
        : `${plural(open, 'finding')}, shown and not held back`
    case 'failed':
      return 'the scan failed: syncs are held back'
    case 'off':
      return 'not scanned: switched off'
    default:
      return assertNever(report.status)
  }
}

export const openFindings = ({ findings, findingsTotal }: ScanReport): number =>
  findingsTotal - findings.filter(({ allowed }) => allowed).length

/** Branch and tag names as they are kept, tags last. */
export function headNames({ state, settings }: Repository): readonly string[] {
  const rank = (name: string): number => (name === settings.defaultBranch ? 0 : name.startsWith('tags/') ? 2 : 1)
  return Object.keys(state.heads).sort(
    (left, right) => rank(left) - rank(right) || left.localeCompare(right, 'en', { numeric: true }),
  )
}

/** A kept name as what a plan wants. */
export const refOfHead = (name: string): WantedRef =>
  name.startsWith('tags/') ? { kind: 'tag', name: name.slice('tags/'.length) } : { kind: 'branch', name }

export const headWords = (name: string): string =>
  name.startsWith('tags/') ? `tag ${name.slice('tags/'.length)}` : name

function refOptions(ref: WantedRef): string {
  switch (ref.kind) {
    case 'branch':
      return ref.name === null ? '--default-branch' : `--branch ${shellQuote(ref.name)}`
    case 'tag':
      return `--tag ${shellQuote(ref.name)}`
    case 'commit':
      return `--commit ${ref.commit}`
    default:
      return assertNever(ref)
  }
}

interface SyncWords {
  readonly plans: readonly string[]
  readonly nodes: readonly string[]
  readonly force: boolean
}

/** A long list of names is better pasted than read. */
const names = (nodes: readonly string[]): string => nodes.map((node) => ` ${shellQuote(node)}`).join('')
const planOptions = (plans: readonly string[]): string => plans.map((plan) => ` --plan ${shellQuote(plan)}`).join('')

/** The commands that do the same as the buttons. */
export const cli = {
  sync: (repository: string, { plans, nodes, force }: SyncWords): string =>
    `lockstep repos sync ${shellQuote(repository)}${names(nodes)}${planOptions(plans)}${force ? ' --force' : ''} --wait`,
  fetch: (repository: string, force: boolean): string =>
    `lockstep repos fetch ${shellQuote(repository)}${force ? ' --force' : ''}`,
  verify: (repository: string, nodes: readonly string[]): string =>
    `lockstep repos verify ${shellQuote(repository)}${names(nodes)}`,
  preview: (plan: string, node: string): string => `lockstep repos preview ${shellQuote(plan)} ${shellQuote(node)}`,
  deploy: (plan: string, ref: WantedRef): string =>
    `lockstep repos deploy ${shellQuote(plan)} ${refOptions(ref)} --wait`,
  rollback: (plan: string): string => `lockstep repos rollback ${shellQuote(plan)} --wait`,
  scan: (repository: string): string => `lockstep repos scan ${shellQuote(repository)}`,
  allow: (repository: string, hash: string, reason: string): string =>
    `lockstep repos allow ${shellQuote(repository)} ${hash} --reason ${shellQuote(reason === '' ? 'why' : reason)}`,
  disallow: (repository: string, hash: string): string => `lockstep repos disallow ${shellQuote(repository)} ${hash}`,
  remove: (repository: string): string => `lockstep repos remove ${shellQuote(repository)}`,
  importFile: (name: string): string => `lockstep repos import config.yml --name ${shellQuote(name)} --apply`,
} as const
