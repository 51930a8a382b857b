import { printableLine } from '../printable.ts'
import { utf8 } from './gitTree.ts'

/*
 * Settings in the `.git/config` of a checkout that our calls of git would obey to somebody's harm. A checkout may have
 * come out of an archive, or lie where others write; what is in its configuration is not what the operator entered.
 *
 * Not looked for, because ours are stronger, whatever the checkout says:
 * - `core.hooksPath`, `core.fsmonitor`, `core.alternateRefsCommand`, `core.attributesFile`: fixed by `-c`;
 * - `core.sshCommand`, `core.askPass`, `core.editor`, `core.pager`, `pager.*`, `ssh.variant`: fixed by the environment or
 *   `--no-pager`. Checkouts with a deploy key do have a `core.sshCommand`;
 * - `protocol.*`, `core.gitProxy`: `GIT_ALLOW_PROTOCOL` alone decides;
 * - `credential.*`: the empty `credential.helper` of ours comes last and forgets every helper before it, those for one URL
 *   too. Many checkouts have one;
 * - `uploadpack.packObjectsHook`: git itself takes it from outside of a repository only;
 * - `gpg.*`: signatures are neither made nor checked, by `-c`.
 *
 * Not looked for, because no call of ours gets there: `diff.*`, `merge.*.driver`, `filter.*.required` (a pull here is a
 * fast-forward and shows no differences), `submodule.*`, `remote.*.receivepack`, `remote.*.pushurl`, `url.*.pushInsteadOf`,
 * `alias.*`. `core.worktree` is found by where the files lie.
 *
 * A setting for one URL (`http.<url>.…`) is stronger than ours for all, so that `-c` is no help against it.
 */

interface Setting {
  /** In small letters. */
  readonly section: string
  /** Bytes, as it is written. */
  readonly subsection: string | null
  /** In small letters. */
  readonly name: string
  /** Bytes. Null: a name alone. */
  readonly value: string | null
}

/** What `git config -z --show-scope --list` prints, of the repository itself and of files that it includes. */
function ownSettings(listing: string): Setting[] {
  const records = listing.split('\0')
  const settings: Setting[] = []
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [scope = '', record = ''] = [records[at], records[at + 1]]
    if (scope === 'command') continue
    const lineEnd = record.indexOf('\n')
    const key = lineEnd < 0 ? record : record.slice(0, lineEnd)
    const [first, last] = [key.indexOf('.'), key.lastIndexOf('.')]
    settings.push({
      section: key.slice(0, Math.max(first, 0)).toLowerCase(),
      subsection: first === last ? null : key.slice(first + 1, last),
      name: key.slice(last + 1).toLowerCase(),
      value: lineEnd < 0 ? null : record.slice(lineEnd + 1),
    })
  }
  return settings
}

/** As `git lfs install --local` writes them; the program is the one in PATH. */
const usualLfs: Readonly<Record<string, RegExp>> = {
  clean: /^git-lfs clean -- %f$/,
  smudge: /^git-lfs smudge (?:--skip )?-- %f$/,
  process: /^git-lfs filter-process(?: --skip)?$/,
}

/** Sizes, times and names: they neither run anything nor choose whom to trust. A client certificate proves the other end. */
const harmlessHttp = new Set([
  'postbuffer',
  'version',
  'lowspeedlimit',
  'lowspeedtime',
  'maxrequests',
  'minsessions',
  'useragent',
  'noepsv',
  'pinnedpubkey',
  'sslcert',
  'sslkey',
  'sslcertpasswordprotected',
])

/** A program that is run by `git status`, a checkout or the other end of a fetch. */
const programs: readonly ((setting: Setting) => boolean)[] = [
  ({ section, subsection, name, value }) =>
    section === 'filter' &&
    ['clean', 'smudge', 'process'].includes(name) &&
    !(subsection === 'lfs' && usualLfs[name]?.test(value ?? '') === true),
  // Hooks that stand in the configuration are run whatever `core.hooksPath` says.
  ({ section, name }) => section === 'hook' && name === 'command',
  ({ section, subsection, name }) =>
    section === 'lfs' &&
    (/^(?:extension|customtransfer)\./i.test(subsection ?? '') || name === 'standalonetransferagent'),
  ({ section, name }) => section === 'remote' && (name === 'uploadpack' || name === 'vcs'),
]

/** Another server than the one that is named, or one that nobody checks. */
const trust: readonly ((setting: Setting) => boolean)[] = [
  ({ section, subsection, name }) =>
    section === 'http' && !harmlessHttp.has(name) && !(subsection === null && name === 'sslverify'),
  ({ section, name }) => section === 'url' && name === 'insteadof',
  ({ section, name }) => section === 'remote' && (name === 'proxy' || name === 'proxyauthmethod'),
  // A remote that is called like a URL takes its place.
  ({ section, subsection, name }) =>
    section === 'remote' && (name === 'url' || name === 'fetch') && /:|^[/.]/.test(subsection ?? ''),
  // Options of `git merge`, which a pull would obey.
  ({ section, name }) => section === 'branch' && name === 'mergeoptions',
]

/**
 * Names of settings in a checkout that run programs, or change whom git trusts; each once, for a person. Never a value,
 * and no user or password of a URL that is part of a name.
 *
 * @param listing bytes
 */
export function unsafeSettings(listing: string): string[] {
  const found = ownSettings(listing).filter((setting) => [...programs, ...trust].some((isUnsafe) => isUnsafe(setting)))
  return [...new Set(found.map(shownName))]
}

function shownName({ section, subsection, name }: Setting): string {
  const plain = utf8(subsection ?? '').replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)?.*@/s, '$1')
  return printableLine(subsection === null ? `${section}.${name}` : `${section}.${plain}.${name}`)
}
