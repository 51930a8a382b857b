import type { GitQuestion } from '../../../core/parse/git.ts'
import { type GitUrl, parseGitUrl } from '../../../core/parse/gitUrl.ts'
import { shellQuote } from '../../../core/transfer/remoteShell.ts'
import { AppError } from '../../../shared/errors.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { RepositoryMirrorDependencies } from './dependencies.ts'
import {
  accessOver,
  accessTo,
  type Owner,
  passwordInUrl,
  type RemoteAccess,
  type Settings,
  shownPlace,
} from './remoteAccess.ts'

/** How the engine's git gets to a checkout that lies on a node. */
export async function accessOnNode(
  { openSsh }: Pick<RepositoryMirrorDependencies, 'openSsh'>,
  node: FleetNode,
  directory: string,
): Promise<RemoteAccess> {
  const { sshArguments, hostAlias } = await openSsh.prepare(node, 'automation')
  const command = sshArguments.slice(0, -1).map(shellQuote).join(' ')
  const question: GitQuestion = {
    place: `${node.name}:${directory}`,
    login: node.login.kind === 'certificate' ? 'certificate' : 'key',
    machine: node.name,
  }
  return accessOver(
    { url: `${hostAlias}:${directory}`, protocols: ['ssh'], environment: { GIT_SSH_COMMAND: command } },
    question,
    { alias: [hostAlias, node.name] },
  )
}

/**
 * How the git of a node gets to a remote. A key file is one on that node, and without one the node's own settings of ssh
 * count: our certificates stay on the machine of the engine.
 */
export async function accessFromNode(
  dependencies: RepositoryMirrorDependencies,
  node: FleetNode,
  repository: Owner,
  url: string,
): Promise<RemoteAccess> {
  const parsed = parseGitUrl(url)
  if (parsed.kind !== 'ssh') return accessTo(dependencies, repository, url)
  if (parsed.hasPassword) throw passwordInUrl(shownPlace(url))
  const { login } = repository.settings
  if (login.kind === 'certificate')
    throw new AppError(
      'UNSUPPORTED',
      `The checkout lies on ${node.name}, and certificates of the engine do not go there. Choose a key file of that node as the login.`,
    )
  const question: GitQuestion = { place: shownPlace(url), login: login.kind, machine: node.name }
  return accessOver({ url, protocols: ['ssh'], prologue: sshPrologue(repository.settings, parsed) }, question)
}

/** Sets the command in the script, because the accepted keys go into a file that is there for this one call. */
function sshPrologue({ login, hostKeys }: Settings, { host, port }: Extract<GitUrl, { kind: 'ssh' }>): string {
  const fixed = [
    'ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o UpdateHostKeys=no -o ClearAllForwardings=yes',
    '-o ForwardAgent=no -o PermitLocalCommand=no -o ConnectTimeout=10 -o ServerAliveInterval=15',
  ]
  const key = login.kind === 'key' ? `-o IdentitiesOnly=yes -i ${shellQuote(login.file)}` : ''
  const words = [...fixed, key]
  if (hostKeys.length === 0) return exported(words.join(' '))
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
  const lines = hostKeys.map((line) => `${name} ${line}`).join('\n')
  return [
    'k=$(mktemp) || exit 1',
    `trap 'rm -f "$k"' EXIT`,
    `printf '%s\\n' ${shellQuote(lines)} >"$k"`,
    exported(
      `${words.join(' ')} -o GlobalKnownHostsFile=none -o ${shellQuote(`HostKeyAlias=${name}`)} -o UserKnownHostsFile=`,
    ),
    'GIT_SSH_COMMAND=$GIT_SSH_COMMAND$k',
  ].join('\n')
}

const exported = (command: string): string => `GIT_SSH_COMMAND=${shellQuote(command)}; export GIT_SSH_COMMAND`
