import { remoteScript } from '../../core/transfer/remoteShell.ts'
import { AppError } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { NodeChannels, RemoteCommandOptions, RemoteCommandResult, SshPool } from '../ports.ts'

export interface ScriptRequest extends Pick<RemoteCommandOptions, 'timeoutMs' | 'maxOutputBytes' | 'signal'> {
  /** For `sh`. */
  readonly script: string
  /** Its standard input. */
  readonly data?: Uint8Array
}

/** Runs a script on a node to its end; one that fails is a result. Rejects with what the way to the node throws. */
export type RunScript = (node: FleetNode, request: ScriptRequest) => Promise<RemoteCommandResult>

/** In a session of its own: whatever the login shell prints of its own accord is in the output. */
export const scriptsBySession =
  (pool: Pick<SshPool, 'exec'>): RunScript =>
  (node, { script, data, ...options }) => {
    const { command, stdin } = remoteScript(script, data)
    return pool.exec(node, command, { stdin, ...options })
  }

/**
 * By the shell that stands open to the node, which starts one process for it where a session starts five. Others wait
 * meanwhile: for what is done at once.
 */
export const scriptsByChannel =
  (channels: NodeChannels): RunScript =>
  async (node, { script, data, timeoutMs, signal }) => {
    const order = { kind: 'run', script, ...(data === undefined ? {} : { stdin: data }) } as const
    const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal }
    const [answer] = (await channels.exchange(node, [order], options)).answers
    if (answer?.kind === 'ran') return { ...answer, signal: null }
    const evidence = answer?.kind === 'refused' ? answer.evidence : []
    throw new AppError('REMOTE_COMMAND_FAILED', `${node.name} did not run what it was asked.`, { data: { evidence } })
  }
