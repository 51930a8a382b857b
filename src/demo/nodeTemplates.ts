import { basename } from 'node:path'
import type { NodeRecord } from './fleetFile.ts'
import type { FleetLayout, NodeLayout } from './layout.ts'
import { targetDirectory } from './layout.ts'
import { shellQuote } from './shellQuote.ts'

/** Principal that demo nodes map to the login user (D4). */
export const demoPrincipal = 'sync-agent'

/** Marks every process of a session, so that it can be found when its parent is gone. */
export const nodeMarker = 'LOCKSTEP_DEMO_NODE'

/** sshd_config words: double quotes, with `%` doubled where the option expands tokens. */
const quoted = (path: string): string => `"${path.replaceAll('\\', '\\\\')}"`
const quotedToken = (path: string): string => quoted(path.replaceAll('%', '%%'))

interface SshdOptions {
  readonly user: string
  /** E.g. 9.2; some options do not exist before, others default to something unsuitable after. */
  readonly sshVersion: number
}

/** What a new node has for sshd_config. `Include` expands patterns, so that their signs are escaped. */
export const sshdConfig = (layout: NodeLayout): string =>
  `Include ${quoted(layout.sshdBase.replaceAll(/[\\*?[\]]/g, '\\$&'))}\n`

/** A complete configuration; nothing of the system's own is read. */
export function sshdBaseConfig(node: NodeRecord, fleet: FleetLayout, options: SshdOptions): string {
  const layout = fleet.node(node.name)
  const lines = [
    `ListenAddress ${node.address}:${node.internalPort ?? node.port}`,
    `HostKey ${quoted(layout.hostKey)}`,
    `PidFile ${quoted(layout.sshdPid)}`,
    `TrustedUserCAKeys ${quoted(fleet.trustedUserCa)}`,
    `AuthorizedPrincipalsFile ${quotedToken(layout.principals)}`,
    'AuthorizedKeysFile none',
    `AllowUsers ${options.user}`,
    'PermitRootLogin prohibit-password',
    'PubkeyAuthentication yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    // Homes below a temporary directory would be refused otherwise; the fleet's own directory is 0700.
    'StrictModes no',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'X11Forwarding no',
    'AllowTcpForwarding no',
    'LoginGraceTime 60',
    'MaxStartups 1000',
    'MaxSessions 100',
    // Bash would read ~/.bashrc for each command when it thinks that it is the first shell.
    `SetEnv SHLVL=5 "${nodeMarker}=${layout.directory.replaceAll('\\', '\\\\')}"`,
    `ForceCommand exec ${shellQuote(layout.session)}`,
  ]
  // From 9.8 on a few refused logins would lock the whole loopback out.
  if (options.sshVersion >= 9.8) lines.push('PerSourcePenalties no')
  return `${lines.join('\n')}\n`
}

/** The fault is what a node without a principals file does: the login name alone may log in (D4). */
export const principalsFile = (node: NodeRecord, user: string): string =>
  node.fault === 'wrong-principal' ? `${user}\n` : `${demoPrincipal}\n`

const runSession = (node: NodeRecord, layout: NodeLayout): string => `HOME=${shellQuote(layout.home)}
export HOME
cd "$HOME" || exit 1
if [ -n "\${SSH_ORIGINAL_COMMAND+set}" ]; then
  command=$SSH_ORIGINAL_COMMAND
  unset SSH_ORIGINAL_COMMAND
  exec /bin/sh -c "$command"
fi
if command -v bash >/dev/null 2>&1; then
  PS1=${shellQuote(`${node.name}:\\w$ `)}
  export PS1
  exec bash --norc --noprofile -i
fi
PS1=${shellQuote(`${node.name}:~$ `)}
export PS1
exec /bin/sh -i
`

const enterFullDisk = (layout: NodeLayout): string => `if [ "\${1-}" != inside ]; then
  if [ "$(id -u)" = 0 ]; then exec unshare -m -- /bin/sh ${shellQuote(layout.fullDisk)}; fi
  exec unshare -Urm -- /bin/sh ${shellQuote(layout.fullDisk)}
fi
`

/**
 * What sshd runs for every session. Each step execs, so that the command is the leader of the session's process
 * group, as under an ordinary sshd.
 */
export function sessionScript(node: NodeRecord, layout: NodeLayout): string {
  const prefix = node.fault === 'disk-full' ? enterFullDisk(layout) : ''
  return `#!/bin/sh\n${prefix}${runSession(node, layout)}`
}

/**
 * Puts the node's home on a file system without a free block or inode, in a mount namespace that only this session
 * sees. What was there stays readable; where overlays are not permitted, the target alone is replaced.
 */
export function fullDiskScript(layout: NodeLayout): string {
  const fillers = Array.from({ length: 24 }, (_, index) => `${basename(layout.fullDiskMount)}/filler.${index}`)
  return `#!/bin/sh
cd ${shellQuote(layout.directory)} || exit 1
full=${basename(layout.fullDiskMount)}
home=${basename(layout.home)}
mount -t tmpfs -o size=64k,nr_inodes=24,mode=0700 lockstep-demo "$full" || exit 71
mkdir "$full/upper" "$full/work"
if ! mount -t overlay -o "lowerdir=$home,upperdir=$full/upper,workdir=$full/work" lockstep-demo "$home" 2>/dev/null; then
  mkdir -p "$home/${targetDirectory.slice(2)}"
  mount --bind "$full/upper" "$home/${targetDirectory.slice(2)}" || exit 71
fi
dd if=/dev/zero of="$full/filler" bs=1k 2>/dev/null
touch ${fillers.join(' ')} 2>/dev/null
exec /bin/sh ${shellQuote(layout.session)} inside
`
}
