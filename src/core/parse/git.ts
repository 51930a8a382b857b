import type { ErrorCode } from '../../shared/errors.ts'
import { printableLine } from '../printable.ts'

/*
 * What git means when it fails. Wording of git 2.30 to 2.50 and of curl, OpenSSH and the kernel behind it, in the language
 * of LC_ALL=C.UTF-8. The exit codes of git (1, 128, 129) say little; the lines say it.
 */

/** What was asked of git, for the sentence. */
export interface GitQuestion {
  /** Where git ran or what it was to reach: a URL without credentials, or a directory. */
  readonly place: string
  /** How git proved who it is. `elsewhere`: not at all, because the login is for another server. */
  readonly login: 'none' | 'key' | 'certificate' | 'token' | 'elsewhere'
  /** Whose disk, whose git: `this machine` or the name of a node. */
  readonly machine: string
}

export interface GitFailure {
  readonly code: ErrorCode
  /** Names the thing, the cause and the next step. */
  readonly message: string
  /** Trying again later can help without anybody acting. */
  readonly transient: boolean
  /** The line it was read from. */
  readonly line: string
}

interface FailurePattern {
  readonly code: ErrorCode
  readonly pattern: RegExp
  readonly transient?: boolean
  sentence(question: GitQuestion): string
}

const loginAdvice: Readonly<Record<GitQuestion['login'], string>> = {
  none: 'Choose a key, a certificate or a token as its login.',
  key: 'Check that the public half of the key is allowed there, and that the key may read this repository.',
  certificate: 'Check that the git server trusts our user authority and lists the principal of the certificate.',
  token: 'Save a token that has not ended and may read this repository.',
  elsewhere:
    'It lies on another server than the repository it belongs to, and the login of that one goes to no other. Move it to the same server, or let it be read without a login.',
}

