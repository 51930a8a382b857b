import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError } from '../../shared/errors.ts'
import { CommitHash, RepositoryInput, WantedRef } from '../../shared/model/repository.ts'
import { parseInput } from '../errors.ts'
import { collect, integerBetween, oneOf, onOrOff } from './options.ts'
import { readText } from './readText.ts'

/** How a repository is described on the command line; what is not given keeps its value, or has its usual one. */
export interface RepositoryOptions {
  readonly remote?: string
  readonly checkout?: string
  readonly keyFile?: string
  readonly certificate?: boolean
  readonly token?: string | true
  readonly tokenUser?: string
  readonly login?: false
  readonly hostKey?: readonly string[]
  readonly branch?: string
  readonly submodules?: boolean
  readonly largeFiles?: RepositoryInput['largeFiles']
  readonly depth?: number
  readonly poll?: { readonly seconds: number | null }
  readonly scan?: RepositoryInput['scan']['tool'] | 'off'
  readonly scanConfig?: string
  readonly block?: boolean
}

const pollInterval = (text: string): { readonly seconds: number | null } => ({
  seconds: text === 'off' ? null : integerBetween(10, 86_400)(text),
})

export const withRepository = (command: Command): Command =>
  command
    .option('--remote <url>', 'https://…, ssh://…, user@host:path or file:///…; never with a password in it')
    .option(
      '--checkout <directory>',
      'a working copy on the machine of the engine; NODE:DIRECTORY for one on a node; none',
    )
    .option('--key-file <file>', 'git logs in with this SSH key')
    .option('--certificate', 'git logs in with a certificate of the user authority')
    .option('--token [file]', 'git logs in with the access token in this file, or on standard input')
    .option('--token-user <name>', 'the user name that goes with the token (default: git)')
    .option('--no-login', 'git does not log in')
    .option('--host-key <line>', 'a host key of the git server; may be repeated (default: ~/.ssh/known_hosts)', collect)
    .option('--branch <name>', 'the default branch (default: main)')
    .option('--submodules <on|off>', 'deliver submodules with it', onOrOff)
    .option(
      '--large-files <word>',
      'files of Git LFS: refuse, fetch or pointers',
      oneOf(['refuse', 'fetch', 'pointers']),
    )
    .option('--depth <n>', 'fetch only so many commits', integerBetween(1, 1_000_000))
    .option('--poll <seconds>', 'how often the remote is asked, or off (default: off)', pollInterval)
    .option(
      '--scan <tool>',
      'search for secrets: builtin, gitleaks, both or off',
      oneOf(['builtin', 'gitleaks', 'both', 'off']),
    )
    .option('--scan-config <file>', 'configuration of gitleaks')
    .option('--block <on|off>', 'hold syncs back while a finding is open', onOrOff)

function checkoutOf(text: string): unknown {
  if (text === 'none') return { kind: 'none' }
  const [, node, directory] = /^([^/~:]+):([/~].*)$/.exec(text) ?? []
  return node === undefined ? { kind: 'here', directory: resolve(text) } : { kind: 'node', node, directory }
}

function loginOf(options: RepositoryOptions): unknown {
  const chosen = [
    ...(options.keyFile === undefined ? [] : [{ kind: 'key', file: resolve(options.keyFile) }]),
    ...(options.certificate === true ? [{ kind: 'certificate' }] : []),
    ...(options.token === undefined ? [] : [{ kind: 'token', user: options.tokenUser ?? 'git' }]),
    ...(options.login === false ? [{ kind: 'none' }] : []),
  ]
  if (chosen.length > 1)
    throw new AppError('INVALID_INPUT', 'Give one way to log in: --key-file, --certificate, --token or --no-login.')
  return chosen[0]
}

/**
 * What the options make of a repository.
 *
 * @throws AppError INVALID_INPUT naming each field
 */
