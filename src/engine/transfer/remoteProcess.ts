import { remoteScript } from '../../core/transfer/remoteShell.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SshPool } from '../ports.ts'

/*
 * Cancel must end what runs on the node, and prove it (F23, U26). A dropped connection is no proof. So the remote
 * rsync runs under a small wrapper that carries the run id in its environment, which every process it starts inherits:
 * on Linux these processes can be found without relying on a pid that may have been given to somebody else. Elsewhere
 * a file of the wrapper names the process group and when its leader started.
 */

const markName = 'LOCKSTEP_RUN'

/** Begins a script of `sh` whose programs {@link stopRemoteProcesses} shall find. */
export const runMark = (runId: RunId): string => `${markName}=${runId}\nexport ${markName}\n`

/**
 * What rsync is told to run over there. Read by the login shell, so: one line, no single quote, backslash or
 * exclamation mark inside the quotes. rsync appends its own arguments.
 */
export function remoteRsyncProgram(runId: RunId): string {
  const script = [
    `${markName}=${runId}`,
    `export ${markName}`,
    'cd "$HOME" || exit 3',
    // Where /proc shows the mark nothing has to be written down.
    '[ -r /proc/self/environ ] && exec rsync "$@"',
    'd=$HOME/.lockstep',
    `f=$d/run-${runId}`,
    '{ mkdir -p "$d" && chmod 700 "$d" && { echo $$; ps -o pgid= -p $$; ps -o lstart= -p $$; } > "$f"; } 2>/dev/null',
    'rsync "$@"',
    'c=$?',
    'rm -f "$f" 2>/dev/null',
    'exit $c',
  ].join('; ')
  return `sh -c '${script}' lockstep`
}

/** TERM at once, KILL after three seconds, given up after ten. GNU grep looks at all processes in one go, others one by one. */
const stopScript = (runId: RunId): string => `
m=${markName}=${runId}
f=$HOME/.lockstep/run-${runId}
if [ -r /proc/self/environ ] && grep --version 2>/dev/null | grep -q GNU; then
  marked() {
    for e in $(grep -lszxF "$m" /proc/[0-9]*/environ 2>/dev/null); do p=\${e#/proc/}; echo "\${p%/environ}"; done
  }
elif [ -r /proc/self/environ ]; then
  marked() {
    for e in /proc/[0-9]*/environ; do
      if tr '\\000' '\\n' <"$e" | grep -qx "$m"; then p=\${e#/proc/}; echo "\${p%/environ}"; fi
    done 2>/dev/null
  }
else
  marked() {
    [ -f "$f" ] || return 0
    { read -r leader; read -r group; read -r started; } <"$f"
    now=$(ps -o lstart= -p "$leader" 2>/dev/null)
    [ -z "$now" ] || [ "$(echo $now)" = "$(echo $started)" ] || return 0
    ps -A -o pid=,pgid= | while read -r p g; do [ "$g" = "$(echo $group)" ] && echo "$p"; done
  }
fi
begun=$(date +%s)
asked=
quiet=0
while [ $quiet -lt 2 ]; do
  p=$(marked)
  if [ -z "$p" ]; then
    quiet=$((quiet + 1))
  else
    quiet=0
    passed=$(($(date +%s) - begun))
    if [ -z "$asked" ]; then kill -s TERM $p 2>/dev/null; asked=yes; fi
    if [ $passed -ge 3 ]; then kill -s KILL $p 2>/dev/null; fi
    if [ $passed -ge 10 ]; then echo "lockstep-stop alive" $p; exit 0; fi
  fi
  [ $quiet -ge 2 ] || sleep 0.1 2>/dev/null || sleep 1
done
rm -f "$f"
echo "lockstep-stop gone"
`

/** The proof, or why there is none. */
export type StopProof =
  | { readonly confirmed: true }
  | { readonly confirmed: false; readonly evidence: readonly string[] }

/**
 * Ends every process of the run on the node over a channel of its own, and looks until none is left.
 * Rejects when the node cannot be asked: then nothing is proven.
 */
export async function stopRemoteProcesses(
  pool: SshPool,
  node: FleetNode,
  runId: RunId,
  options: { readonly timeoutMs: number },
): Promise<StopProof> {
  const result = await pool.exec(node, ...withOptions(remoteScript(stopScript(runId)), options))
  const text = new TextDecoder().decode(result.stdout)
  if (/^lockstep-stop gone$/m.test(text)) return { confirmed: true }
  const alive = /^lockstep-stop alive (.*)$/m.exec(text)?.[1]
  const complaint = new TextDecoder().decode(result.stderr).trim()
  return {
    confirmed: false,
    evidence:
      alive === undefined ? [complaint].filter((line) => line !== '') : [`still running on ${node.name}: pid ${alive}`],
  }
}

function withOptions(script: ReturnType<typeof remoteScript>, options: { readonly timeoutMs: number }) {
  return [script.command, { stdin: script.stdin, timeoutMs: options.timeoutMs }] as const
}