/** In order: the first that matches any line is the cause. What stands first explains what stands behind it. */
const patterns: readonly FailurePattern[] = [
  {
    code: 'LOCAL_DISK_FULL',
    pattern: /No space left on device|Disk quota exceeded|unable to write file .*: No space/i,
    sentence: ({ machine }) => `The disk of ${machine} is full. Make room there, then try again.`,
  },
  {
    code: 'REPOSITORY_REFUSED',
    pattern: /detected dubious ownership|unsafe repository|is owned by someone else/i,
    sentence: ({ place }) =>
      `${place} belongs to another user, and git does not work in it. Let it belong to the user that runs git, or run as its owner.`,
  },
  {
    code: 'REPOSITORY_LOCKED',
    pattern:
      /\.lock': File exists|Another git process seems to be running|cannot lock ref|index file open failed|could not lock config/i,
    transient: true,
    sentence: ({ place }) =>
      `Another git works in ${place}, or one ended there without cleaning up. Try again; if it stays, see that no git runs there and remove its .lock file.`,
  },
  {
    code: 'REPOSITORY_DIVERGED',
    pattern:
      /would be overwritten by (?:merge|checkout|reset)|commit your changes or stash them|You have not concluded your merge|you need to resolve your current index|Exiting because of (?:an )?unfinished merge|untracked working tree files would|would lose untracked files in/i,
    sentence: ({ place }) =>
      `Changes in ${place} that are not committed are in the way of the pull. Commit or stash them there; force throws away changes of tracked files.`,
  },
  {
    code: 'REPOSITORY_DIVERGED',
    pattern: /Not possible to fast-forward|non-fast-forward|refusing to merge unrelated histories|Diverging branches/i,
    sentence: ({ place }) =>
      `The history of the remote is not a continuation of what is in ${place}. Look at both; a sync with force takes what the remote has.`,
  },
  {
    code: 'REPOSITORY_REFUSED',
    pattern: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known/i,
    sentence: ({ place }) =>
      `The host key of the git server ${place} is not one that was accepted. Compare it with what the server's owner publishes, then enter it as a host key of the repository.`,
  },
  {
    code: 'REPOSITORY_REFUSED',
    pattern:
      /SSL certificate problem|server certificate verification failed|self[- ]signed certificate|certificate (?:has expired|verify failed)|error setting certificate|no alternative certificate subject name/i,
    sentence: ({ place }) =>
      `The TLS certificate of ${place} is not trusted here. Have it renewed, or name its authority to the engine (GIT_SSL_CAINFO).`,
  },
  {
    code: 'REPOSITORY_REFUSED',
    pattern:
      /transport '[^']*' not allowed|Unsupported protocol|protocol '[^']*' is not supported|Unable to find remote helper/i,
    sentence: ({ place }) => `${place} is not reached over https or ssh, and other ways are not taken. Change its URL.`,
  },
  {
    code: 'REPOSITORY_REFUSED',
    pattern:
      /Permission denied \((?:publickey|[a-z,-]+)\)|Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Too many authentication failures|HTTP Basic: Access denied|Invalid username or (?:password|token)|The requested URL returned error: (?:401|403)|no mutual signature|agent refused operation|UNPROTECTED PRIVATE KEY FILE/i,
    sentence: ({ place, login }) => `The git server refused our login to ${place}. ${loginAdvice[login]}`,
  },
  {
    code: 'REF_NOT_FOUND',
    pattern: /couldn't find remote ref|Remote branch .* not found|not our ref|unadvertised object|no such remote ref/i,
    sentence: ({ place }) =>
      `${place} does not have this branch, tag or commit, or does not hand it out. Choose another one, or have it pushed again.`,
  },
  {
    code: 'PROGRAM_FAILED',
    pattern:
      /object (?:file )?\S+ is (?:empty|corrupt)|object corrupt or missing|inflate: data stream error|packfile \S+ (?:cannot be accessed|is far too short|does not match)|index file \S+ is (?:too small|corrupt)|unable to read (?:tree|sha1|object)/i,
    sentence: ({ place }) =>
      `Objects of ${place} are damaged, as after a loss of power. Remove a mirror of ours, and the next fetch makes it anew; look at a checkout with git fsck.`,
  },
  {
    code: 'REF_NOT_FOUND',
    pattern:
      /unknown revision|bad revision|bad object|Not a valid (?:object|commit) name|not a valid object|Needed a single revision|not a tree object/i,
    sentence: ({ place }) => `This commit is not in ${place}. Fetch first, or choose another one.`,
  },
  {
    code: 'REPOSITORY_UNREACHABLE',
    pattern:
      /Could not resolve host|Name or service not known|Temporary failure in name resolution|Connection refused|No route to host|Network is unreachable|timed out|Failed to connect|Could ?n[o']t connect|Operation too slow/i,
    transient: true,
    sentence: ({ place }) =>
      `The git server of ${place} does not answer. Check the name, the network and that the server runs; it is tried again.`,
  },
  {
    code: 'REPOSITORY_UNREACHABLE',
    pattern:
      /Repository not found|does not appear to be a git repository|repository '[^']*' (?:not found|does not exist)|returned error: (?:404|410)|No such (?:file or directory|project)|project you were looking for could not be found/i,
    sentence: ({ place }) =>
      `There is no repository at ${place}, or our login may not see it. Check the URL and what the login may read.`,
  },
  {
    code: 'SOURCE_MISSING',
    pattern: /not a git repository|must be run in a work tree/i,
    sentence: ({ place }) =>
      `${place} is not a git checkout. Name the directory of one, or let it be cloned into a new one.`,
  },
  {
    code: 'REPOSITORY_UNSAFE',
    pattern: /fsck error|invalid path '|malicious|disallowed (?:symlink|submodule)/i,
    sentence: ({ place }) => `${place} holds objects that git itself calls unsafe. Have them removed from its history.`,
  },
  {
    code: 'REPOSITORY_UNREACHABLE',
    pattern:
      /early EOF|remote end hung up|unexpected disconnect|Connection (?:reset|closed)|Broken pipe|RPC failed|returned error: (?:429|5\d\d)|protocol error|invalid index-pack output|bad line length|gnutls_|GnuTLS|SSL_(?:read|connect|ERROR)|Could not read from remote repository|shallow file has changed/i,
    transient: true,
    sentence: ({ place }) =>
      `The connection to ${place} broke off. It is tried again; what was fetched before stays in force.`,
  },
  {
    code: 'HOME_NOT_WRITABLE',
    pattern: /Permission denied|Read-only file system|insufficient permission/i,
    sentence: ({ place, machine }) =>
      `git may not write or read files of ${place} on ${machine}. Check their owner and rights.`,
  },
]

const usefulLine = /^(?:fatal|error|remote|ssh|git|warning|!|@|\S*: )/i

/** One cause for a call of git that ended badly. */
export function explainGit(stderr: string, exitCode: number, question: GitQuestion): GitFailure {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  for (const { code, pattern, transient = false, sentence } of patterns) {
    const line = lines.find((candidate) => pattern.test(candidate))
    if (line !== undefined) return { code, message: sentence(question), transient, line: shownLine(line) }
  }
  const said = lines.findLast((line) => usefulLine.test(line)) ?? lines.at(-1) ?? ''
  return {
    code: 'PROGRAM_FAILED',
    message:
      said === ''
        ? `git ended with exit code ${exitCode} at ${question.place}.`
        : `git failed at ${question.place}: ${shownLine(said)}`,
    // TERM, KILL or a lack of memory ended it.
    transient: exitCode === 143 || exitCode === 137,
    line: shownLine(said),
  }
}

/** Without credentials and control characters, and not endless. */
function shownLine(line: string): string {
  const plain = line.replace(/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/'"@]*@/gi, '$1')
  return printableLine(plain.length > 500 ? `${plain.slice(0, 500)}…` : plain)
}

/** A remote of another hash function than we keep: `sha1` or `sha256`; null when that is not the trouble. */
export function wantedHashFunction(stderr: string): 'sha1' | 'sha256' | null {
  const server = /mismatched algorithms: client \w+; server (\w+)/.exec(stderr)?.[1]
  return server === 'sha1' || server === 'sha256' ? server : null
}

/** The names of files that git lists below its complaint about changes in the way. */
export function filesInTheWay(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('\t'))
    .map((line) => printableLine(line.slice(1)))
}
