import { displayName, type RsyncLine } from '../../core/parse/rsync.ts'
import { directoryOn, excludesOf, treeOn } from '../../core/repository/places.ts'
import { shellRemoteDirectory } from '../../core/transfer/paths.ts'
import { remoteScript } from '../../core/transfer/remoteShell.ts'
import type { RsyncTransfer } from '../../core/transfer/rsyncArguments.ts'
import { isContent, isDifference, Tally } from '../../core/transfer/tally.ts'
import { AppError } from '../../shared/errors.ts'
import { RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SyncPreview } from '../../shared/model/repository.ts'
import { resolveNode, resolvePlan } from '../fleet/resolve.ts'
import type { DiagnoseFailure, OpenSshAccess, SshPool, TreeSnapshot } from '../ports.ts'
import { repositoryPlan } from './chosen.ts'
import { type RepositoryParts, type RepositoryPlan, resolveRepository } from './parts.ts'
import { fetchedCommit } from './trees.ts'

/** rsync, as the parts of `engine/transfer` run it. */
export interface PreviewTransfer {
  readonly runRsync: (request: {
    readonly transfer: RsyncTransfer
    readonly signal?: AbortSignal
    readonly onLine: (line: RsyncLine) => void
  }) => Promise<{ readonly exitCode: number; readonly stderr: string }>
  readonly remoteRsyncProgram: (runId: RunId) => string
  readonly readManifest: (
    directory: string,
    excludes: readonly string[],
    options: { readonly signal?: AbortSignal },
  ) => Promise<{
    readonly entries: readonly { readonly type: string; readonly name: string }[]
    readonly totalBytes: number
  }>
}

export interface PreviewDependencies extends Pick<RepositoryParts, 'store' | 'mirrors' | 'ids'> {
  readonly openSsh: OpenSshAccess
  readonly sshPool: Pick<SshPool, 'exec'>
  readonly transfer: PreviewTransfer
  readonly diagnose: DiagnoseFailure
}

export interface Previews {
  /** What a sync would change on a node, by a dry run; nothing is written anywhere. */
  preview(order: { readonly plan: string; readonly node: string }, signal?: AbortSignal): Promise<SyncPreview>
}

interface Look {
  readonly plan: RepositoryPlan
  readonly node: FleetNode
  readonly snapshot: TreeSnapshot
  readonly signal?: AbortSignal
}

const mostNames = 1000
const lookTimeoutMs = 30_000
const missingExitCode = 9

export function createPreviews(dependencies: PreviewDependencies): Previews {
  const { store, mirrors } = dependencies
  return {
    preview: async (order, signal) => {
      const plan = repositoryPlan(await resolvePlan(store, order.plan))
      const node = await resolveNode(store, order.node)
      if (!node.plans.some(({ planId }) => planId === plan.id))
        throw new AppError('PRECONDITION_FAILED', `Plan "${plan.name}" does not select node "${node.name}".`, {
          data: { node: node.name },
        })
      const repository = await resolveRepository(store, plan.spec.repository)
      const commit = await fetchedCommit({ mirrors }, repository, plan.spec.ref)
      const cut = signal === undefined ? {} : { signal }
      const snapshot = await mirrors.snapshot(repository, commit, { dotGit: !plan.spec.excludeDotGit, ...cut })
      try {
        return await previewOn(dependencies, { plan, node, snapshot, ...cut })
      } finally {
        snapshot.release()
      }
    },
  }
}

async function previewOn(dependencies: PreviewDependencies, look: Look): Promise<SyncPreview> {
  return (await isThere(dependencies, look)) ? dryRun(dependencies, look) : everything(dependencies, look)
}

/** A dry run makes no directory, and rsync needs the one around it. */
async function isThere({ sshPool }: PreviewDependencies, { plan, node, signal }: Look): Promise<boolean> {
  const directory = shellRemoteDirectory(treeOn(plan.spec, node.name))
  const { command, stdin } = remoteScript(`[ -d ${directory} ] || exit ${missingExitCode}`)
  const options = { stdin, timeoutMs: lookTimeoutMs, ...(signal === undefined ? {} : { signal }) }
  return (await sshPool.exec(node, command, options)).exitCode !== missingExitCode
}

async function everything({ transfer }: PreviewDependencies, { plan, snapshot, signal }: Look): Promise<SyncPreview> {
  const options = signal === undefined ? {} : { signal }
  const manifest = await transfer.readManifest(snapshot.directory, excludesOf(plan.spec), options)
  const files = manifest.entries.filter(({ type }) => type !== 'directory').map(({ name }) => displayName(name))
  return {
    commit: snapshot.commit,
    added: files.slice(0, mostNames),
    changed: [],
    deleted: [],
    totals: { added: files.length, changed: 0, deleted: 0 },
    bytes: manifest.totalBytes,
  }
}

async function dryRun(dependencies: PreviewDependencies, look: Look): Promise<SyncPreview> {
  const { openSsh, ids, transfer, diagnose } = dependencies
  const { plan, node, snapshot, signal } = look
  const { sshCommand, hostAlias } = await openSsh.prepare(node, 'automation')
  const names = new NamedChanges()
  const tally = new Tally()
  const result = await transfer.runRsync({
    transfer: {
      direction: 'push',
      localDirectory: snapshot.directory,
      remoteDirectory: treeOn(plan.spec, node.name),
      excludes: excludesOf(plan.spec),
      bandwidthKiBps: plan.spec.bandwidthKiBps,
      access: { sshCommand, hostAlias },
      remoteProgram: transfer.remoteRsyncProgram(RunId.parse(ids())),
      // A release is a directory of its own, so nothing of the one before is left in it.
      deletes: plan.spec.delete || plan.spec.strategy.kind === 'release' ? { atMost: null } : null,
      dryRun: true,
      checksum: false,
      listEqual: false,
      replaceTogether: false,
    },
    onLine: (line) => {
      tally.take(line)
      names.take(line)
    },
    ...(signal === undefined ? {} : { signal }),
  })
  if (result.exitCode !== 0) {
    const diagnosis = diagnose(node, { program: 'rsync', ...result })
    const where = directoryOn(plan.spec, node.name)
    throw new AppError(diagnosis.code, `${where} on ${node.name} cannot be compared. ${diagnosis.sentence}`, {
      data: { diagnosis },
    })
  }
  return {
    commit: snapshot.commit,
    ...names.lists,
    totals: names.totals,
    bytes: tally.stat('Total transferred file size'),
  }
}

/** Files and links by what would happen to them; directories go along. */
class NamedChanges {
  readonly lists: { added: string[]; changed: string[]; deleted: string[] } = { added: [], changed: [], deleted: [] }
  readonly totals = { added: 0, changed: 0, deleted: 0 }

  take(line: RsyncLine): void {
    if (line.kind === 'delete') {
      if (!line.isDirectory) this.#add('deleted', line.name)
    } else if (line.kind === 'item' && isContent(line) && isDifference(line)) {
      this.#add(line.change.slice(2).startsWith('+') ? 'added' : 'changed', line.name)
    }
  }

  #add(kind: keyof NamedChanges['totals'], name: string): void {
    this.totals[kind] += 1
    if (this.lists[kind].length < mostNames) this.lists[kind].push(displayName(name))
  }
}
