import { createHash } from 'node:crypto'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { nothingKnown } from '../../../core/fleet/newNode.ts'
import type { GitQuestion } from '../../../core/parse/git.ts'
import { type GitUrl, isSameServer, parseGitUrl, shownUrl } from '../../../core/parse/gitUrl.ts'
import { printableLine } from '../../../core/printable.ts'
import { shellQuote } from '../../../core/transfer/remoteShell.ts'
import type { GitResult } from '../../../platform/git/git.ts'
import type { GitProtocol } from '../../../platform/git/settings.ts'
import { fingerprintOf } from '../../../platform/openssh/publicKey.ts'
import { createRedactor } from '../../../platform/redactor.ts'
import { AppError, toAppError } from '../../../shared/errors.ts'
import { FleetNode } from '../../../shared/model/node.ts'
import type { Repository } from '../../../shared/model/repository.ts'
import type { RepositoryMirrorDependencies } from './dependencies.ts'
import { gitError } from './failure.ts'
import { credentialHelper, tokenEnvironment } from './tokenHelper.ts'

type SshUrl = Extract<GitUrl, { kind: 'ssh' }>
export type Settings = Pick<Repository['settings'], 'login' | 'hostKeys' | 'remote'>
/** Whose login it is. */
export type Owner = Pick<Repository, 'id'> & { readonly settings: Settings }

/** All that one call of git needs to get to a repository, and to speak of it. */
export interface RemoteAccess {
  /** As git gets it; for ssh under an alias of ours. */
  readonly url: string
  /** For people. */
  readonly shown: string
  readonly protocols: readonly GitProtocol[]
  readonly settings: readonly string[]
  /** Holds the token, where there is one. */
  readonly environment: Readonly<Record<string, string>>
  /** Lines of `sh` before git runs on a node. */
  readonly prologue?: string
  redact(line: string): string
  error(result: Pick<GitResult, 'exitCode' | 'stderr'>): AppError
}

interface Way {
  readonly url: string
  readonly protocols: readonly GitProtocol[]
  readonly settings?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly prologue?: string
}

export function accessOver(
  way: Way,
  question: GitQuestion,
  {
    token = null,
    alias = null,
  }: { readonly token?: string | null; readonly alias?: readonly [string, string] | null } = {},
): RemoteAccess {
  const redactor = createRedactor()
  if (token !== null) redactor.registerSecret(token)
  const redact = (text: string): string => {
    const plain = redactor.redact(text)
    return alias === null ? plain : plain.replaceAll(alias[0], alias[1])
  }
  return {
    url: way.url,
    shown: question.place,
    protocols: way.protocols,
    settings: way.settings ?? [],
    environment: way.environment ?? {},
    ...(way.prologue === undefined ? {} : { prologue: way.prologue }),
    redact,
    error: ({ exitCode, stderr }) => gitError({ exitCode, stderr: redact(stderr) }, question),
  }
}

/** A directory of this machine. */
export function localAccess(path: string): RemoteAccess {
  return accessOver({ url: path, protocols: ['file'] }, { place: path, login: 'none', machine: 'this machine' })
}

/**
 * The way to a remote with the login of the repository, as long as that is on the server of the repository's own remote.
 * The URL of a submodule is written by whoever commits; it must not decide who is shown a token or a key.
 *
 * @param own the URL of the repository itself, when `url` is not that
 * @throws AppError REPOSITORY_REFUSED when the login does not fit the URL, or cannot be used
 */
export async function accessTo(
  dependencies: RepositoryMirrorDependencies,
  repository: Owner,
  url: string,
  own: string = url,
): Promise<RemoteAccess> {
  const parsed = parseGitUrl(url)
  const isOwn = own === url || isSameServer(own, url)
  const login = isOwn ? repository.settings.login.kind : 'elsewhere'
  const question: GitQuestion = { place: shownPlace(url), login, machine: 'this machine' }
  switch (parsed.kind) {
    case 'file':
      return accessOver({ url: parsed.path, protocols: ['file'] }, question)
    case 'https':
      return httpsAccess(dependencies, repository, parsed, question)
    case 'ssh':
      return sshAccess(dependencies, repository, parsed, question)
    case 'other':
      throw notReached(question.place)
  }
}

export const shownPlace = (url: string): string => printableLine(shownUrl(url))

export const notReached = (place: string): AppError =>
  refused(
    `${place} is not reached over https or ssh, or names no host as these take it; other ways are not taken. Change its URL.`,
  )

export const passwordInUrl = (place: string): AppError =>
  refused(
    `The URL of ${place} holds a password, which every list of processes and every log would show. Take it out (git remote set-url) and save it as the token of the repository.`,
  )