export function repositoryInput(
  name: string,
  options: RepositoryOptions,
  before: Partial<RepositoryInput> = {},
): RepositoryInput {
  const login = loginOf(options)
  const { scan } = options
  const given: Readonly<Record<string, unknown>> = {
    remote: options.remote,
    checkout: options.checkout === undefined ? undefined : checkoutOf(options.checkout),
    login,
    hostKeys: options.hostKey,
    defaultBranch: options.branch,
    submodules: options.submodules,
    largeFiles: options.largeFiles,
    depth: options.depth,
    pollIntervalSeconds: options.poll?.seconds,
    scan: {
      ...before.scan,
      ...(scan === undefined ? {} : scan === 'off' ? { enabled: false } : { enabled: true, tool: scan }),
      ...(options.scanConfig === undefined ? {} : { configPath: resolve(options.scanConfig) }),
      ...(options.block === undefined ? {} : { blockOnSecrets: options.block }),
    },
  }
  const changed = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return parseInput(RepositoryInput, { ...before, ...changed, name }, 'The repository cannot be registered')
}

/** The first line of a file, or of standard input; a token is never an argument, where everybody can read it. */
export async function tokenOf({ token }: RepositoryOptions): Promise<string | undefined> {
  if (token === undefined) return undefined
  const [line = ''] = (await readText(token === true ? '-' : token, 'The file with the token')).split(/\r?\n/)
  if (line.trim() !== '') return line.trim()
  throw new AppError('INVALID_INPUT', 'The first line of the file is the access token, and it is empty.')
}

export interface RefOptions {
  readonly branch?: string
  readonly tag?: string
  readonly commit?: string
  readonly defaultBranch?: boolean
}

export const withRef = (command: Command): Command =>
  command
    .option('--branch <name>', 'the newest of this branch')
    .option('--tag <name>', 'the commit of this tag')
    .option('--commit <commit>', 'this commit')

/** Which commit is meant; null where nothing says. @throws AppError INVALID_INPUT */
export function refOf({ branch, tag, commit, defaultBranch }: RefOptions): WantedRef | null {
  const chosen: unknown[] = [
    ...(branch === undefined ? [] : [{ kind: 'branch', name: branch }]),
    ...(defaultBranch === true ? [{ kind: 'branch', name: null }] : []),
    ...(tag === undefined ? [] : [{ kind: 'tag', name: tag }]),
    ...(commit === undefined ? [] : [{ kind: 'commit', commit }]),
  ]
  if (chosen.length > 1)
    throw new AppError('INVALID_INPUT', 'Give one of --branch, --default-branch, --tag and --commit.')
  const [ref] = chosen
  return ref === undefined ? null : parseInput(WantedRef, ref, 'The ref does not read')
}

export const commitHash = (text: string): CommitHash => {
  const parsed = CommitHash.safeParse(text.toLowerCase())
  if (parsed.success) return parsed.data
  throw new InvalidArgumentError('Use the whole commit: 40 or 64 hexadecimal digits.')
}

const searchedCommits = 500
const shortest = 7

/**
 * A commit by its digits, or by a beginning that only one of the newest commits has.
 *
 * @throws AppError NOT_FOUND, INVALID_INPUT
 */
export async function findCommit(client: EngineClient, repository: string, text: string): Promise<CommitHash> {
  const whole = CommitHash.safeParse(text.toLowerCase())
  if (whole.success) return whole.data
  const beginning = text.toLowerCase()
  if (!/^[0-9a-f]+$/.test(beginning) || beginning.length < shortest)
    throw new AppError('INVALID_INPUT', `"${text}" is no commit: give ${shortest} of its hexadecimal digits at least.`)
  const newest = await client.repositories.commits({ repository, limit: searchedCommits })
  const fitting = newest.filter(({ commit }) => commit.startsWith(beginning))
  const [only] = fitting
  if (only !== undefined && fitting.length === 1) return only.commit
  throw fitting.length === 0
    ? new AppError(
        'NOT_FOUND',
        `None of the newest ${searchedCommits} commits begins with ${beginning}. Give the whole one.`,
      )
    : new AppError('INVALID_INPUT', `Several commits begin with ${beginning}; give more digits.`)
}
