import { createHash } from 'node:crypto'
import {
  chmod,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import type { PreparedTree, RepositoryTrees, Store } from '../../src/engine/ports.ts'
import type { RunService } from '../../src/engine/runs/runService.ts'
import { IdempotencyKey, RepositoryId } from '../../src/shared/model/ids.ts'
import type { FleetNode } from '../../src/shared/model/node.ts'
import { CommitHash, type ScanReport } from '../../src/shared/model/repository.ts'
import type { Run } from '../../src/shared/model/run.ts'
import { createRunRig, type RigOptions, type RunRig } from './runRig.ts'

/** A file's text, or what a link points at. */
export type FakeFile = string | Buffer | { readonly link: string } | { readonly program: string }

/** A repository of plain directories, one for each commit, in the form in which mirrors make snapshots. */
export interface FakeRepository {
  readonly trees: RepositoryTrees
  /** What a plan gets now. */
  head: CommitHash
  /** Where derived files go; null: beside the snapshots. */
  scratch: string | null
  /** Parts of the report that every tree comes with. */
  scan: Partial<ScanReport>
  /** Trees that somebody holds. */
  held(): number
  /** How often a tree was asked for. */
  prepared(): number
  /** The new head; what did not change is the file of the head before, under another name. */
  commit(files: Readonly<Record<string, FakeFile>>): Promise<CommitHash>
  directoryOf(commit: CommitHash): string
}

export function createFakeRepository(directory: string): FakeRepository {
  let held = 0
  let prepared = 0
  let stamp = 1_700_000_000
  let before: { readonly commit: CommitHash; readonly files: Readonly<Record<string, FakeFile>> } | null = null
  const directoryOf = (commit: CommitHash): string => join(directory, commit)
  const repository: FakeRepository = {
    head: CommitHash.parse('0'.repeat(40)),
    scratch: null,
    scan: {},
    held: () => held,
    prepared: () => prepared,
    directoryOf,
    commit: async (files) => {
      stamp += 1
      const commit = CommitHash.parse(
        createHash('sha1')
          .update(`${stamp} ${Object.keys(files).join()}`)
          .digest('hex'),
      )
      const root = directoryOf(commit)
      await mkdir(root, { recursive: true })
      const directories = new Set<string>([root])
      for (const [name, file] of Object.entries(files)) {
        const path = join(root, name)
        for (let parent = dirname(path); parent !== root; parent = dirname(parent)) directories.add(parent)
        await mkdir(dirname(path), { recursive: true })
        if (before !== null && typeof file === 'string' && before.files[name] === file)
          await link(join(directoryOf(before.commit), name), path)
        else await writeFake(path, file, stamp)
      }
      for (const path of directories) {
        await chmod(path, 0o755)
        await utimes(path, stamp, stamp)
      }
      before = { commit, files: { ...files } }
      repository.head = commit
      return commit
    },
    trees: {
      wanted: () => Promise.resolve(repository.head),
      prepare: async (): Promise<PreparedTree> => {
        prepared += 1
        const commit = repository.head
        held += 1
        let released = false
        return {
          commit,
          directory: directoryOf(commit),
          scratch: repository.scratch ?? dirname(directoryOf(commit)),
          scan: { ...cleanScan(commit), ...repository.scan },
          release: () => {
            held -= released ? 0 : 1
            released = true
          },
        }
      },
    },
  }
  return repository
}

async function writeFake(path: string, file: FakeFile, stamp: number): Promise<void> {
  if (typeof file === 'object' && 'link' in file) {
    await symlink(file.link, path)
    return lutimes(path, stamp, stamp)
  }
  const isProgram = typeof file === 'object' && 'program' in file
  await writeFile(path, isProgram ? file.program : file)
  await chmod(path, isProgram ? 0o755 : 0o644)
  await utimes(path, stamp, stamp)
}

const cleanScan = (commit: CommitHash): ScanReport => ({
  repositoryId: RepositoryId.parse('01900000-0000-7000-8000-000000000001'),
  commit,
  status: 'clean',
  scannedAt: 1,
  durationMs: 1,
  tool: 'fake 1',
  scope: { kind: 'full' },
  filesScanned: 1,
  findings: [],
  findingsTotal: 0,
  ignoredDirectives: [],
  skipped: [],
  diagnosis: null,
})

export interface RepositoryRig {
  readonly rig: RunRig
  readonly repository: FakeRepository
  readonly service: RunService
  /** Another one over the same rig, as after a restart. */
  makeService(store?: Store): RunService
  /** A plan of kind `repository` that delivers into `target`. */
  plan(target: string, spec?: object, name?: string): Promise<string>
  push(
    plan: string,
    options?: { readonly force?: true; readonly node?: FleetNode; readonly key?: string },
  ): Promise<Run>
  /** Pushes and waits for the end. */
  run(plan: string, options?: { readonly force?: true; readonly node?: FleetNode }): Promise<Run>
  dispose(): Promise<void>
}

export async function createRepositoryRig(options: RigOptions = {}): Promise<RepositoryRig> {
  const rig = await createRunRig(options)
  await rig.service.stop()
  const repository = createFakeRepository(join(rig.local, 'snapshots'))
  const makeService = (store: Store = rig.store): RunService => rig.makeService(store, { trees: repository.trees })
  const service = makeService()
  await service.start()
  let keys = 0
  const push: RepositoryRig['push'] = async (plan, { force, node = rig.node, key } = {}) => {
    keys += 1
    const { runs } = await service.push({
      idempotencyKey: IdempotencyKey.parse(key ?? `repository-${keys}`),
      plans: [plan],
      targets: { kind: 'nodes', nodes: [node.name] },
      trigger: 'operator',
      requestedBy: 'tester@here',
      ...(force === undefined ? {} : { force }),
    })
    const [run] = runs
    if (run === undefined) throw new Error('nothing was registered')
    return run
  }
  return {
    rig,
    repository,
    service,
    makeService,
    plan: async (target, spec = {}, name = 'site') => {
      await rig.planOf('repository', { repository: 'fake', target, ...spec }, name)
      return name
    },
    push,
    run: async (plan, wanted) => rig.until((await push(plan, wanted)).id),
    dispose: async () => {
      await service.stop()
      await rig.dispose()
    },
  }
}

/** Kinds, modes and content by name; what a sync keeps for itself (the sentinel, unfinished files) is left out. */
export async function treeOf(directory: string, sentinel = '.sync_rev'): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(directory.length + 1)
    if (name === sentinel || name === `${sentinel}.lockstep-new` || name.split('/').includes('.lockstep-partial'))
      continue
    const mode = ((await lstat(path)).mode & 0o777).toString(8)
    if (entry.isSymbolicLink()) found.set(name, `-> ${await readlink(path)}`)
    else if (entry.isDirectory()) found.set(name, `directory ${mode}`)
    else
      found.set(
        name,
        `${mode} ${createHash('sha256')
          .update(await readFile(path))
          .digest('hex')}`,
      )
  }
  return new Map([...found].sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** What the sentinel of a directory says; null: there is none. */
export async function sentinelOf(directory: string, sentinel = '.sync_rev'): Promise<string | null> {
  return readFile(join(directory, sentinel), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
}

/** A tree of some depth; the same names whatever the text. */
export const manyFiles = (count: number, text = 'x'): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`src/d${index % 7}/file-${index}`, `${text} ${index}`]),
  )

/** The directory holds the commit that a plan gets now, and its sentinel says so. */
export async function expectHead({ repository }: RepositoryRig, directory: string): Promise<void> {
  expect(await sentinelOf(directory)).toBe(`${repository.head}\n`)
  expect(await treeOf(directory)).toEqual(await treeOf(repository.directoryOf(repository.head)))
}