export const refused = (message: string, cause?: unknown): AppError =>
  new AppError('REPOSITORY_REFUSED', message, cause === undefined ? {} : { cause })

async function httpsAccess(
  { tokenOf }: RepositoryMirrorDependencies,
  { id, settings: { login, remote } }: Owner,
  parsed: Extract<GitUrl, { kind: 'https' }>,
  question: GitQuestion,
): Promise<RemoteAccess> {
  if (parsed.hasPassword) throw passwordInUrl(question.place)
  if (login.kind !== 'token' || question.login !== 'token')
    return accessOver({ url: parsed.url, protocols: ['https'] }, question)
  // What an `origin` says can change without anybody here being asked.
  if (remote === null || !isSameServer(remote, parsed.url))
    throw refused(
      `A token is for the server that the settings of the repository name, and they do not name ${question.place}. Enter it as the remote.`,
    )
  const token = await tokenOf(id, parsed.url)
  if (token === null || token === '')
    throw refused(`No token is saved for ${question.place}. Save one that may read the repository.`)
  const way: Way = {
    url: parsed.url,
    protocols: ['https'],
    settings: [`credential.helper=${credentialHelper}`],
    environment: tokenEnvironment({ host: parsed.host, user: login.user, token }),
  }
  return accessOver(way, question, { token })
}

/** How system `ssh` gets to a git server: as to a node, with a configuration and an agent socket of its own. */
async function sshAccess(
  dependencies: RepositoryMirrorDependencies,
  repository: Owner,
  parsed: SshUrl,
  question: GitQuestion,
): Promise<RemoteAccess> {
  const { login, hostKeys } = repository.settings
  if (question.login === 'elsewhere')
    throw refused(
      `${question.place} lies on another server than the repository it belongs to, and the login of that one goes to no other. Move it to the same server, or deliver without submodules.`,
    )
  if (login.kind === 'none' || login.kind === 'token')
    throw refused(
      `${question.place} is reached over ssh. Choose a key or a certificate as the login of the repository.`,
    )
  const server = gitServer(dependencies, repository, parsed)
  const prepared = await dependencies.openSsh.prepare(server, 'automation').catch((thrown: unknown) => {
    const { code, message } = toAppError(thrown)
    if (code === 'CANCELED' || code === 'LOCAL_DISK_FULL' || code === 'VAULT_LOCKED') throw thrown
    throw refused(`The login to ${question.place} cannot be used: ${message}`, thrown)
  })
  const known = hostKeys.length > 0 ? [] : knownHostArguments(dependencies, parsed)
  const command = [...prepared.sshArguments.slice(0, -1), ...known].map(shellQuote).join(' ')
  return accessOver(
    { url: `${prepared.hostAlias}:${parsed.path}`, protocols: ['ssh'], environment: { GIT_SSH_COMMAND: command } },
    question,
    { alias: [prepared.hostAlias, parsed.host] },
  )
}

/** Stronger than the configuration: the names under which ssh itself keeps the keys of this server. */
function knownHostArguments({ knownHostsFile }: RepositoryMirrorDependencies, { host, port }: SshUrl): string[] {
  const file = knownHostsFile ?? join(homedir(), '.ssh', 'known_hosts')
  const name = host.toLowerCase()
  return ['-o', `UserKnownHostsFile="${file}"`, '-o', `HostKeyAlias=${port === 22 ? name : `[${name}]:${port}`}`]
}

/** A git server in the form in which the engine reaches machines. It is in no list of nodes. */
function gitServer(
  { principal }: RepositoryMirrorDependencies,
  { id, settings: { login, hostKeys } }: Owner,
  { user, host, port }: SshUrl,
): FleetNode {
  const parsed = FleetNode.safeParse({
    id: derivedId(`${id} ${user ?? ''}@${host}:${port}`),
    name: host,
    kind: 'vps',
    address: host,
    port,
    user: user ?? userInfo().username,
    principal,
    transport: 'push',
    labels: {},
    maintenance: false,
    login: login.kind === 'key' ? { kind: 'static-key', keyFile: login.file } : { kind: 'certificate' },
    hostKeys: hostKeys.map((line) => {
      const [keyType = '', publicKey = ''] = line.split(' ')
      const fingerprint = fingerprintOf(Buffer.from(publicKey, 'base64'))
      return { keyType, publicKey, fingerprint, pinnedAt: 0, pinnedBy: 'repository' }
    }),
    ...nothingKnown(0),
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new AppError('INVALID_INPUT', `the URL of the remote cannot be used: ${issue?.message ?? 'not an address'}`)
}

/** The same for the same server and repository, in the form of an id. */
function derivedId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
