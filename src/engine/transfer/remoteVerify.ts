import type { ByteName } from '../../core/parse/rsync.ts'
import { shellRemoteDirectory } from '../../core/transfer/paths.ts'
import { partialDirectory } from '../../core/transfer/rsyncArguments.ts'
import { AppError } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Fingerprint } from './manifest.ts'
import type { SampledEntry } from './sample.ts'
import type { RunScript } from './scripts.ts'

/** Marks the part of the output that is ours; whatever a login shell prints comes before. */
const moreMark = 'lockstep-more'
const entriesMark = 'lockstep-entries'
const linksMark = 'lockstep-links-begin'
const hashesMark = 'lockstep-hashes-begin'
const endMark = 'lockstep-hashes-end'

interface HashRequest {
  readonly directory: string
  readonly counts: boolean
  readonly more: string
  readonly linksBytes: number
  readonly filesBytes: number
}

const countEntries = `$(find . -type d -name ${partialDirectory} -prune -o \\( -type f -o -type l \\) -print0 2>/dev/null |
  tr -dc '\\000' | wc -c)`

/*
 * Names come NUL-separated on standard input, links first, and with `./` in front, so that none is read as an option.
 * Works with GNU, busybox (sha256sum) and BSD/macOS (shasum) tools. Missing files leave a hole in the output.
 */
const hashScript = ({ directory, counts, more, linksBytes, filesBytes }: HashRequest): string => `
cd ${shellRemoteDirectory(directory)} || exit 3
echo ${moreMark}
${more === '' ? '' : `( ${more}\n) </dev/null`}
echo ${entriesMark} ${counts ? countEntries : 0}
if command -v sha256sum >/dev/null 2>&1; then h=sha256sum; else h="shasum -a 256"; fi
echo ${linksMark}
if [ ${linksBytes} -gt 0 ]; then
  dd bs=1 count=${linksBytes} 2>/dev/null |
    xargs -0 -n 1 sh -c 'if [ -L "$1" ]; then printf "%s" "$(readlink "$1"; echo .)" | tr "\\n" "\\001"; fi; echo' sh 2>/dev/null
fi
echo ${hashesMark}
if [ ${filesBytes} -gt 0 ]; then xargs -0 $h 2>/dev/null; fi
echo ${endMark}
`

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** What a node says of a directory. */
export interface RemoteAnswer {
  /** A file that is missing or unreadable over there is missing here. */
  readonly fingerprints: ReadonlyMap<ByteName, Fingerprint>
  /** Files and links that the directory holds, whoever put them there; unfinished files of transfers not counted. */
  readonly entries: number
  /** What `more` of the request has printed. */
  readonly said: string
}

/**
 * What the node itself says of these files and of their directory, read back in one round trip. Always asked, also
 * for no files at all: that a directory is there and empty is for the node to say, too.
 * @throws AppError REMOTE_PATH_INVALID, REMOTE_PROGRAM_MISSING, REMOTE_COMMAND_FAILED, or what the pool throws
 */
export async function fingerprintRemote(
  runScript: RunScript,
  node: FleetNode,
  request: {
    readonly directory: string
    readonly entries: readonly SampledEntry[]
    /** Off: `entries` of the answer is 0. */
    readonly counts?: boolean
    /** Script of `sh` for something else that is to be asked in the directory. */
    readonly more?: string
    readonly timeoutMs: number
    readonly signal?: AbortSignal
  },
): Promise<RemoteAnswer> {
  const files = request.entries.filter((entry) => entry.type === 'file').map((entry) => entry.name)
  const links = request.entries.filter((entry) => entry.type === 'symlink').map((entry) => entry.name)
  const filesData = namesData(files)
  const linksData = namesData(links)
  const result = await runScript(node, {
    script: hashScript({
      directory: request.directory,
      counts: request.counts !== false,
      more: request.more ?? '',
      linksBytes: linksData.length,
      filesBytes: filesData.length,
    }),
    data: Buffer.concat([linksData, filesData]),
    timeoutMs: request.timeoutMs,
    maxOutputBytes: 64 * 1024 * 1024,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  })
  return readAnswer(latin1(result.stdout), {
    files,
    links,
    node,
    stderr: latin1(result.stderr),
    exitCode: result.exitCode,
  })
}

function namesData(names: readonly ByteName[]): Buffer {
  return Buffer.from(names.map((name) => `./${name}\0`).join(''), 'latin1')
}

/** `wc` of some systems pads; nothing of ours stands between this line and the links. */
const countPattern = new RegExp(`${entriesMark} +(\\d+)\\n$`)

interface Asked {
  readonly files: readonly ByteName[]
  readonly links: readonly ByteName[]
  readonly node: FleetNode
  readonly stderr: string
  readonly exitCode: number | null
}

function readAnswer(text: string, asked: Asked): RemoteAnswer {
  const more = text.indexOf(`${moreMark}\n`)
  const links = text.indexOf(`${linksMark}\n`)
  const hashes = text.indexOf(`${hashesMark}\n`, links)
  const counted = text.slice(0, Math.max(0, links)).match(countPattern)
  const entries = counted?.[1]
  if (more < 0 || counted?.index === undefined || entries === undefined || hashes < 0 || !text.endsWith(`${endMark}\n`))
    throw noAnswer(asked)
  const found = readHashes(text.slice(hashes + hashesMark.length + 1, -endMark.length - 1), asked.files)
  const answers = text.slice(links + linksMark.length + 1, hashes).split('\n')
  for (const [index, name] of asked.links.entries()) {
    const answer = answers[index]
    // `readlink` adds a line break and our script a dot; line breaks are shown as \u0001.
    if (answer?.endsWith('\u0001.') === true) found.set(name, `-> ${answer.slice(0, -2).replaceAll('\u0001', '\n')}`)
  }
  return {
    fingerprints: found,
    entries: Number(entries),
    said: text.slice(more + moreMark.length + 1, counted.index),
  }
}

/**
 * `hash  name` lines in the order of the names, some left out. A name may hold line breaks: GNU then escapes it and
 * puts a backslash in front of the line, busybox prints it as it is.
 */
function readHashes(text: string, names: readonly ByteName[]): Map<ByteName, Fingerprint> {
  const found = new Map<ByteName, Fingerprint>()
  let at = 0
  for (const name of names) {
    const line = hashLineAt(text, at, `./${name}`)
    if (line === null) continue
    found.set(name, line.hash)
    at = line.end
  }
  return found
}

function hashLineAt(text: string, at: number, name: string): { readonly hash: string; readonly end: number } | null {
  const escaped = text[at] === '\\'
  const start = escaped ? at + 1 : at
  const shown = escaped ? name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r') : name
  const hash = text.slice(start, start + 64)
  const rest = text.slice(start + 64, start + 66 + shown.length + 1)
  const matches = /^[0-9a-f]{64}$/.test(hash) && /^ [ *]/.test(rest) && rest.slice(2) === `${shown}\n`
  return matches ? { hash, end: start + 66 + shown.length + 1 } : null
}

function noAnswer({ node, stderr, exitCode }: Asked): AppError {
  const evidence = stderr.split('\n').filter((line) => line.trim() !== '')
  if (exitCode === 3)
    return new AppError('REMOTE_PATH_INVALID', `The target directory is gone on ${node.name}.`, { data: { evidence } })
  return new AppError('REMOTE_COMMAND_FAILED', `${node.name} did not answer the check of its files.`, {
    data: { evidence, exitCode },
  })
}
