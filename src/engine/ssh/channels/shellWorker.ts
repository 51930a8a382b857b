/**
 * The worker for `/bin/sh` (dash, bash, busybox): reads requests from standard input until it ends, does their orders and
 * answers on what was standard output. See `core/channel/request.ts` for what it reads, `answers.ts` for what it says.
 *
 * - Names begin with `l_`, so that scripts of others, which are evaluated in a subshell, are not disturbed.
 * - Only builtins where the shell has one: every program costs the node a fork.
 * - A file is written beside its place under a name that tells whose it is, synced, and renamed. `dd` reads a whole payload
 *   before it writes, and says so (`1+0`): what was cut never gets a place.
 * - What a script gets on standard input, and the script itself, is complete before it runs; scripts end in a mark for that.
 * - A payload is read whole whatever becomes of its order, or the next order would begin in the middle of it.
 * - As root it follows no link of another user at the place of a file, and on the way to it only those that lie where nobody
 *   but root and the login user can put one: a link of somebody else could lead to any file of the node.
 * - It ends by calling `l_main`: a program that was cut on its way here does nothing.
 */
export const shellWorker = String.raw`
l_say() { printf '%s %s\n' "$l_nonce" "$*" >&3; }
l_refuse() {
  l_code=$1
  l_rest=$2
  while [ -n "$l_rest" ]; do
    l_line=\${l_rest%%"$l_newline"*}
    [ -z "$l_line" ] || l_say said "$l_line"
    case $l_rest in *"$l_newline"*) l_rest=\${l_rest#*"$l_newline"} ;; *) l_rest= ;; esac
  done
  l_say refused "$l_code"
  return 1
}
l_fail() {
  case $1 in
    *"o space left"*|*uota*exceeded*) l_refuse REMOTE_DISK_FULL "$1" ;;
    *"ead-only file system"*) l_refuse REMOTE_READ_ONLY "$1" ;;
    *"peration not permitted"*) if l_sticky; then l_refuse REMOTE_PERMISSION_DENIED "$1"; else l_refuse REMOTE_FILE_IMMUTABLE "$1"; fi ;;
    *"ermission denied"*) l_refuse REMOTE_PERMISSION_DENIED "$1" ;;
    *irectory*|*"o such file"*|*"too long"*|*"any levels"*|*nonexist*) l_refuse REMOTE_PATH_INVALID "$1" ;;
    *) l_refuse REMOTE_COMMAND_FAILED "$1" ;;
  esac
}
l_root() {
  [ -n "$l_uid" ] || l_uid=$(id -u)
  [ "$l_uid" = 0 ]
}
l_sticky() { [ -k "$l_dir" ] && ! l_root; }
l_sum() {
  case $l_summer in
    sha256sum) sha256sum ;;
    openssl) openssl dgst -sha256 ;;
    *) shasum -a 256 ;;
  esac
}
l_hash() {
  l_sumline=$(l_sum <"$l_path")
  l_state=\${l_sumline%% *}
  [ "$l_summer" != openssl ] || l_state=\${l_sumline##* }
  case $l_state in
    ????????????????????????????????????????????????????????????????) return 0 ;;
    *) l_refuse REMOTE_COMMAND_FAILED "$l_path could not be read to its end" ;;
  esac
}
l_take() {
  l_left=0
  l_took=$(dd bs="$1" count=1 iflag=fullblock ${'$'}3 of="$2" 2>&1 >/dev/null)
  l_ended=$?
  l_wanted=1
  case $l_took in *"records in"*) ;; *)
    l_took=$(dd bs=1 count="$1" of="$2" 2>&1 >/dev/null)
    l_ended=$?
    l_wanted=$1
  esac
  case $l_took in *"$l_wanted+0 records in"*) return $l_ended ;; esac
  [ "$2" = /dev/null ] || rm -f "$2"
  exit 1
}
l_drain() { [ "$l_left" -eq 0 ] || l_take "$l_left" /dev/null; }
l_facts() {
  l_owner=$(ls -ldn "$1")
  l_mode=\${l_owner%% *}
  l_owner=\${l_owner#* }
  while [ "$l_owner" != "\${l_owner# }" ]; do l_owner=\${l_owner# }; done
  l_owner=\${l_owner#* }
  while [ "$l_owner" != "\${l_owner# }" ]; do l_owner=\${l_owner# }; done
  l_owner=\${l_owner%% *}
}
l_ours() { [ "$l_owner" = 0 ] || { [ "$l_nested" = 1 ] && [ "$l_owner" = "$SUDO_UID" ]; }; }
l_safe() {
  l_facts "$1"
  case $l_mode in ?????w*|????????w*) return 1 ;; esac
  l_ours
}
l_strange() { l_refuse REMOTE_PATH_INVALID "$1: a link of another user, which root does not follow"; }
l_target() {
  l_to=$(readlink "$1" && echo .) || { l_dir=/; l_fail "$1: Too many levels of symbolic links"; return 1; }
  l_to=\${l_to%"$l_newline."}
}
l_way() {
  l_todo=\${l_path%/*}/
  l_at=
  while [ -n "$l_todo" ]; do
    l_part=\${l_todo%%/*}
    l_todo=\${l_todo#*/}
    case $l_part in
      ''|.) ;;
      ..) l_at=\${l_at%/*} ;;
      *) if [ -L "$l_at/$l_part" ]; then l_follow || return; else l_at=$l_at/$l_part; fi ;;
    esac
  done
}
l_follow() {
  l_part=$l_at/$l_part
  l_facts "$l_part"
  l_ours || l_safe "\${l_at:-/}" || { l_strange "$l_part"; return; }
  l_links=$((l_links + 1))
  [ "$l_links" -le 40 ] || { l_refuse REMOTE_PATH_INVALID "$l_part: Too many levels of symbolic links"; return; }
  l_target "$l_part" || return
  case $l_to in /*) l_at= ;; esac
  l_todo=$l_to/$l_todo
}
l_resolve() {
  l_path=$1
  case $l_path in *\\*) l_path=$(printf '%b.' "$l_path"); l_path=\${l_path%.} ;; esac
  case $l_path in "~/"*) l_path=\${l_home%/}/\${l_path#??} ;; esac
  if l_root; then
    l_links=0
    l_way || return
    while [ -L "$l_path" ]; do
      l_facts "$l_path"
      [ "$l_owner" = 0 ] || { l_strange "$l_path"; return; }
      l_links=$((l_links + 1))
      [ "$l_links" -le 40 ] || { l_refuse REMOTE_PATH_INVALID "$l_path: Too many levels of symbolic links"; return; }
      l_target "$l_path" || return
      case $l_to in /*) l_path=$l_to ;; *) l_path=\${l_path%/*}/$l_to ;; esac
      l_way || return
    done
  elif [ -L "$l_path" ]; then
    l_link=$(readlink -f "$l_path" && echo .) || { l_dir=/; l_fail "$l_path: Too many levels of symbolic links"; return 1; }
    l_path=\${l_link%"$l_newline."}
  fi
  l_dir=\${l_path%/*}
  l_dir=\${l_dir:-/}
  l_name=\${l_path##*/}
}
l_hidden() {
  l_up=$l_dir
  while ! [ -d "$l_up" ]; do
    [ -n "$l_up" ] || return 1
    l_up=\${l_up%/*}
  done
  ! [ -x "$l_up" ]
}
l_look() {
  if [ -f "$l_path" ]; then
    [ -r "$l_path" ] || { l_refuse REMOTE_PERMISSION_DENIED "$l_path: Permission denied"; return 1; }
    l_hash
  elif [ -e "$l_path" ]; then
    l_refuse REMOTE_PATH_INVALID "$l_path: not a regular file"
  elif l_hidden; then
    l_refuse REMOTE_PERMISSION_DENIED "$l_path: Permission denied"
  else
    l_state=missing
  fi
}
l_content() {
  [ "$l_state" != missing ] || { l_say content missing -; return; }
  l_size=$(wc -c <"$l_path")
  l_size=$((l_size))
  [ "$l_size" -le 16777216 ] || { l_refuse PAYLOAD_TOO_LARGE "$l_path: $l_size bytes"; return; }
  l_say content "$l_state" "$l_size"
  cat "$l_path" >&3
}
l_read() {
  l_resolve "$1" && l_look || return
  if [ "$l_state" = "$2" ]; then l_say same "$l_state"; else l_content; fi
}
l_replace() {
  l_resolve "$1" || return
  if ! [ -d "$l_dir" ] && [ "$3" = 1 ] && ! l_hidden; then
    l_why=$(mkdir -p "$l_dir" 2>&1) || { l_fail "$l_why"; return; }
  fi
  if [ "$l_locks" = 1 ] && [ -d "$l_dir" ] && [ -r "$l_dir" ]; then
    l_swap "$2" "$4" 9<"$l_dir"
  else
    l_swap "$2" "$4"
  fi
}
l_alone() {
  l_tries=0
  until flock -n 9; do
    [ $? = 1 ] || return 0
    l_tries=$((l_tries + 1))
    [ "$l_tries" -le 50 ] || { l_refuse REMOTE_COMMAND_FAILED "$l_dir: another program holds its lock"; return 1; }
    sleep 0.2 || sleep 1
  done
}
l_swap() {
  [ "$l_locks" != 1 ] || l_alone || return
  for l_old in "$l_dir/.$l_name.lockstep-"*; do
    if [ -f "$l_old" ] || [ -L "$l_old" ]; then rm -f "$l_old"; fi
  done
  l_look || return
  if [ "$l_state" = "$2" ]; then l_say same "$l_state"; return; fi
  if [ "$1" != any ] && [ "$1" != "$l_state" ]; then l_content; return; fi
  [ -d "$l_dir" ] || { l_refuse REMOTE_PATH_INVALID "$l_dir: no such directory"; return; }
  l_tmp=$l_dir/.$l_name.lockstep-$l_tag
  set -C
  if ! true >"$l_tmp"; then
    l_why=$({ true >"$l_tmp"; } 2>&1)
    set +C
    l_fail "$l_why"
    return
  fi
  set +C
  if [ "$l_state" != missing ]; then
    l_why=$(cp -p "$l_path" "$l_tmp" 2>&1) || { rm -f "$l_tmp"; l_fail "$l_why"; return; }
  fi
  if [ "$l_left" -eq 0 ]; then
    true >"$l_tmp"
  elif ! l_take "$l_left" "$l_tmp" conv=fsync; then
    rm -f "$l_tmp"
    l_fail "\${l_took%%"$l_newline"*}"
    return
  fi
  l_how=renamed
  l_why=$(mv -f "$l_tmp" "$l_path" 2>&1) || case $l_why in
    *usy*) l_how=in-place; l_overwrite || return ;;
    *) rm -f "$l_tmp"; l_fail "$l_why"; return ;;
  esac
  sync "$l_dir"
  l_changed=1
  l_hash && l_say replaced "$l_state" "$l_how"
}
l_overwrite() {
  l_kept=$l_tmp-old
  l_why=$(cp -p "$l_path" "$l_kept" 2>&1) || { rm -f "$l_tmp" "$l_kept"; l_fail "$l_why"; return 1; }
  trap '' HUP INT TERM PIPE
  if l_why=$({ cat "$l_tmp" >"$l_path"; } 2>&1); then
    l_put=0
  else
    l_put=1
    cat "$l_kept" >"$l_path"
  fi
  sync "$l_path"
  trap - HUP INT TERM PIPE
  rm -f "$l_tmp" "$l_kept"
  [ "$l_put" = 0 ] || l_fail "$l_why"
}
l_some() { head -c 262144; cat >/dev/null; }
l_tagged() { l_some | od -An -v -tx1 | while IFS= read -r l_line; do printf '%s%s\n' "$1" "$l_line"; done; }
l_evaluate() {
  exec 3>&- 4>&- 5>&-
  l_script=$1
  l_nonce=
  l_tag=
  l_program=
  l_bytes=
  if [ -n "$l_locale" ]; then LC_ALL=\${l_locale#x}; else unset LC_ALL; fi
  set --
  eval "$l_script"
}
l_pass() {
  trap '' PIPE
  l_took=$({ dd bs="$1" count=1 iflag=fullblock >&6; } 2>&1)
  case $l_took in *"records in"*) ;; *) dd bs=1 count="$1" >&6 ;; esac
}
l_octal() {
  l_bytes=$(l_pass "$1" 6>&1 | od -An -v -to1 | sed 's/ /\\0/g' | tr -d '\n')
  [ \${#l_bytes} -eq $(($1 * 5)) ] || exit 1
}
l_run() {
  l_input=$((l_left - $1))
  l_text=$(l_pass "$1" 6>&1)
  case $l_text in *'#end') ;; *) exit 1 ;; esac
  l_left=$l_input
  if [ "$l_input" -gt 0 ]; then
    l_octal "$l_input"
    l_output=$({ { printf %b "$l_bytes" | { (l_evaluate "$l_text") 2>&4; echo "x$?" >&5; } | l_tagged o >&5; } 4>&1 |
      l_tagged e >&5; } 5>&1)
  else
    l_output=$({ { { (l_evaluate "$l_text") </dev/null 2>&4; echo "x$?" >&5; } | l_tagged o >&5; } 4>&1 |
      l_tagged e >&5; } 5>&1)
  fi
  l_left=0
  l_bytes=
  l_say tagged
  printf '%s\n' "$l_output" >&3
  l_say ran
}
l_nest() {
  [ "$l_kind" != x ] || l_b=0
  l_why=$({ { trap '' PIPE
    printf '%s\n' "l_nested=1;l_program=\$(dd bs=\${#l_program} count=1 iflag=fullblock 2>/dev/null||dd bs=1 count=\${#l_program} 2>/dev/null);eval \"\$l_program\""
    printf '%s' "$l_program"
    printf '%s\n' "$l_nonce $l_tag 0 1" "$l_kind 0 $l_left $l_a $l_b $l_c $l_d"
    [ "$l_left" -eq 0 ] || l_pass "$l_left" 6>&1
  } | sudo -n sh -c 'IFS= read -r b;eval "$b"' >&3; } 2>&1)
  l_ended=$?
  l_left=0
  case $l_ended in
    0) ;;
    10) l_changed=1 ;;
    *) l_refuse SUDO_REFUSED "\${l_why:-sudo ended with exit code $l_ended}" ;;
  esac
}
l_direct() {
  [ "$l_sudo" = 0 ] || l_root && return
  [ "$l_kind" = r ] && l_resolve "$l_a" && [ -f "$l_path" ] && [ -r "$l_path" ]
}
l_order() {
  if [ "$l_kind" = x ] && [ "$l_b" = 1 ] && [ "$l_changed" = 0 ]; then l_say skipped; return; fi
  if ! l_direct; then l_nest; return; fi
  case $l_kind in
    r) l_read "$l_a" "$l_b" ;;
    w) l_replace "$l_a" "$l_b" "$l_c" "$l_d" ;;
    x) l_run "$l_a" ;;
    *) exit 1 ;;
  esac
}
l_prepare() {
  exec 3>&1 1>/dev/null 2>/dev/null
  umask 022
  l_newline='
'
  l_uid=
  l_home=\${HOME:-/}
  if [ "\${l_nested:=0}" = 1 ]; then
    case $SUDO_USER in ''|*[!A-Za-z0-9._-]*) ;; *) eval "l_home=~$SUDO_USER" ;; esac
  else
    cd "$l_home" || cd /
  fi
  l_locale=\${LC_ALL+x$LC_ALL}
  LC_ALL=C
  export LC_ALL
  l_locks=0
  if command -v flock; then l_locks=1; fi
  l_summer=shasum
  if command -v sha256sum; then l_summer=sha256sum; elif command -v openssl; then l_summer=openssl; fi
}
l_main() {
  l_prepare
  while IFS=' ' read -r l_nonce l_tag l_clock l_count; do
    l_changed=0
    l_now=-
    [ "$l_clock" = 0 ] || l_now=$(date +%s)
    [ "$l_nested" = 1 ] || l_say begin "$l_now" sh
    while [ "$l_count" -gt 0 ]; do
      IFS=' ' read -r l_kind l_sudo l_left l_a l_b l_c l_d || exit 1
      l_order
      l_drain
      l_count=$((l_count - 1))
    done
    [ "$l_nested" = 1 ] || l_say end
  done
  [ "$l_nested" = 0 ] || exit $((l_changed * 10))
}
l_main
`.replaceAll('\\${', '${')
