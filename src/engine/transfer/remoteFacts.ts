import { shellRemoteDirectory } from '../../core/transfer/paths.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { RunScript } from './scripts.ts'

/** What one look at a node says before a transfer. */
export interface RemoteFacts {
  /** Lines that the login shell printed of its own accord; rsync would trip over them. */
  readonly noise: readonly string[]
  /** First line of `rsync --version`; null when there is no rsync. */
  readonly rsyncVersion: string | null
  readonly target: RemoteDirectoryFacts | null
  readonly source: RemoteDirectoryFacts | null
  /** What `more` of the request said, by name. */
  readonly more: ReadonlyMap<string, string>
}

export interface RemoteDirectoryFacts {
  readonly status: 'ok' | 'missing' | 'not-a-directory' | 'refused'
  /** What the system said when it refused. */
  readonly complaint: string
  /** Physical path, links resolved; `safe` is false for the home directory and whatever it lies in. */
  readonly resolved: string
  readonly safe: boolean
  readonly hasFiles: boolean
  /** Null when `df` gave no figure. */
  readonly freeBytes: number | null
  /** Of the content, for sources; null when it was not measured. */
  readonly usedBytes: number | null
}

const beginMark = 'lockstep-facts-begin'
const endMark = 'lockstep-facts-end'

/**
 * `ask NAME DIRECTORY ROLE`: one line per fact. A missing target is made, its parents too. Every process that is started
 * there is paid for by each node at each look, so the shell does itself what it can.
 */
const functions = `
l_line='
'
say() {
  case $2 in *"$l_line"*) printf '%s %s\\n' "$1" "$(printf '%s' "$2" | tr '\\n' ' ')" ;; *) printf '%s %s\\n' "$1" "$2" ;; esac
}
say_first() { say "$1" "\${2%%"$l_line"*}"; }
home=$(cd "$HOME" && pwd -P)
has_files() {
  for f in "$1"/* "$1"/.[!.]*; do if [ -f "$f" ] || [ -L "$f" ]; then return 0; fi; done
  [ -n "$(find "$1" ! -type d ! -path '*/.lockstep-partial/*' 2>/dev/null | head -n 1)" ]
}
fourth() { l_fourth=$4; }
ask() {
  if [ ! -e "$2" ] && [ "$3" = target ]; then
    e=$(mkdir -p "$2" 2>&1) || { say "$1.status" refused; say "$1.complaint" "$e"; return; }
  fi
  if [ ! -e "$2" ]; then say "$1.status" missing; return; fi
  if [ ! -d "$2" ]; then say "$1.status" not-a-directory; return; fi
  p=$(cd "$2" 2>&1 && pwd -P) || { say "$1.status" refused; say "$1.complaint" "$p"; return; }
  say "$1.resolved" "$p"
  case "$home/" in "\${p%/}"/*) say "$1.unsafe" yes ;; esac
  if [ "$3" = target ] && [ ! -w "$2" ]; then
    e=$(touch -c "$2" 2>&1) || { say "$1.status" refused; say "$1.complaint" "$e"; return; }
  fi
  if [ "$3" = source ]; then
    e=$(ls "$2" 2>&1 >/dev/null) || { say "$1.status" refused; say "$1.complaint" "$e"; return; }
    say "$1.used" "$(du -sk "$2" 2>/dev/null | awk '{ print $1; exit }')"
  fi
  if has_files "$2"; then say "$1.files" 1; fi
  e=$(df -Pk "$2" 2>/dev/null)
  l_fourth=
  fourth \${e##*"$l_line"}
  say "$1.free" "$l_fourth"
  say "$1.status" ok
}
`

export interface FactsRequest {
  /** Made when it is missing. */
  readonly target: { readonly directory: string } | null
  readonly source: { readonly directory: string } | null
  /** Script of `sh` for further facts: `say NAME VALUE`, each on one line. */
  readonly more?: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

function factsScript({ target, source, more = '' }: FactsRequest): string {
  return [
    functions,
    `echo ${beginMark}`,
    'if command -v rsync >/dev/null 2>&1; then say_first rsync "$(rsync --version 2>/dev/null)"; fi',
    target === null ? '' : `ask target ${shellRemoteDirectory(target.directory)} target`,
    source === null ? '' : `ask source ${shellRemoteDirectory(source.directory)} source`,
    more === '' ? '' : `( ${more}\n)`,
    `echo ${endMark}`,
  ].join('\n')
}

/** Looks at the node in one round trip. Rejects with what the way to it throws. */
export async function readRemoteFacts(
  runScript: RunScript,
  node: FleetNode,
  request: FactsRequest,
): Promise<RemoteFacts> {
  const { timeoutMs, signal } = request
  const result = await runScript(node, {
    script: factsScript(request),
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  })
  const text = new TextDecoder().decode(result.stdout)
  const begin = text.indexOf(`${beginMark}\n`)
  const end = text.indexOf(`${endMark}\n`, begin)
  const answered = begin >= 0 && end >= 0
  const noise = nonEmptyLines(answered ? text.slice(0, begin) + text.slice(end + endMark.length) : text)
  const facts = readFacts(answered ? text.slice(begin + beginMark.length + 1, end) : '')
  if (!answered && noise.length === 0)
    noise.push(...nonEmptyLines(new TextDecoder().decode(result.stderr)), `exit code ${result.exitCode}`)
  return {
    noise,
    rsyncVersion: facts.get('rsync') ?? null,
    target: request.target === null ? null : directoryFacts(facts, 'target'),
    source: request.source === null ? null : directoryFacts(facts, 'source'),
    more: facts,
  }
}

function readFacts(text: string): Map<string, string> {
  const facts = new Map<string, string>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    if (space > 0) facts.set(line.slice(0, space), line.slice(space + 1).trim())
  }
  return facts
}

function nonEmptyLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function directoryFacts(facts: ReadonlyMap<string, string>, name: string): RemoteDirectoryFacts {
  const status = facts.get(`${name}.status`)
  const kibibytes = (key: string): number | null => {
    const value = facts.get(key)
    return value !== undefined && /^\d+$/.test(value) ? Number(value) * 1024 : null
  }
  return {
    status: status === 'ok' || status === 'missing' || status === 'not-a-directory' ? status : 'refused',
    complaint: facts.get(`${name}.complaint`) ?? '',
    resolved: facts.get(`${name}.resolved`) ?? '',
    safe: facts.get(`${name}.unsafe`) !== 'yes',
    hasFiles: Number(facts.get(`${name}.files`) ?? 0) > 0,
    freeBytes: kibibytes(`${name}.free`),
    usedBytes: kibibytes(`${name}.used`),
  }
}
