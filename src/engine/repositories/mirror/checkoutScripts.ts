/* Scripts of `sh` for the machine of a checkout; `$1`, `$2`… are their words. Each path is absolute or begins with `~/`. */

const expand = `d=$1
case $d in "~/"*) d=$HOME/\${d#"~/"} ;; esac
`

/** What lies in the place of a checkout, then its absolute path. */
export const lookScript = `${expand}
if [ ! -e "$d" ] && [ ! -L "$d" ]; then k=missing
elif [ ! -d "$d" ]; then k=not-a-directory
elif [ -e "$d/.git" ]; then k=checkout
elif ! l=$(ls -A "$d" 2>/dev/null); then k=refused
elif [ -z "$l" ]; then k=empty
else k=directory
fi
printf '%s\\n%s' "$k" "$d"
`

/** `$1` the file of excludes, `$2` the line that has to be in it. */
export const excludeScript = `
if ! grep -qxF -e "$2" "$1" 2>/dev/null; then
  mkdir -p "$(dirname "$1")" || exit 1
  if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then echo >>"$1" || exit 1; fi
  printf '%s\\n' "$2" >>"$1" || exit 1
fi
`

/** `$1` the directory of the checkout to be, `$2` the name beside it under which it is made. Removes what a killed clone left. */
export const prepareCloneScript = `
p=$(dirname "$1") && b=$(basename "$1") && mkdir -p "$p" || exit 1
rm -rf "$p/.$b".lockstep-clone-*
printf '%s' "$p/.$b.lockstep-clone-$2"
`

/** `$1` the clone, `$2` where it goes: nothing lies there, or an empty directory. */
export const finishCloneScript = `
if [ -d "$2" ]; then rmdir "$2" || exit 1; fi
[ ! -e "$2" ] && mv "$1" "$2"
`

/** `$1` a clone that came to nothing. */
export const removeCloneScript = `case $1 in */.*.lockstep-clone-*) rm -rf "$1" ;; esac`
