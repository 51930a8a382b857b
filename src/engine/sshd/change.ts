import { createHash, randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { diagnoseProgram } from '../../core/diagnose/program.ts'
import {
  changedMeanwhile,
  loginNotProven,
  noReload,
  putBackFailed,
  sshdConfigRefused,
  sshdNotReloaded,
} from '../../core/sshd/causes.ts'
import { shellQuote } from '../../core/transfer/remoteShell.ts'
import { toAppError } from '../../shared/errors.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SshPool } from '../ports.ts'
import { sshdFailure } from './failure.ts'
import type { RemoteFile } from './inspect.ts'
import { callSshd, type SshdAnswer } from './remoteCall.ts'
import { pathWord, reloadFunctions, sharedFunctions } from './shell.ts'

/** A file as it shall be. Mode and owner stay; a new one is 0644 and belongs to whoever changes sshd. */
export interface FileChange {
  readonly before: RemoteFile
  readonly content: Uint8Array
}

export interface SshdChange {
  /** In this order, before the configuration that names them. */
  readonly files: readonly FileChange[]
  /** The new sshd_config; null: it stays. */
  readonly config: FileChange | null
  /** A file of `files` is read by sshd at its start only. */
  readonly reload: boolean
  /** What the backup is called: `a-z` and dashes. */
  readonly label: string
}

export interface ChangeOptions {
  /** The node puts everything back by itself unless the change is confirmed within this. */
  readonly confirmWithinMs: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Logs in freshly, beside the connection that the change goes through; rejects when that does not work. */
  prove(): Promise<void>
  log(text: string): void
}

type Pool = Pick<SshPool, 'exec'>

/** How many backups of changes stay on a node. Those of a storage set-up stay in any case. */
const keptBackups = 5

/**
 * Changes sshd of a node and proves that we still get in. The order makes every moment at which we, the connection or
 * the node may fail a harmless one: all files lie there under temporary names and `sshd -t` has seen them before the
 * first one counts; the configuration is renamed last; a watchdog on the node puts everything back unless we confirm.
 *
 * @returns the directory on the node that holds what was there before
 * @throws AppError with a diagnosis: CONFLICT when a file is not any more what the caller has seen,
 * SSHD_CONFIG_REFUSED, LOGIN_NOT_PROVEN when everything was put back, REMOTE_DISK_FULL and the like when nothing
 * was changed
 */
export async function changeSshd(
  pool: Pool,
  node: FleetNode,
  change: SshdChange,
  options: ChangeOptions,
): Promise<{ readonly backupDirectory: string }> {
  const id = `${change.label}-${randomBytes(8).toString('hex')}`
  const staged: StagedFile[] = []
  const wanted = [...change.files, ...(change.config === null ? [] : [change.config])]
  try {
    for (const file of wanted) staged.push(await stage({ pool, node, id: `${id}-${staged.length}`, file, options }))
    const backupDirectory = await activate({ pool, node, id, change, staged, options })
    await proveOrPutBack({ pool, node, backupDirectory, options })
    return { backupDirectory }
  } catch (error) {
    await removeStaged(pool, node, staged, options.timeoutMs)
    throw error
  }
}

interface StagedFile {
  readonly path: string
  readonly temporary: string
  readonly before: string | null
  readonly after: string
}

interface Staging {
  readonly pool: Pool
  readonly node: FleetNode
  readonly id: string
  readonly file: FileChange
  readonly options: ChangeOptions
}

/** Writes the content beside its target, flushed to disk, with the mode and owner that it shall have. */
async function stage({ pool, node, id, file, options }: Staging): Promise<StagedFile> {
  const { path, digest } = file.before
  const digestWanted = createHash('sha256').update(file.content).digest('hex')
  const script = `
at ${pathWord(path)}
D=\${P%/*}
T=$D/.lockstep-new-${id}
old() { for O in "$D"/.lockstep-new-* "$D"/.lockstep-back-*; do [ -z "$(find "$O" -mtime +0 2>/dev/null)" ] || rm -f "$O"; done; }
write() {
  mkdir -p "$D" || return 1
  old
  if [ -e "$P" ]; then cp -p "$P" "$T"; else : >"$T" && chmod 644 "$T"; fi && cat >"$T" && flush "$T"
}
if E=$(write 2>&1) && [ "$(sum "$T")" = ${digestWanted} ]; then say temporary "$T"
else rm -f "$T"; say failed "$E"; fi
`
  const answer = await callSshd(pool, node, { script, data: file.content, ...timeOf(options) })
  if (!answer.has('temporary')) throw notWritten(node, path, answer.text('failed'))
  return { path, temporary: answer.text('temporary'), before: digest, after: digestWanted }
}

function notWritten(node: FleetNode, path: string, complaint: string): Error {
  const stderr = complaint === '' ? 'what was written is not what was sent' : complaint
  return sshdFailure(diagnoseProgram(node, { program: `writing ${path}`, exitCode: 1, stderr, nowMs: 0 }))
}

interface Activation {
  readonly pool: Pool
  readonly node: FleetNode
  readonly id: string
  readonly change: SshdChange
  readonly staged: readonly StagedFile[]
  readonly options: ChangeOptions
}

async function activate(activation: Activation): Promise<string> {
  const { pool, node, options } = activation
  // Not to be given up half-way: it takes seconds, and afterwards it is known what the node is left with.
  const answer = await callSshd(pool, node, { script: activateScript(activation), timeoutMs: options.timeoutMs })
  const outcome = answer.text('outcome')
  if (outcome === 'active') return answer.text('backup')
  throw activationFailure(node, outcome, answer)
}

function activationFailure(node: FleetNode, outcome: string, answer: SshdAnswer): Error {
  const evidence = answer.lines('evidence')
  if (answer.has('put-back-failed'))
    return sshdFailure(putBackFailed(node, answer.text('backup'), [...answer.lines('put-back-failed'), ...evidence]))
  switch (outcome) {
    case 'changed':
      return sshdFailure(changedMeanwhile(node, evidence))
    case 'refused':
      return sshdFailure(sshdConfigRefused(node, evidence, true))
    case 'no-reload':
      return sshdFailure(noReload(node, evidence))
    case 'not-reloaded':
      return sshdFailure(sshdNotReloaded(node, evidence))
    default:
      return sshdFailure(
        diagnoseProgram(node, { program: 'the change of sshd', exitCode: 1, stderr: evidence.join('\n'), nowMs: 0 }),
      )
  }
}

/**
 * One script, so that it runs to its end on the node whatever becomes of us. Exit codes of `change`: 2 changed,
 * 3 refused by `sshd -t`, 4 cannot be reloaded, 5 not reloaded, 1 anything else; from 5 on, and where a rename failed,
 * everything is put back before the answer.
 */
function activateScript({ node, id, change, staged, options }: Activation): string {
  const { program } = node.sshd
  const configIndex = change.config === null ? null : staged.length - 1
  const reloads = change.config !== null || change.reload
  const each = (line: (file: StagedFile, index: number) => string): string => staged.map(line).join('\n')
  const temporaryConfig = configIndex === null ? '"$CF"' : shellQuote(staged[configIndex]?.temporary ?? '')
  return `${reloadFunctions(node.sshd.reload, node.sshd)}
B=\${CF%/*}/lockstep-backup/${id}
seen() {
  if [ -e "$1" ]; then S=$(sum "$1"); else S=; fi
  [ "$S" = "$2" ] || { echo "$1 is not what it was"; return 1; }
}
keep() { if [ -e "$2" ]; then cp -p "$2" "$B/$1"; fi; }
change() {
  ${reloads ? 'canreload || return 4' : ':'}
  ${shellQuote(program)} -t -f ${temporaryConfig} || return 3
  (umask 077; mkdir -p "\${CF%/*}/lockstep-backup" && mkdir "$B") || return 1
  ${each((file, index) => `seen ${shellQuote(file.path)} ${shellQuote(file.before ?? '')} || return 2; keep ${index} ${shellQuote(file.path)} || return 1`)}
  (umask 077; ${each((file, index) => `printf '%s %s %s\\n' ${index} ${file.after} ${shellQuote(file.path)}`)}
  ) >"$B/manifest" || return 1
  (umask 077; ${heredoc('restore.sh', restoreScript(node, { staged, configIndex, reloads }))}
${heredoc('watchdog.sh', watchdogScript(Math.ceil(options.confirmWithinMs / 1000)))}) || return 1
  flush "$B" "$B"/*
  if command -v setsid >/dev/null 2>&1; then W=setsid; else W=; fi
  B=$B H=$H nohup $W /bin/sh "$B/watchdog.sh" </dev/null >/dev/null 2>&1 &
  ${each((file) => `mv -f ${shellQuote(file.temporary)} ${shellQuote(file.path)} || return 6; flush ${shellQuote(file.path.slice(0, file.path.lastIndexOf('/')))}`)}
  ${shellQuote(program)} -t -f "$CF" || return 6
  ${reloads ? 'reload "$B" || return 5' : ':'}
  return 0
}
putback() { mkdir "$B/decided" 2>/dev/null; B=$B H=$H /bin/sh "$B/restore.sh" 2>&1; }
prune() {
  ls -t "\${CF%/*}/lockstep-backup" 2>/dev/null | grep -v '^storage-' | tail -n +${keptBackups + 1} | while read -r O; do
    case $O in krl-*|trust-*|host-certificate-*) rm -rf "\${CF%/*}/lockstep-backup/$O" ;; esac
  done
}
E=$(change 2>&1); R=$?
say backup "$B"
say evidence "$E"
case $R in
0) say outcome active; prune ;;
2) say outcome changed ;;
3) say outcome refused ;;
4) say outcome no-reload ;;
5|6) O=$(putback) || say put-back-failed "$O"
  if [ $R = 5 ]; then say outcome not-reloaded; else say outcome failed; fi ;;
*) say outcome failed ;;
esac
case $R in [1-4]) rm -rf "$B" ;; esac
`
}

/** Quoted, so that nothing in it is expanded while it is written. */
const heredoc = (name: string, text: string): string => `cat >"$B/${name}" <<'LOCKSTEP-END' || exit 1
${text}
LOCKSTEP-END
`

interface Restoring {
  readonly staged: readonly StagedFile[]
  readonly configIndex: number | null
  readonly reloads: boolean
}

/**
 * Puts back what was there before: the configuration first, and sshd told, then what the configuration does not name
 * any more. Whole in itself, so that a person can run it too; doing it twice does no harm.
 */
function restoreScript(node: FleetNode, { staged, configIndex, reloads }: Restoring): string {
  const back = (index: number): string => `back ${index} ${shellQuote(staged[index]?.path ?? '')}`
  const others = staged.map((_, index) => index).filter((index) => index !== configIndex)
  return `#!/bin/sh
# Puts back what sshd had before Lockstep changed it. The files beside this one are the old ones.
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin; export PATH
B=\${B:-$(cd "$(dirname "$0")" && pwd)}
H=\${H:-$HOME}
${sharedFunctions}
${reloadFunctions(node.sshd.reload, node.sshd)}
back() {
  T=\${2%/*}/.lockstep-back-$$
  if [ -e "$B/$1" ]; then cp -p "$B/$1" "$T" && flush "$T" && mv -f "$T" "$2" || { rm -f "$T"; bad=1; }
  # A new file goes only when sshd has surely stopped reading it: a missing list of revoked keys locks everybody out.
  elif [ $bad = 0 ]; then rm -f "$2" || bad=1; fi
}
bad=0
${configIndex === null ? '' : back(configIndex)}
${reloads && configIndex !== null ? '[ $bad = 0 ] && { reload "$B" || bad=1; }' : ''}
${others.map(back).join('\n')}
${reloads && configIndex === null ? '[ $bad = 0 ] && { reload "$B" || bad=1; }' : ''}
flush "$B"
exit $bad`
}

/** Whoever makes the directory \`decided\` decides: we by confirming in time, or this by putting everything back. */
const watchdogScript = (seconds: number): string => `#!/bin/sh
i=0
while [ $i -lt ${seconds} ]; do
  sleep 1
  if [ -d "$B/decided" ] || [ ! -d "$B" ]; then exit 0; fi
  i=$((i + 1))
done
mkdir "$B/decided" 2>/dev/null || exit 0
/bin/sh "$B/restore.sh" && : >"$B/put-back-by-watchdog"`

/** More is not the rest of changes of ours. */
const mostPending = 16

/**
 * Decides changes that whoever made them left undecided, before their watchdog takes them back under our feet: they
 * stay when a fresh login works, and go otherwise.
 * @throws AppError LOGIN_NOT_PROVEN when they were put back
 */
export async function settlePending(
  pool: Pool,
  node: FleetNode,
  pending: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  // The newest first: it was made last, and what lies under it is put back last.
  for (const backupDirectory of pending.slice(0, mostPending)) {
    options.log(`deciding a change that was left undecided: ${backupDirectory}`)
    await proveOrPutBack({ pool, node, backupDirectory, options })
  }
}

interface Proving {
  readonly pool: Pool
  readonly node: FleetNode
  readonly backupDirectory: string
  readonly options: ChangeOptions
}

async function proveOrPutBack({ pool, node, backupDirectory, options }: Proving): Promise<void> {
  try {
    await proveWhileItListens(options)
  } catch (error) {
    const evidence = evidenceOf(error)
    options.log(`the fresh login did not work, everything is put back: ${evidence[0] ?? ''}`)
    throw sshdFailure(loginNotProven(node, await putBack(pool, node, backupDirectory, options), evidence))
  }
  const script = `if mkdir ${shellQuote(`${backupDirectory}/decided`)} 2>/dev/null; then say confirmed yes; fi`
  const answer = await callSshd(pool, node, { script, timeoutMs: options.timeoutMs })
  if (!answer.has('confirmed'))
    throw sshdFailure(loginNotProven(node, 'put-back-by-node', ['The proof came after the deadline.']))
}

/** How often, and after which pause, a proof is tried again that nobody answered. */
const mostUnheard = 20
const unheardPauseMs = 250

/**
 * While sshd reads its configuration again it listens to nobody, and something else than this change may have told it to.
 * Who is not answered for that moment has not been refused.
 */
async function proveWhileItListens({ prove, signal, log }: ChangeOptions): Promise<void> {
  for (let unheard = 1; ; unheard += 1) {
    try {
      return await prove()
    } catch (error) {
      if (!unanswered.has(toAppError(error).code) || unheard === mostUnheard) throw error
      log(`nobody listens (${toAppError(error).code}), which may be for a moment only`)
      await setTimeout(unheardPauseMs, undefined, signal === undefined ? {} : { signal })
    }
  }
}

const unanswered: ReadonlySet<string> = new Set(['CONNECTION_REFUSED', 'CONNECTION_LOST'])

function evidenceOf(error: unknown): string[] {
  const carried = Diagnosis.safeParse(toAppError(error).data?.diagnosis)
  return carried.success ? [carried.data.sentence, ...carried.data.evidence] : [toAppError(error).message]
}

/** Through the connection that was open before. When that is gone, the watchdog does it. */
async function putBack(
  pool: Pool,
  node: FleetNode,
  backupDirectory: string,
  { timeoutMs }: ChangeOptions,
): Promise<'put-back' | 'put-back-by-node' | 'unknown'> {
  const directory = shellQuote(backupDirectory)
  const script = `
B=${directory}
if mkdir "$B/decided" 2>/dev/null; then
  if E=$(B=$B H=$H /bin/sh "$B/restore.sh" 2>&1); then say put-back yes; else say put-back-failed "$E"; fi
else say late yes; fi
`
  const answer = await callSshd(pool, node, { script, timeoutMs }).catch(() => null)
  if (answer === null) return 'unknown'
  if (answer.has('put-back-failed'))
    throw sshdFailure(putBackFailed(node, backupDirectory, answer.lines('put-back-failed')))
  return answer.has('late') ? 'put-back-by-node' : 'put-back'
}

async function removeStaged(
  pool: Pool,
  node: FleetNode,
  staged: readonly StagedFile[],
  timeoutMs: number,
): Promise<void> {
  if (staged.length === 0) return
  const script = `rm -f ${staged.map(({ temporary }) => shellQuote(temporary)).join(' ')}`
  // Best effort: the next change removes what is older than a day.
  await callSshd(pool, node, { script, timeoutMs }).catch(() => undefined)
}

const timeOf = ({ timeoutMs, signal }: ChangeOptions) => ({ timeoutMs, ...(signal === undefined ? {} : { signal }) })
