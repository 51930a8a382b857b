import type { ErrorCode } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { runCause } from '../run/causes.ts'

/*
 * Why what the registry says did not reach a node, or is not proven to be in force there, in words.
 */

interface Named {
  readonly name: string
  readonly user: string
}

/** The file a sentence is about: the routes of a VPS, or the hosts file of a laptop or worker. */
export interface DeliveredFile {
  readonly kind: 'routes' | 'hosts'
  readonly path: string
}

const terminal = { kind: 'open-terminal', label: 'Open a terminal' } as const
const editPlan = { kind: 'edit-plan', label: 'Edit the plan' } as const

/** What a node answered when it could not write or read. The words of the first line it said are in the evidence. */
export function deliveryRefused(
  node: Named,
  file: DeliveredFile,
  { code, evidence }: { readonly code: ErrorCode; readonly evidence: readonly string[] },
): Diagnosis {
  if (code === 'REMOTE_PATH_INVALID' && evidence[0]?.includes('a link of another user') === true)
    return runCause(code, {
      sentence: `On the way to ${file.path} on ${node.name} lies a link that another user could have put there, which could lead root to any file. Name the file by where it really is, or give the link to root.`,
      short: 'link of another',
      evidence,
      nextAction: editPlan,
    })
  const words = refusals[code]
  if (words === undefined)
    return runCause(code, {
      sentence: `${file.path} on ${node.name} could not be written: ${evidence[0] ?? 'the node gave no reason'}. What lay there is untouched.`,
      short: 'not written',
      evidence,
      nextAction: terminal,
    })
  return runCause(code, { ...words(node, file), evidence })
}

type Refusal = (node: Named, file: DeliveredFile) => Omit<Parameters<typeof runCause>[1], 'evidence'>

const refusals: Partial<Record<ErrorCode, Refusal>> = {
  REMOTE_PATH_INVALID: (node, { kind, path }) => ({
    sentence:
      kind === 'routes'
        ? `The directory of ${path} is not there on ${node.name}. Is Traefik installed there, with this directory for its file provider? Make the directory, or correct the path in the plan.`
        : `The directory of ${path} is not there on ${node.name}, or it is no file. Correct the path in the plan.`,
    short: kind === 'routes' ? 'no Traefik directory' : 'path not found',
    nextAction: editPlan,
  }),
  REMOTE_PERMISSION_DENIED: (node, { kind, path }) => ({
    sentence:
      kind === 'routes'
        ? `${node.user} may not write ${path} on ${node.name}. Give it the directory, e.g. with chown, or log in as the user it belongs to.`
        : `${node.user} may not write ${path} on ${node.name}, and sudo was not used. Permit sudo without a password there, or log in as root.`,
    short: 'permission denied',
    nextAction: terminal,
  }),
  SUDO_REFUSED: (node, { path }) => ({
    sentence: `${node.user} may not write ${path} on ${node.name}, and sudo lets it do nothing without a password. Put the line "${node.user} ALL=(root) NOPASSWD: /bin/sh" into /etc/sudoers.d/lockstep there, or log in as root.`,
    short: 'sudo refused',
    nextAction: terminal,
  }),
  REMOTE_FILE_IMMUTABLE: (node, { path }) => ({
    sentence: `${path} on ${node.name} is marked immutable, so that even root may not change it. Somebody did that on purpose: ask, then run "chattr -i ${path}" there.`,
    short: 'file is immutable',
    nextAction: terminal,
  }),
  REMOTE_DISK_FULL: (node, { path }) => ({
    sentence: `The disk that holds ${path} on ${node.name} is full; the old file is still whole. Make room there, then try again.`,
    short: 'disk full',
    nextAction: terminal,
  }),
  REMOTE_READ_ONLY: (node, { path }) => ({
    sentence: `The file system that holds ${path} on ${node.name} is read-only. Remount it for writing, then try again.`,
    short: 'disk is read-only',
    nextAction: terminal,
  }),
}

/** Somebody else writes the file again and again while we look. */
export const fileKeepsChanging = (node: Named, path: string, rounds: number): Diagnosis =>
  runCause('REMOTE_FILE_CHANGED', {
    sentence: `Something on ${node.name} keeps changing ${path}: it was another file each of the ${rounds} times it was to be replaced, and was left alone. Find out what writes there.`,
    short: 'file keeps changing',
    nextAction: terminal,
    transient: true,
  })

export const hostsFileUnreadable = (node: Named, path: string, flaw: string): Diagnosis =>
  runCause('HOSTS_FILE_UNREADABLE', {
    sentence: `${path} on ${node.name} does not read as a hosts file, so it was left as it is: ${flaw}. Look at it there and repair it first.`,
    short: 'hosts file damaged',
    evidence: [flaw],
    nextAction: terminal,
  })

