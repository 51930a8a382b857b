import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { runCause } from '../run/causes.ts'

/*
 * Why sshd of a node was not changed, or not in the way that was meant, in words.
 */

interface Named {
  readonly name: string
  readonly user: string
}

const terminal = { kind: 'open-terminal', label: 'Open a terminal' } as const
const editNode = { kind: 'edit-node', label: 'Edit the node' } as const

/** The line that lets the login user change sshd without a password. Whoever may do that is root in all but name. */
export const sudoersLine = (user: string): string => `${user} ALL=(root) NOPASSWD: /bin/sh`

export const sudoRefused = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('SUDO_REFUSED', {
    sentence: `${node.user} on ${node.name} is not root, and sudo lets it do nothing without a password. Put the line "${sudoersLine(node.user)}" into /etc/sudoers.d/lockstep there, or log in as root.`,
    short: 'sudo refused',
    evidence,
    nextAction: terminal,
  })

export const sshdProgramMissing = (node: Named, program: string): Diagnosis =>
  runCause('REMOTE_PROGRAM_MISSING', {
    sentence: `${node.name} has no ${program}. Name the sshd of this node in its settings.`,
    short: 'no sshd there',
    nextAction: editNode,
  })

export const sshdConfigUnreadable = (node: Named, file: string, evidence: readonly string[]): Diagnosis =>
  runCause('REMOTE_PERMISSION_DENIED', {
    sentence: `${file} on ${node.name} does not exist or cannot be read as ${node.user}. Name the sshd_config of this node in its settings, or permit sudo.`,
    short: 'sshd_config not readable',
    evidence,
    nextAction: editNode,
  })

/** Writing it anew would lose what it holds. */
export const fileNotReadWhole = (node: Named, file: string, evidence: readonly string[]): Diagnosis =>
  runCause('REMOTE_PERMISSION_DENIED', {
    sentence: `${file} on ${node.name} is there and cannot be read whole, so it is not written over. Look at it there: it may be very large, or no file.`,
    short: 'file not readable',
    evidence,
    nextAction: terminal,
  })

/** `sshd -t` said no. `ours`: to what we would have written; otherwise to what lies there already. */
export const sshdConfigRefused = (node: Named, evidence: readonly string[], ours: boolean): Diagnosis =>
  runCause('SSHD_CONFIG_REFUSED', {
    sentence: ours
      ? `sshd of ${node.name} refuses the new configuration, so nothing was changed: ${evidence[0] ?? 'it gave no reason'}.`
      : `The sshd configuration of ${node.name} is broken already, and a reload would end its sshd: ${evidence[0] ?? 'sshd -t gave no reason'}. Correct it there first.`,
    short: ours ? 'sshd refuses change' : 'sshd_config is broken',
    evidence,
    nextAction: terminal,
  })

export const sshdNotReloaded = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('SSHD_CONFIG_REFUSED', {
    sentence: `sshd of ${node.name} did not take the new configuration, so the old one was put back: ${evidence[0] ?? 'it gave no reason'}.`,
    short: 'sshd not reloaded',
    evidence,
    nextAction: terminal,
  })

export const noReload = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('SSHD_CONFIG_REFUSED', {
    sentence: `It is not known how sshd of ${node.name} is told to read its configuration again: ${evidence[0] ?? 'neither a unit nor a process was found'}. Say it in the settings of the node.`,
    short: 'no way to reload',
    evidence,
    nextAction: editNode,
  })

export const putBackFailed = (node: Named, backup: string, evidence: readonly string[]): Diagnosis =>
  runCause('SSHD_CONFIG_REFUSED', {
    sentence: `A change of sshd on ${node.name} failed, and putting back failed too. What was there before lies in ${backup}; "sh restore.sh" in there puts it back.`,
    short: 'put back failed',
    evidence,
    nextAction: terminal,
  })

export const optionOverridden = (
  node: Named,
  option: { readonly name: string; readonly wanted: string; readonly found: string },
): Diagnosis =>
  runCause('SSHD_CONFIG_REFUSED', {
    sentence: `sshd of ${node.name} obeys another ${option.name} than ours: ${option.found === '' ? 'none' : option.found}. A Match block or an included file wins over it; correct that on the node.`,
    short: 'another setting wins',
    evidence: [`wanted: ${option.name} ${option.wanted}`, `sshd -T says: ${option.name} ${option.found}`],
    nextAction: terminal,
  })

export const changedMeanwhile = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('CONFLICT', {
    sentence: `Somebody else changed sshd of ${node.name} at the same moment, so nothing was done. Try again.`,
    short: 'changed meanwhile',
    evidence,
    transient: true,
  })

/** `state`: what the node is left with. */
export const loginNotProven = (
  node: Named,
  state: 'put-back' | 'put-back-by-node' | 'unknown',
  evidence: readonly string[],
): Diagnosis => {
  const outcome = {
    'put-back': 'Everything was put back to what it was before.',
    'put-back-by-node': 'The node has put everything back by itself, since nobody confirmed the change in time.',
    unknown: 'The node cannot be asked any more; it puts everything back by itself when the deadline has passed.',
  }[state]
  return runCause('LOGIN_NOT_PROVEN', {
    sentence: `Under the new rules a fresh login to ${node.name} did not succeed: ${evidence[0] ?? 'no reason was given'} ${outcome}`,
    short: 'login not proven',
    evidence,
    nextAction: { kind: 'run-doctor', label: 'Find the cause' },
  })
}

export const revocationNotProven = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('REVOCATION_NOT_PROVEN', {
    sentence: `${node.name} let in a certificate that is revoked. Its sshd does not obey the list: look at RevokedKeys there, and at what includes or Match blocks say.`,
    short: 'revoked got in',
    evidence,
    nextAction: { kind: 'deliver-krl', label: 'Deliver the list again' },
  })

export const incompleteAnswer = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('REMOTE_COMMAND_FAILED', {
    sentence: `${node.name} did not answer to the end while its sshd was looked at or changed. Trying again is safe.`,
    short: 'answer cut off',
    evidence,
    transient: true,
  })
