import type { RepositoryImport } from '../../shared/contract/repositories.ts'
import { NodeInput } from '../../shared/model/node.ts'
import { PlanInput } from '../../shared/model/plan.ts'
import { RepositoryInput } from '../../shared/model/repository.ts'
import { readYamlDocuments, type YamlDocument } from '../parse/yamlDocuments.ts'
import { type ConfigurationProblem, Fields, Problems } from './sourceFields.ts'

/*
 * The configuration of the sources, YAML or JSON: `repository`, `vms` and `remote_execution` (S2.18-26, S2.28-31). What it
 * says comes to a repository with a checkout here, a node with a key of its own for each VM, and one plan to all of them.
 */

export type { ConfigurationProblem } from './sourceFields.ts'

export type ConfigurationResult =
  | { readonly ok: true; readonly read: RepositoryImport }
  | { readonly ok: false; readonly problems: readonly ConfigurationProblem[] }

export interface ConfigurationOptions {
  /** Name of the repository and of its plan. */
  readonly name: string
  /** What `~` means in paths of this machine. */
  readonly homeDirectory: string
}

const defaultKeyDirectory = '~/.ssh/th_timmy_keys'
const defaultTarget = '~/th_timmy'
const longestSelector = 2000

/** Never throws: mistakes come back with field and line. */
export function readSourceConfiguration(text: string, options: ConfigurationOptions): ConfigurationResult {
  const { documents, problems } = readYamlDocuments(text)
  if (problems.length > 0)
    return { ok: false, problems: problems.map(({ line, message }) => ({ field: '', line, message })) }
  const [document, second] = documents
  if (document === undefined) return refused('the configuration is empty')
  if (second !== undefined) return refused('a configuration is one document, and here are several')
  return new Reader(document, options).read()
}

const refused = (message: string): ConfigurationResult => ({ ok: false, problems: [{ field: '', line: 1, message }] })

interface Vm {
  readonly id: string
  readonly node: NodeInput
  readonly directory: string
}

class Reader {
  readonly #options: ConfigurationOptions
  readonly #problems: Problems
  readonly #root: Fields
  readonly #notes: string[] = []

  constructor(document: YamlDocument, options: ConfigurationOptions) {
    this.#options = options
    this.#problems = new Problems(document)
    this.#root = new Fields(document.value, [], this.#problems)
  }

  read(): ConfigurationResult {
    const section = this.#root.section('repository')
    if (section === null) this.#problems.add(['repository'], 'is missing: it says where the repository lies')
    this.#noteRest(this.#root, ['repository', 'vms', 'remote_execution'])
    if (section === null) return this.#problems.result()
    const repository = this.#repository(section)
    const vms = this.#vms(section)
    const plans = this.#plans(section, vms, this.#options.name)
    if (repository === null || this.#problems.any) return this.#problems.result()
    return { ok: true, read: { repository, nodes: vms.map(({ node }) => node), plans, notes: this.#notes } }
  }

  #repository(section: Fields): RepositoryInput | null {
    const directory = section.text('main_repo_path')
    if (directory === null) this.#problems.add(section.pathOf('main_repo_path'), 'is missing')
    this.#noteRest(section, [
      'main_repo_path',
      'vm_repo_paths',
      'default_branch',
      'exclude_dot_git',
      'rsync_excludes',
      'secret_scanning',
    ])
    const branch = section.text('default_branch')
    const scan = this.#scan(section)
    return this.#problems.parsed(
      RepositoryInput,
      {
        name: this.#options.name,
        checkout: { kind: 'here', directory: this.#here(directory ?? '/') },
        ...(branch === null ? {} : { defaultBranch: branch }),
        scan,
      },
      {
        checkout: section.pathOf('main_repo_path'),
        defaultBranch: section.pathOf('default_branch'),
        scan: section.pathOf('secret_scanning'),
        name: [],
      },
    )
  }

