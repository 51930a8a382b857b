import { AppError } from '../../shared/errors.ts'
import { type RemoteTarget, targetWords } from './target.ts'

/** Why another control plane cannot be used. The list is closed: the desktop app asks whether waiting can help. */
export type RemoteFailureReason =
  | 'ssh-missing'
  | 'name-unknown'
  | 'unreachable'
  | 'host-key'
  | 'key-refused'
  | 'no-daemon'
  | 'forwarding-refused'
  | 'other-version'
  | 'lost'
  | 'failed'

/** Nobody has to act: the network or the daemon may be back. */
const passing: readonly RemoteFailureReason[] = ['unreachable', 'no-daemon', 'lost', 'failed']

/** The user's own ssh keeps the rules of host keys, so it is the user's ssh that has to be content. */
const sentences: Readonly<Record<RemoteFailureReason, (where: string) => string>> = {
  'ssh-missing': () => 'ssh is not installed here. Install OpenSSH’s client, e.g. apt-get install openssh-client.',
  'name-unknown': (where) => `The name in ${where} is not known. Check it, or give an address.`,
  unreachable: (where) => `${where} does not answer to ssh. Check that it runs and that you are in its network.`,
  'host-key': (where) =>
    `The host key of ${where} is not the one you trust, or none is known yet. Compare it with the machine, then connect ` +
    `once with "ssh ${where}" and accept it there. Nothing was sent.`,
  'key-refused': (where) =>
    `${where} refused your key. Load it with ssh-add, or have your public key added to authorized_keys there.`,
  'no-daemon': (where) =>
    `No control plane serves on ${where} for this user. Start it there ("lockstep serve", or systemctl start lockstep), ` +
    'log in as the user it runs as, or name its directory with --remote-home.',
  'forwarding-refused': (where) =>
    `sshd of ${where} does not let us through to the socket. Set AllowStreamLocalForwarding yes for this user there.`,
  'other-version': (where) => `${where} runs another version of Lockstep. Install the same one on both.`,
  lost: (where) => `The connection to ${where} broke.`,
  failed: (where) => `ssh to ${where} failed. Try "ssh ${where}" by itself.`,
}

/** The first that fits; written by OpenSSH with LC_ALL=C. */
const signs: readonly (readonly [RegExp, RemoteFailureReason])[] = [
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No .*host key is known|revoked host key/i,
    'host-key',
  ],
  [/Could not resolve hostname|Name or service not known/i, 'name-unknown'],
  [/Permission denied|Too many authentication failures|no mutual signature/i, 'key-refused'],
  [/administratively prohibited|forwarding .*(refused|disabled|failed)/i, 'forwarding-refused'],
  [
    /Connection refused|timed out|No route to host|Network is unreachable|Connection (closed|reset)|banner exchange|Host is down|Broken pipe/i,
    'unreachable',
  ],
]

export const reasonOfStderr = (stderr: string): RemoteFailureReason =>
  signs.find(([sign]) => sign.test(stderr))?.[1] ?? 'failed'

export function remoteFailure(
  target: RemoteTarget,
  reason: RemoteFailureReason,
  {
    evidence = '',
    detail = '',
    cause,
  }: { readonly evidence?: string; readonly detail?: string; readonly cause?: unknown } = {},
): AppError {
  const lines = evidence
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const where = targetWords(target)
  return new AppError('CONTROL_PLANE_UNREACHABLE', `${sentences[reason](where)}${detail === '' ? '' : ` ${detail}`}`, {
    data: { host: where, reason, evidence: lines.slice(-8) },
    ...(passing.includes(reason) ? { retry: { kind: 'after', delayMs: 2_000 } } : {}),
    cause,
  })
}