/** A new one would hold our lines alone, which no machine can live with; more likely the path is wrong. */
export const hostsFileMissing = (node: Named, path: string): Diagnosis =>
  runCause('REMOTE_PATH_INVALID', {
    sentence: `${path} is not there on ${node.name}. Correct the path in the plan, or make the file there with the lines the node needs for itself.`,
    short: 'no hosts file',
    nextAction: editPlan,
  })

/** The file is in its place, and is of no use: nobody serves it (S1.76). */
export const traefikNotRunning = (node: Named, why: string, evidence: readonly string[]): Diagnosis =>
  runCause('TRAEFIK_NOT_RUNNING', {
    sentence: `The routes lie on ${node.name}, but Traefik does not run there: ${why.replace(/[.?!]+$/, '')}. Start it, e.g. "cd ~/traefik && docker compose up -d", then try again.`,
    short: 'Traefik not running',
    evidence,
    nextAction: terminal,
  })

export const traefikUnknown = (node: Named, program: string, evidence: readonly string[]): Diagnosis =>
  runCause('REMOTE_PROGRAM_MISSING', {
    sentence: `The routes lie on ${node.name}, but it has no ${program}, so nobody can say whether Traefik runs. Install it, or choose another way to check Traefik in the plan.`,
    short: `no ${program}`.slice(0, 24),
    evidence,
    nextAction: editPlan,
  })

export const traefikHidden = (node: Named, program: string, evidence: readonly string[]): Diagnosis =>
  runCause('REMOTE_PERMISSION_DENIED', {
    sentence: `The routes lie on ${node.name}, but ${node.user} may not ask ${program} whether Traefik runs. Put it into the group of ${program} there, or choose another way to check Traefik in the plan.`,
    short: `may not use ${program}`,
    evidence,
    nextAction: terminal,
  })

/** The file is in its place and Traefik runs, but serves something else (S1.107). */
export const traefikNotListing = (node: Named, what: string, evidence: readonly string[]): Diagnosis =>
  runCause('TRAEFIK_NOT_LISTING', {
    sentence: `Traefik on ${node.name} runs but has not taken the routes: ${what}. Does its file provider watch that directory? "docker logs traefik" says what it thinks of the file.`,
    short: 'routes not taken',
    evidence,
    nextAction: terminal,
  })

export const traefikNotRestarted = (node: Named, evidence: readonly string[]): Diagnosis =>
  runCause('REMOTE_COMMAND_FAILED', {
    sentence: `The routes lie on ${node.name}, but Traefik could not be restarted to read them: ${evidence[0] ?? 'docker compose gave no reason'}.`,
    short: 'restart failed',
    evidence,
    nextAction: terminal,
  })

/** The program on the node that was to take the registry (S1.45, S1.53). */
export const receiverFailed = (
  node: Named,
  {
    file,
    exitCode,
    evidence,
  }: { readonly file: string; readonly exitCode: number; readonly evidence: readonly string[] },
): Diagnosis =>
  runCause('RECEIVER_FAILED', {
    sentence: `${file} on ${node.name} ended with exit code ${exitCode}: ${evidence.at(-1) ?? 'it gave no reason'}.`,
    short: 'receiver script failed',
    evidence,
    nextAction: terminal,
  })

export const receiverMissing = (node: Named, file: string, isThere: boolean): Diagnosis =>
  runCause('RECEIVER_FAILED', {
    sentence: isThere
      ? `${file} on ${node.name} may not be executed by ${node.user}. Run "chmod +x ${file}" there.`
      : `${file} is not there on ${node.name}. Install the receiver script there, or let the plan write the file itself.`,
    short: isThere ? 'script not executable' : 'no receiver script',
    nextAction: isThere ? terminal : editPlan,
  })

/** It ended with 0, but what it should have written is not there (S1.46, S1.55). */
export const receiverWroteOther = (node: Named, file: string, differences: readonly string[]): Diagnosis =>
  runCause('VERIFY_MISMATCH', {
    sentence: `The receiver script on ${node.name} ended well, but ${file} is not what the registry says: ${differences[0] ?? 'it differs'}${differences.length > 1 ? `, and ${differences.length - 1} more` : ''}.`,
    short: 'script wrote otherwise',
    evidence: differences,
    nextAction: terminal,
  })

/** What was read back is not what was sent, in spite of what the node said. */
export const deliveredDiffers = (node: Named, path: string, evidence: readonly string[]): Diagnosis =>
  runCause('VERIFY_MISMATCH', {
    sentence: `What was read back from ${path} on ${node.name} is not what was sent. Something else writes there, or its disk fails.`,
    short: 'content differs',
    evidence,
    transient: true,
  })

/** Our own mistake, found before anything left this machine. */
export const renderedWrong = (planName: string, flaw: string): Diagnosis =>
  runCause('INTERNAL', {
    sentence: `The routes of the plan "${planName}" were rendered wrong and were not sent anywhere: ${flaw}.`,
    short: 'routes not valid',
  })
