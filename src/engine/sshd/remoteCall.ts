import { randomBytes } from 'node:crypto'
import { incompleteAnswer, sudoRefused } from '../../core/sshd/causes.ts'
import { remoteScript, shellQuote } from '../../core/transfer/remoteShell.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SshPool } from '../ports.ts'
import { sshdFailure } from './failure.ts'
import { prelude } from './shell.ts'

export interface SshdCall {
  /** POSIX sh. Answers with `say KEY VALUE`; reads `data` from its standard input. */
  readonly script: string
  readonly data?: Uint8Array
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** What a script on the node said; every value may hold any bytes. */
export interface SshdAnswer {
  has(key: string): boolean
  text(key: string): string
  bytes(key: string): Buffer
  /** Lines of the text that say something. */
  lines(key: string): string[]
}

/**
 * Runs a script as the user that may change sshd: root, or through sudo where the node's settings say so. Its answers
 * carry a nonce that travels on standard input only, so that no banner and no start file of a shell can forge one.
 *
 * @throws AppError with a diagnosis: SUDO_REFUSED, REMOTE_COMMAND_FAILED when the answer has no end, or why the node
 * cannot be reached
 */
export async function callSshd(
  pool: Pick<SshPool, 'exec'>,
  node: FleetNode,
  { script, data, timeoutMs, signal }: SshdCall,
): Promise<SshdAnswer> {
  const nonce = `lockstep-${randomBytes(16).toString('hex')}`
  const inner = `${prelude(nonce)}\n${script}\nprintf '\\n%s end 00\\n' "$N"\n`
  const call = remoteScript(outerScript(inner, { nonce, sudo: node.sshd.sudo }), joined(inner, data))
  const result = await pool.exec(node, call.command, {
    stdin: call.stdin,
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  })
  const answers = readAnswers(Buffer.from(result.stdout).toString('latin1'), nonce)
  if (answers.has('end')) return toAnswer(answers)
  const complaints = linesOf(Buffer.from(result.stderr).toString('utf8')).slice(-20)
  const sudoSpoke = answers.has('sudo') && !answers.has('begin')
  throw sshdFailure(
    sudoSpoke
      ? sudoRefused(node, complaints)
      : incompleteAnswer(node, [...complaints, `exit code ${result.exitCode ?? 'none'}`]),
  )
}

/** Everything that the environment knows of the login is handed over by hand: sudo forgets it. */
function outerScript(inner: string, { nonce, sudo }: { readonly nonce: string; readonly sudo: string }): string {
  const body = `eval "$(dd bs=1 count=${Buffer.byteLength(inner)} 2>/dev/null)"`
  return [
    `case $(id -u):${sudo} in`,
    `0:*|*:never) set -- "$HOME" "$SSH_CONNECTION"; ${body} ;;`,
    `*) printf '\\n%s sudo 00\\n' ${shellQuote(nonce)}`,
    `exec sudo -n /bin/sh -c ${shellQuote(body)} lockstep "$HOME" "$SSH_CONNECTION" ;;`,
    'esac',
  ].join('\n')
}

function joined(inner: string, data: Uint8Array | undefined): Uint8Array {
  return Buffer.concat([Buffer.from(inner), data ?? new Uint8Array()])
}

function readAnswers(output: string, nonce: string): Map<string, Buffer> {
  const answers = new Map<string, Buffer>()
  for (const line of output.split('\n')) {
    if (!line.startsWith(`${nonce} `)) continue
    const match = /^([a-z0-9.-]+) ((?:[0-9a-f]{2})*)$/.exec(line.slice(nonce.length + 1))
    if (match !== null) answers.set(match[1] ?? '', Buffer.from(match[2] ?? '', 'hex'))
  }
  return answers
}

function toAnswer(answers: ReadonlyMap<string, Buffer>): SshdAnswer {
  const bytes = (key: string): Buffer => answers.get(key) ?? Buffer.alloc(0)
  return {
    has: (key) => answers.has(key),
    bytes,
    text: (key) => bytes(key).toString('utf8').trim(),
    lines: (key) => linesOf(bytes(key).toString('utf8')),
  }
}

function linesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim())
    .filter((line) => line !== '')
}