  #scan(section: Fields): object {
    const scanning = section.section('secret_scanning')
    if (scanning === null) return {}
    this.#noteRest(scanning, ['enabled', 'tool', 'config_path', 'block_on_secrets'])
    const enabled = scanning.flag('enabled')
    const blocks = scanning.flag('block_on_secrets')
    const configPath = scanning.text('config_path')
    const tool = scanning.text('tool')
    const known = tool === null || tool === 'gitleaks' || tool === 'builtin' || tool === 'both'
    if (!known)
      this.#notes.push(`${scanning.nameOf('tool')}: "${tool}" is not known here; the built-in search is used.`)
    return {
      ...(enabled === null ? {} : { enabled }),
      ...(blocks === null ? {} : { blockOnSecrets: blocks }),
      ...(tool === null || !known ? {} : { tool }),
      ...(configPath === null || configPath === '' ? {} : { configPath: this.#here(configPath) }),
    }
  }

  #vms(section: Fields): Vm[] {
    const vms = this.#root.section('vms')
    const paths = section.section('vm_repo_paths')
    const targets = paths?.keys ?? vms?.keys ?? []
    for (const id of paths?.keys ?? [])
      if (vms?.has(id) !== true && paths !== null) this.#problems.add(paths.pathOf(id), `"vms" has no "${id}"`)
    for (const id of vms?.keys ?? [])
      if (!targets.includes(id))
        this.#notes.push(`vms.${id} has no path in repository.vm_repo_paths: it is no target and was left aside.`)
    if (targets.length === 0)
      this.#notes.push('No VM is named, so there is no plan: add nodes and a plan of kind repository.')
    const remote = this.#root.section('remote_execution')
    const given = remote?.text('key_storage_path') ?? null
    if (remote !== null) this.#noteRest(remote, ['key_storage_path'])
    const keyDirectory = this.#here(given ?? defaultKeyDirectory).replace(/\/+$/, '')
    const read = targets.flatMap((id) => {
      const vm = vms?.section(id) ?? null
      const directory = paths === null ? defaultTarget : paths.text(id)
      return vm === null ? [] : this.#vm({ id, vm, directory: directory ?? defaultTarget, keyDirectory })
    })
    if (read.length > 0)
      this.#notes.push(
        `Each node logs in with its own static key (${keyDirectory}/id_ed25519_<vm_id>), which is shown amber; certificates are safer. Host keys are accepted by a person.`,
      )
    return read
  }

  #vm(order: {
    readonly id: string
    readonly vm: Fields
    readonly directory: string
    readonly keyDirectory: string
  }): Vm[] {
    const { id, vm, directory, keyDirectory } = order
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) {
      this.#problems.add(
        vm.path,
        'the name of a VM is letters, digits and . _ -: it is part of the name of its key file',
      )
      return []
    }
    this.#noteRest(vm, ['ip', 'ssh_user', 'ssh_port'])
    const [address, user, port] = [vm.text('ip'), vm.text('ssh_user'), vm.port('ssh_port')]
    if (address === null && !vm.has('ip')) this.#problems.add(vm.pathOf('ip'), 'is missing')
    if (user === null && !vm.has('ssh_user')) this.#problems.add(vm.pathOf('ssh_user'), 'is missing')
    if (address === null || user === null) return []
    const node = this.#problems.parsed(
      NodeInput,
      {
        name: id,
        kind: 'vm',
        address,
        user,
        ...(port === null ? {} : { port }),
        login: { kind: 'static-key', keyFile: `${keyDirectory}/id_ed25519_${id}` },
      },
      {
        name: vm.path,
        address: vm.pathOf('ip'),
        user: vm.pathOf('ssh_user'),
        port: vm.pathOf('ssh_port'),
        login: ['remote_execution', 'key_storage_path'],
      },
    )
    return node === null ? [] : [{ id, node, directory }]
  }

  #plans(section: Fields, vms: readonly Vm[], repository: string): PlanInput[] {
    const selector = vms.map(({ id }) => `name:${id}`).join(' or ')
    if (selector.length > longestSelector) {
      this.#problems.add(['vms'], 'are more than one plan can name: import them in parts')
      return []
    }
    const excludeDotGit = section.flag('exclude_dot_git') ?? true
    const excludes = this.#excludes(section, excludeDotGit)
    if (vms.length === 0) return []
    const target = mostCommon(vms.map(({ directory }) => directory))
    const others = vms.filter(({ directory }) => directory !== target)
    const plan = this.#problems.parsed(
      PlanInput,
      {
        name: repository,
        kind: 'repository',
        selector,
        spec: {
          repository,
          target,
          targets: Object.fromEntries(others.map(({ id, directory }) => [id, directory])),
          excludeDotGit,
          ...(excludes === null ? {} : { excludes }),
        },
      },
      {
        spec: section.path,
        'spec.target': section.pathOf('vm_repo_paths'),
        'spec.targets': section.pathOf('vm_repo_paths'),
        'spec.excludes': section.pathOf('rsync_excludes'),
      },
    )
    return plan === null ? [] : [plan]
  }

  /** `.git` has a setting of its own: as a pattern it would say the same twice, or the opposite of the setting. */
  #excludes(section: Fields, excludeDotGit: boolean): string[] | null {
    const patterns = section.texts('rsync_excludes')
    if (patterns === null) return null
    const kept = patterns.filter((pattern) => !/^\/?\.git\/?$/.test(pattern))
    if (kept.length < patterns.length && !excludeDotGit)
      this.#notes.push(
        'repository.rsync_excludes names .git while exclude_dot_git is false: .git is left out, as rsync would have done.',
      )
    return excludeDotGit ? kept : patterns
  }

  /** `~` in a path of this machine. */
  #here(path: string): string {
    const { homeDirectory } = this.#options
    if (path === '~') return homeDirectory
    return (path.startsWith('~/') ? `${homeDirectory}/${path.slice(2)}` : path).replace(/(?<=.)\/+$/, '')
  }

  #noteRest(fields: Fields, known: readonly string[]): void {
    for (const key of fields.keys)
      if (!known.includes(key)) this.#notes.push(`${fields.nameOf(key)} means nothing here and was left aside.`)
  }
}

function mostCommon(values: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].sort(([, left], [, right]) => right - left)[0]?.[0] ?? defaultTarget
}
