import { isIP } from 'node:net'
import { hardenedSshLines } from '../../core/transfer/sshOptions.ts'
import { AppError } from '../../shared/errors.ts'
import type { FleetNode, PinnedHostKey } from '../../shared/model/node.ts'
import { Address, LoginUser, Port } from '../../shared/model/text.ts'

/** Where the generated files of one node and purpose lie. Absolute paths. */
export interface SshFiles {
  readonly config: string
  readonly publicKey: string
  /** Null: a static key, without a certificate. */
  readonly certificate: string | null
  readonly knownHosts: string
  readonly agentSocket: string
}

type ConfiguredNode = Pick<FleetNode, 'id' | 'address' | 'port' | 'user'>

/**
 * The client configuration for one node. The host alias is the node's id; every value that comes from the node is
 * checked again here, so that no record, however it got into the store, can add a directive or an option.
 * @throws AppError INVALID_INPUT naming the field
 */
export function renderSshConfig(node: ConfiguredNode, files: SshFiles): string {
  const alias = checkedAlias(node.id)
  const lines = [
    `Host ${alias}`,
    ...hardenedSshLines,
    `HostName ${checkedAddress(node.address).replaceAll('%', '%%')}`,
    `Port ${checked('port', Port.safeParse(node.port))}`,
    `User ${checked('user', LoginUser.safeParse(node.user))}`,
    `IdentityAgent ${quotedPath(files.agentSocket)}`,
    `IdentityFile ${quotedPath(files.publicKey)}`,
    ...(files.certificate === null ? [] : [`CertificateFile ${quotedPath(files.certificate)}`]),
    `HostKeyAlias ${alias}`,
    `UserKnownHostsFile ${quotedPath(files.knownHosts)}`,
    'KexAlgorithms ^curve25519-sha256',
    'Ciphers ^aes128-gcm@openssh.com',
  ]
  return `${lines.join('\n')}\n`
}

/**
 * One line for each accepted key, under the alias and not the address, so that a new address asks nothing. No
 * `@cert-authority` line: ssh takes a certificate of a trusted authority instead of the accepted key, not beside it, so
 * that a key which a person has replaced would count until its certificate ends (U4, U5). Host certificates are for
 * clients that have accepted nothing; they are checked with ssh and the authority alone, in `loginProbe.ts`.
 */
export function renderKnownHosts(node: Pick<FleetNode, 'id' | 'hostKeys'>): string {
  return node.hostKeys.map((pin) => `${checkedAlias(node.id)} ${checkedHostKey(pin)}\n`).join('')
}

function checkedHostKey(pin: PinnedHostKey): string {
  const wellFormed = /^[a-z0-9@.-]+$/.test(pin.keyType) && /^[A-Za-z0-9+/]+={0,2}$/.test(pin.publicKey)
  if (!wellFormed)
    throw new AppError('INVALID_INPUT', 'hostKeys: an accepted host key is malformed; accept it again', {
      data: { field: 'hostKeys' },
    })
  return `${pin.keyType} ${pin.publicKey}`
}

function checkedAlias(id: string): string {
  if (!/^[0-9a-f][0-9a-f-]{7,63}$/.test(id))
    throw new AppError('INVALID_INPUT', 'id: not a node id', { data: { field: 'id' } })
  return id
}

/** Stricter than the shape of the model: `HostName` expands tokens, and an address of digits and dots must be one. */
function checkedAddress(address: string): string {
  const value = String(checked('address', Address.safeParse(address)))
  const zone = value.indexOf('%')
  if (zone >= 0 && isIP(value.slice(0, zone)) !== 6)
    throw new AppError('INVALID_INPUT', 'address: a zone (%) needs an IPv6 address before it', {
      data: { field: 'address' },
    })
  return value
}

interface Checked {
  readonly success: boolean
  readonly data?: string | number
  readonly error?: { readonly issues: readonly { readonly message: string }[] }
}

function checked(field: string, result: Checked): string | number {
  // Patterns with `$` let a line break at the end pass in other languages; here it must be impossible.
  if (result.success && result.data !== undefined && !/[\s"'\\#=]/.test(String(result.data))) return result.data
  const reason = result.error?.issues[0]?.message ?? 'holds a character that an ssh configuration cannot carry'
  throw new AppError('INVALID_INPUT', `${field}: ${reason}`, { data: { field } })
}

/** Paths come from the home directory, which may hold spaces; quotes and variables have no escape in this format. */
function quotedPath(path: string): string {
  if (!isCleanPath(path))
    throw new AppError(
      'INVALID_INPUT',
      `home: the path ${JSON.stringify(path)} holds a quote, backslash, line break or "\${", which ssh cannot take; use another home directory`,
      { data: { field: 'home' } },
    )
  return `"${path.replaceAll('%', '%%')}"`
}

function isCleanPath(path: string): boolean {
  return path.startsWith('/') && !/["\\\u0000-\u001f\u007f]|\$\{/.test(path)
}

/**
 * `ssh -F <config>` as one string for `rsync -e`, which splits at spaces and knows both kinds of quotes, but no escape.
 */
export function sshCommandFor(configPath: string): string {
  if (!isCleanPath(configPath)) quotedPath(configPath)
  return /^[A-Za-z0-9_./+:@-]+$/.test(configPath) ? `ssh -F ${configPath}` : `ssh -F "${configPath}"`
}
