import type { Diagnosis } from '../../shared/model/diagnosis.ts'

/** Why the private key file of a node cannot be used. Nothing in it comes from inside the file. */
export type StaticKeyProblem =
  | { readonly kind: 'missing' | 'not-a-file' | 'passphrase' | 'not-a-key' }
  /** Permission bits, e.g. 0o644. */
  | { readonly kind: 'open-to-others'; readonly mode: number }
  | { readonly kind: 'unreadable'; readonly errno: string }

interface KeyFileOf {
  /** Of the node. */
  readonly name: string
  readonly keyFile: string
}

/**
 * One cause for a static key that cannot be used: it lies on this machine, so the node is not to blame and trying
 * again helps only after somebody has acted.
 */
export function diagnoseStaticKey({ name, keyFile }: KeyFileOf, problem: StaticKeyProblem): Diagnosis {
  const { why, next, short, evidence } = wordsOf(keyFile, problem)
  return {
    code: 'PRECONDITION_FAILED',
    sentence: `We cannot log in to ${name}: its private key ${keyFile} on this machine ${why}. ${next}`,
    short,
    evidence: [`key file: ${keyFile}`, ...evidence],
    nextAction: { kind: 'resync', label: 'Try again' },
    transient: false,
  }
}

interface Words {
  readonly why: string
  readonly next: string
  readonly short: string
  readonly evidence: readonly string[]
}

function wordsOf(keyFile: string, problem: StaticKeyProblem): Words {
  switch (problem.kind) {
    case 'missing':
      return {
        why: 'does not exist',
        next: 'Put the key there, name another file, or move the node to certificates.',
        short: 'key file missing',
        evidence: [],
      }
    case 'not-a-file':
      return { why: 'is not a file', next: 'Name the private key itself.', short: 'key file unusable', evidence: [] }
    case 'unreadable':
      return {
        why: `cannot be read (${problem.errno})`,
        next: 'Let the user that the engine runs as own the file.',
        short: 'key file not readable',
        evidence: [`error ${problem.errno}`],
      }
    case 'open-to-others':
      return {
        why: 'can be read or changed by other users',
        next: `Take that away with: chmod 600 ${keyFile}. If others had access to this machine, replace the key.`,
        short: 'key file too open',
        evidence: [`mode ${problem.mode.toString(8).padStart(4, '0')}, at most 0600 is allowed`],
      }
    case 'passphrase':
      return {
        why: 'is protected by a passphrase, which nobody is there to type',
        next: 'Name a key without a passphrase that only the engine can read, or move the node to certificates.',
        short: 'key has a passphrase',
        evidence: [],
      }
    case 'not-a-key':
      return {
        why: 'is no private key that can be used',
        next: 'It has to be an Ed25519, ECDSA or RSA key as ssh-keygen writes it.',
        short: 'key file unusable',
        evidence: [],
      }
  }
}
