import { sshdConfigUnreadable, sshdProgramMissing } from '../../core/sshd/causes.ts'
import { type EffectiveConfig, parseEffectiveConfig } from '../../core/sshd/effective.ts'
import { shellQuote } from '../../core/transfer/remoteShell.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SshPool } from '../ports.ts'
import { sshdFailure } from './failure.ts'
import { callSshd, type SshdAnswer } from './remoteCall.ts'
import { pathWord, reloadFunctions } from './shell.ts'

/** One file of a node as it lies there. */
export interface RemoteFile {
  /** Absolute, `~` expanded and links resolved. */
  readonly path: string
  readonly status: 'file' | 'missing' | 'other'
  /** SHA-256, hexadecimal; null when there is none, or when it cannot be read. */
  readonly digest: string | null
  /** latin1, so that every byte survives; null when it is missing or larger than {@link largestContentBytes}. */
  readonly content: string | null
  /** As `ls -ln` prints it: mode and owner. */
  readonly listing: string
}

/** sshd of a node as it is now. */
export interface SshdFacts {
  readonly config: RemoteFile
  readonly files: ReadonlyMap<string, RemoteFile>
  /** Null: `sshd -t` is content with what lies there. */
  readonly complaint: readonly string[] | null
  /** What sshd obeys for the user that was asked about, coming from our address. */
  readonly effective: EffectiveConfig
  /** Null: it can be reloaded. */
  readonly reloadProblem: string | null
  /** A file that sshd reads at its start is newer than the start: it has to be reloaded. */
  readonly stale: boolean
  readonly freeBytes: number | null
  readonly userExists: boolean
  /** Backups of changes that nobody has confirmed or taken back yet: whoever made them died, or is at it now. */
  readonly pending: readonly string[]
  /** Files of authorized keys of other users that hold something, as far as we can see. */
  readonly userKeys: readonly string[]
}

export interface InspectRequest {
  /** By a name of the caller's choice: `a-z0-9` and dashes. */
  readonly files: Readonly<Record<string, string>>
  /** Files besides sshd_config that sshd reads only when it starts, by their names in `files`. */
  readonly readAtStart?: readonly string[]
  /** For whom the effective configuration is asked; default the login user. */
  readonly user?: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

const largestContentBytes = 1_048_576

/**
 * Reads only.
 * @throws AppError with a diagnosis: SUDO_REFUSED, REMOTE_PROGRAM_MISSING, REMOTE_PERMISSION_DENIED for an sshd_config
 * that cannot be read, or why the node cannot be reached
 */
export async function inspectSshd(
  pool: Pick<SshPool, 'exec'>,
  node: FleetNode,
  request: InspectRequest,
): Promise<SshdFacts> {
  const { timeoutMs, signal } = request
  const answer = await callSshd(pool, node, {
    script: inspectScript(node, request),
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  })
  if (!answer.has('sshd')) throw sshdFailure(sshdProgramMissing(node, node.sshd.program))
  const config = remoteFile(answer, 'config')
  if (config.content === null)
    throw sshdFailure(sshdConfigUnreadable(node, config.path, [config.listing, answer.text('config.complaint')]))
  const names = Object.keys(request.files)
  const free = answer.text('free')
  return {
    config,
    files: new Map(names.map((name) => [name, remoteFile(answer, `file-${name}`)])),
    complaint: answer.text('valid') === 'yes' ? null : answer.lines('complaint'),
    effective: parseEffectiveConfig(answer.bytes('effective').toString('latin1')),
    reloadProblem: answer.text('reload') === 'yes' ? null : answer.text('reload.problem'),
    stale: answer.text('stale') === 'yes',
    freeBytes: /^\d+$/.test(free) ? Number(free) * 1024 : null,
    userExists: answer.text('user') === 'yes',
    pending: answer.lines('pending'),
    userKeys: answer.lines('keys'),
  }
}

function inspectScript(node: FleetNode, { files, readAtStart = [], user = node.user }: InspectRequest): string {
  const { program, configFile, reload } = node.sshd
  const facts = Object.entries(files).map(([name, path]) => `facts ${shellQuote(`file-${name}`)} ${pathWord(path)}`)
  const started = readAtStart.map((name) => `at ${pathWord(files[name] ?? configFile)}; newer "$P"`)
  return `${reloadFunctions(reload, { program, configFile })}
facts() {
  at "$2"; say "$1.path" "$P"
  if [ -f "$P" ]; then
    say "$1.status" file
    say "$1.digest" "$(sum "$P")"
    say "$1.listing" "$(ls -ln "$P")"
    if [ -r "$P" ]; then
      if [ "$(wc -c <"$P")" -le ${largestContentBytes} ]; then
        printf '\\n%s %s.content ' "$N" "$1"; hex <"$P"; printf '\\n'
      fi
    else say "$1.complaint" "Permission denied"; fi
  elif [ -e "$P" ]; then say "$1.status" other
  else say "$1.status" missing; fi
}
newer() { [ -z "$F" ] || [ -z "$(find "$1" -newer "$F" 2>/dev/null)" ] || say stale yes; }
[ ! -x ${shellQuote(program)} ] || say sshd yes
facts config ${pathWord(configFile)}
${facts.join('\n')}
if C=$(${shellQuote(program)} -t -f "$CF" 2>&1); then say valid yes; else say complaint "$C"; fi
say effective "$(${shellQuote(program)} -T -f "$CF" -C user=${shellQuote(user)},"$A" 2>/dev/null)"
if E=$(canreload 2>&1); then say reload yes; else say reload.problem "$E"; fi
pidfile
newer "$CF"
${started.join('\n')}
say free "$(df -Pk "\${CF%/*}" 2>/dev/null | awk 'NR == 2 { print $4 }')"
if id -u ${shellQuote(user)} >/dev/null 2>&1; then say user yes; fi
say pending "$(for D in "\${CF%/*}"/lockstep-backup/*; do
  [ -f "$D/restore.sh" ] && [ ! -d "$D/decided" ] && echo "$D"; done)"
say keys "$(awk -F: '{ print $6 }' /etc/passwd 2>/dev/null | sort -u | while read -r D; do
  [ -s "$D/.ssh/authorized_keys" ] && echo "$D/.ssh/authorized_keys"; done)"
`
}

function remoteFile(answer: SshdAnswer, key: string): RemoteFile {
  const status = answer.text(`${key}.status`)
  const digest = answer.text(`${key}.digest`)
  return {
    path: answer.text(`${key}.path`),
    status: status === 'file' || status === 'other' ? status : 'missing',
    digest: /^[0-9a-f]{64}$/.test(digest) ? digest : null,
    content: answer.has(`${key}.content`) ? answer.bytes(`${key}.content`).toString('latin1') : null,
    listing: answer.text(`${key}.listing`),
  }
}
