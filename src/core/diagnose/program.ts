import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { findHostKeyComplaint, sshFailureOf } from '../parse/ssh.ts'
import { diagnoseConnection, printable } from './connection.ts'
import type { ConnectEvidence, DiagnosedNode, ProgramEvidence } from './evidence.ts'
import { type Cause, cause } from './sentences.ts'

/** One cause for a program that ended badly: `ssh`, `rsync` over ssh, or a command on the node. */
export function diagnoseProgram(node: DiagnosedNode, evidence: ProgramEvidence): Diagnosis {
  const lines = stderrLines(evidence.stderr)
  return remoteCause(node, evidence, lines) ?? sshCause(node, evidence, lines) ?? commandFailed(node, evidence, lines)
}

interface RemotePattern {
  readonly code: Cause
  readonly pattern: RegExp
  sentence(node: DiagnosedNode, program: string): string
}

/** In order: what stands first explains what stands behind it. */
const remotePatterns: readonly RemotePattern[] = [
  {
    code: 'REMOTE_DISK_FULL',
    pattern: /No space left on device|Disk quota exceeded|\(28\)$/i,
    sentence: (node) => `The disk of ${node.name} is full. Make room there, then try again.`,
  },
  {
    code: 'REMOTE_READ_ONLY',
    pattern: /Read-only file system/i,
    sentence: (node) => `The file system of ${node.name} is read-only. Remount it for writing, then try again.`,
  },
  {
    code: 'REMOTE_PROGRAM_MISSING',
    pattern: /(?:command not found|: not found|No such file or directory.*exec|executable not found)/i,
    sentence: (node, program) => `${node.name} has no ${program}. Install it there, then try again.`,
  },
  {
    code: 'SHELL_REFUSED',
    pattern:
      /account is currently not available|This account is disabled|exec request failed|protocol version mismatch -- is your shell clean/i,
    sentence: (node) =>
      `${node.name} let us in but runs no commands for ${node.user}: its shell refuses or prints text of its own. Log in as a user with a plain shell.`,
  },
  {
    code: 'REMOTE_PERMISSION_DENIED',
    pattern:
      /(?:Permission denied|Operation not permitted)(?! \((?:publickey|password|keyboard|gssapi|hostbased|none))/i,
    sentence: (node) =>
      `${node.user} may not write there on ${node.name}. Give it the permission, or use another target.`,
  },
  {
    code: 'REMOTE_PATH_INVALID',
    pattern: /(?:mkdir|change_dir|chdir|cd).*(?:No such file or directory|Not a directory)/i,
    sentence: (node) => `The target directory cannot be used on ${node.name}. Correct the path.`,
  },
]

function remoteCause(node: DiagnosedNode, evidence: ProgramEvidence, lines: readonly string[]): Diagnosis | null {
  if (evidence.exitCode === 127 && evidence.program !== 'ssh') return programMissing(node, evidence, lines)
  const ours = lines.filter((line) => line.includes('[sender]'))
  const theirs = lines.filter((line) => !line.includes('[sender]'))
  return theirCause(node, evidence, theirs) ?? sourceCause(ours, lines)
}

/** What rsync says as the sender happened on this machine: we push (S1.1). */
function sourceCause(ours: readonly string[], lines: readonly string[]): Diagnosis | null {
  const missing = ours.filter((line) => /change_dir.*No such file or directory/i.test(line))
  if (missing.length > 0) {
    const sentence =
      'The source directory is not there on this machine, so nothing was sent. Correct the path of the plan.'
    return cause('SOURCE_MISSING', sentence, { evidence: [...missing, ...lines] })
  }
  const unreadable = ours.filter((line) => /Permission denied|Operation not permitted/i.test(line))
  if (unreadable.length === 0) return null
  const sentence =
    'Some files of the source cannot be read on this machine, so the transfer is not complete. Correct their permissions here.'
  return cause('TRANSFER_INCOMPLETE', sentence, { evidence: [...unreadable, ...lines] })
}

function theirCause(node: DiagnosedNode, evidence: ProgramEvidence, lines: readonly string[]): Diagnosis | null {
  for (const { code, pattern, sentence } of remotePatterns) {
    const telling = lines.filter((line) => pattern.test(line))
    if (telling.length === 0) continue
    if (code === 'REMOTE_PROGRAM_MISSING') return programMissing(node, evidence, telling)
    return cause(code, sentence(node, evidence.program), { evidence: [...telling, ...lines] })
  }
  return null
}

function programMissing(node: DiagnosedNode, evidence: ProgramEvidence, lines: readonly string[]): Diagnosis {
  const named = lines
    .map((line) => /([\w./-]+): (?:command )?not found/.exec(line)?.[1])
    .find((name) => name !== undefined)
  const program = named ?? evidence.program
  return cause('REMOTE_PROGRAM_MISSING', `${node.name} has no ${program}. Install it there, then try again.`, {
    evidence: lines,
    short: `no ${program}`.slice(0, 24),
  })
}

function sshCause(node: DiagnosedNode, evidence: ProgramEvidence, lines: readonly string[]): Diagnosis | null {
  const failure = sshFailureOf(lines)
  if (failure === null) return evidence.exitCode === 255 ? lost(node, evidence, lines) : null
  const hostKey = findHostKeyComplaint(lines)
  const connect: ConnectEvidence = {
    stage: failure.stage,
    nowMs: evidence.nowMs,
    message: failure.line,
    ...(failure.errno === undefined ? {} : { errno: failure.errno }),
    ...(hostKey === null ? {} : { hostKey }),
    ...(evidence.certificate === undefined ? {} : { certificate: evidence.certificate }),
    ...(evidence.clockSkewMs === undefined ? {} : { clockSkewMs: evidence.clockSkewMs }),
  }
  return diagnoseConnection(node, connect)
}

function lost(node: DiagnosedNode, evidence: ProgramEvidence, lines: readonly string[]): Diagnosis {
  return cause(
    'CONNECTION_LOST',
    `The connection to ${node.name} was lost while ${evidence.program} was running. Trying again is safe.`,
    { evidence: lines },
  )
}

function commandFailed(node: DiagnosedNode, evidence: ProgramEvidence, lines: readonly string[]): Diagnosis {
  const how = evidence.exitCode === null ? 'was ended by a signal' : `ended with exit code ${evidence.exitCode}`
  return cause(
    'REMOTE_COMMAND_FAILED',
    `${evidence.program} on ${node.name} ${how}${lines[0] === undefined ? '' : `: ${lines[0]}`}.`,
    { evidence: lines },
  )
}

const mostLines = 20

function stderrLines(stderr: string): string[] {
  return stderr
    .split(/\r?\n/)
    .map(printable)
    .filter((line) => line !== '')
    .slice(-mostLines)
}
