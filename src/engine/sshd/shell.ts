import { shellQuote } from '../../core/transfer/remoteShell.ts'
import type { SshdReload } from '../../shared/model/node.ts'

/*
 * The pieces of POSIX sh that run on nodes; dash, busybox and bash alike. Nothing of it stays there except the backup
 * of a change with its `restore.sh`.
 */

/** `$1`: home of the login user, `$2`: the connection as sshd describes it. A cut connection must not end a change half-way. */
export const prelude = (nonce: string): string => `
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin; export PATH
umask 022
trap '' HUP PIPE
N=${shellQuote(nonce)}
H=$1
set -- $2
A=host=\${1:-127.0.0.1},addr=\${1:-127.0.0.1}
[ -z "$4" ] || A=$A,laddr=$3,lport=$4
hex() { od -An -v -tx1 | tr -d ' \\n\\t'; }
say() { printf '\\n%s %s %s\\n' "$N" "$1" "$(printf '%s' "$2" | hex)"; }
${sharedFunctions}
say begin yes
`

/** Used by the scripts of a call and by those that stay on the node for the length of a change. */
export const sharedFunctions = `
at() {
  case $1 in "~/"*) P=$H/\${1#??} ;; *) P=$1 ;; esac
  if [ -h "$P" ]; then L=$(readlink -f "$P" 2>/dev/null); [ -z "$L" ] || P=$L; fi
}
sum() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1"
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256 <"$1"
  else openssl dgst -sha256 -r <"$1"; fi 2>/dev/null | cut -c1-64
}
flush() { sync "$@" 2>/dev/null || sync; }
nap() { sleep 0.1 2>/dev/null || sleep 1; }
`

/** `~/` and all, as a word for {@link sharedFunctions} `at`. */
export const pathWord = (path: string): string => shellQuote(path)

/**
 * Defines `pidfile` (sets F, empty when there is none) and `reload`, which returns 0 when sshd was seen to have read
 * its configuration again. sshd writes its pid file anew when it listens again (sshd(8), SIGHUP); before that the
 * file's time is set far back, so that no clock has to be trusted.
 */
export function reloadFunctions(
  reload: SshdReload,
  sshd: { readonly program: string; readonly configFile: string },
): string {
  const ask = `${shellQuote(sshd.program)} -T -f "$CF" -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null`
  const find =
    reload.kind === 'pid-file'
      ? `at ${pathWord(reload.file)}; F=$P`
      : `F=$(${ask} | sed -n 's/^pidfile //p'); [ -f "$F" ] || F=`
  const signal = reload.kind === 'pid-file' ? signalProcess : signalUnit
  return `
at ${pathWord(sshd.configFile)}; CF=$P
pidfile() { ${find}; }
${signal}
reload() {
  pidfile
  R=$1/reload-mark
  if [ -n "$F" ] && [ -f "$F" ]; then
    : >"$R" && touch -t 200001020000 "$R" && touch -t 200001010000 "$F" || return 1
  fi
  signal || return 1
  [ -n "$F" ] && [ -e "$R" ] || { sleep 1; return 0; }
  i=0
  while [ $i -lt 150 ]; do
    if [ -n "$(find "$F" -newer "$R" 2>/dev/null)" ]; then rm -f "$R"; return 0; fi
    i=$((i + 1)); nap
  done
  echo "sshd did not listen again within 15 seconds"
  return 1
}
`
}

const signalProcess = `
canreload() {
  pidfile
  read -r K 2>/dev/null <"$F" && kill -0 "$K" 2>/dev/null && return 0
  echo "no sshd runs under the process number in $F"; return 1
}
signal() { canreload && kill -HUP "$K"; }
`

/** Where a socket unit starts one sshd for each connection, there is nothing to tell. */
const signalUnit = `
canreload() {
  U=
  for u in ssh sshd; do
    if systemctl is-active --quiet $u.service 2>/dev/null; then U=$u.service; return 0; fi
  done
  for u in ssh sshd; do
    if systemctl is-active --quiet $u.socket 2>/dev/null; then U=none; return 0; fi
  done
  echo "systemctl knows no running ssh or sshd"; return 1
}
signal() { canreload || return 1; [ "$U" = none ] && { F=; return 0; }; systemctl reload "$U"; }
`
