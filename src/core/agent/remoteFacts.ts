import { shellRemoteDirectory } from '../transfer/paths.ts'

/** What storage says of itself in one command. */
export interface StorageFacts {
  readonly hasRsync: boolean
  /** Clock there, seconds since 1970; null when it did not say. */
  readonly clockSeconds: number | null
  /** In the order asked for. */
  readonly targets: readonly StorageDirectory[]
  readonly sources: readonly StorageDirectory[]
}

export interface StorageDirectory {
  readonly status: 'ok' | 'missing' | 'not-a-directory' | 'refused'
  /** What the system said when it refused. */
  readonly complaint: string
  readonly resolved: string
  /** False for the home directory, the root and whatever holds them. */
  readonly safe: boolean
  readonly hasFiles: boolean
  /** Null when `df` gave no figure. */
  readonly freeBytes: number | null
}

const beginMark = 'lockstep-facts-begin'
const endMark = 'lockstep-facts-end'

/** `ask NAME DIRECTORY ROLE`: one line per fact. A missing target is made, its parents too. */
const functions = `
say() { printf '%s %s\\n' "$1" "$(printf '%s' "$2" | tr '\\n' ' ')"; }
ask() {
  if [ ! -e "$2" ] && [ "$3" = target ]; then
    e=$(mkdir -p "$2" 2>&1) || { say "$1.status" refused; say "$1.complaint" "$e"; return; }
  fi
  if [ ! -e "$2" ]; then say "$1.status" missing; return; fi
  if [ ! -d "$2" ]; then say "$1.status" not-a-directory; return; fi
  e=$(cd "$2" 2>&1 && ls . 2>&1 >/dev/null) || { say "$1.status" refused; say "$1.complaint" "$e"; return; }
  p=$(cd "$2" && pwd -P)
  say "$1.resolved" "$p"
  h=$(cd "$HOME" && pwd -P)
  case "$h/" in "\${p%/}"/*) say "$1.unsafe" yes ;; esac
  if [ "$3" != source ] && [ ! -w "$2" ]; then
    say "$1.status" refused; say "$1.complaint" "$2: Permission denied"; return
  fi
  say "$1.files" "$(find "$2" ! -type d ! -path '*/.lockstep-partial/*' 2>/dev/null | head -n 1 | wc -l)"
  say "$1.free" "$(df -Pk "$2" 2>/dev/null | awk 'NR == 2 { print $4 }')"
  say "$1.status" ok
}
`

/** Script for a POSIX `sh` over there. With `make`, missing targets are made. */
export function storageFactsScript(
  targets: readonly string[],
  sources: readonly string[],
  { make }: { readonly make: boolean },
): string {
  return [
    functions,
    `echo ${beginMark}`,
    'if command -v rsync >/dev/null 2>&1; then say rsync yes; fi',
    'say clock "$(date +%s)"',
    ...targets.map(
      (directory, index) => `ask target${index} ${shellRemoteDirectory(directory)} ${make ? 'target' : 'look'}`,
    ),
    ...sources.map((directory, index) => `ask source${index} ${shellRemoteDirectory(directory)} source`),
    `echo ${endMark}`,
  ].join('\n')
}

/** Null when the login ran something else than our script: a forced command, or no shell. */
export function readStorageFacts(
  output: string,
  count: { readonly targets: number; readonly sources: number },
): StorageFacts | null {
  const lines = output.split('\n')
  const begin = lines.indexOf(beginMark)
  const end = lines.indexOf(endMark)
  if (begin < 0 || end < begin) return null
  const said = new Map(
    lines.slice(begin + 1, end).map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(0, space), line.slice(space + 1).trim()] as const
    }),
  )
  const directories = (role: string, many: number): StorageDirectory[] =>
    Array.from({ length: many }, (_, index) => directoryOf(said, `${role}${index}`))
  return {
    hasRsync: said.get('rsync') === 'yes',
    clockSeconds: figure(said.get('clock')),
    targets: directories('target', count.targets),
    sources: directories('source', count.sources),
  }
}

function directoryOf(said: ReadonlyMap<string, string>, name: string): StorageDirectory {
  const status = said.get(`${name}.status`)
  const free = figure(said.get(`${name}.free`))
  return {
    status: status === 'ok' || status === 'missing' || status === 'not-a-directory' ? status : 'refused',
    complaint: said.get(`${name}.complaint`) ?? '',
    resolved: said.get(`${name}.resolved`) ?? '',
    safe: said.get(`${name}.unsafe`) !== 'yes',
    hasFiles: said.get(`${name}.files`) === '1',
    freeBytes: free === null ? null : free * 1024,
  }
}

const figure = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
