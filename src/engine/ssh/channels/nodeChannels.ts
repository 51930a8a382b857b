import { BrokenReply, ReplyReader, type WireReply } from '../../../core/channel/answers.ts'
import { printable } from '../../../core/printable.ts'
import type { Clock } from '../../../platform/clock.ts'
import { AppError } from '../../../shared/errors.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { NodeChannels, NodeExchange, NodeOrder, RemoteCommandResult, SshPool } from '../../ports.ts'
import { bootCommand, shellBoot } from './bootstrap.ts'
import { type PreparedExchange, prepareExchange } from './wire.ts'

interface NodeChannelsDependencies {
  readonly sshPool: SshPool
  readonly clock: Clock
}

type ExchangeOptions = Parameters<NodeChannels['exchange']>[2]

/** A file comes back whole, and scripts print. */
const mostOutputBytes = 40 * 1024 * 1024

export function createNodeChannels({ sshPool }: NodeChannelsDependencies): NodeChannels {
  return {
    exchange: (node, orders, options) => exchangeByExec(sshPool, node, { orders, options }),
    openChannels: () => 0,
    close: async () => undefined,
  }
}

async function exchangeByExec(
  sshPool: SshPool,
  node: FleetNode,
  { orders, options }: { readonly orders: readonly NodeOrder[]; readonly options: ExchangeOptions },
): Promise<NodeExchange> {
  const prepared = prepareExchange(orders, false)
  const login = await sshPool.login(node, options)
  const stdin = Buffer.concat([shellBoot, ...prepared.pieces])
  const result = await sshPool.exec(node, bootCommand, { ...options, stdin, maxOutputBytes: mostOutputBytes })
  const answers = prepared.answers(replyFrom(prepared, result))
  return { answers, login, via: 'exec', bytes: stdin.length + result.stdout.length + result.stderr.length }
}

function replyFrom(prepared: PreparedExchange, result: RemoteCommandResult): WireReply {
  const reader = new ReplyReader(prepared.nonce, prepared.sent)
  try {
    const reply = reader.push(result.stdout)
    if (reply !== null) return reply
  } catch (thrown) {
    if (!(thrown instanceof BrokenReply)) throw thrown
    throw new AppError('REMOTE_COMMAND_FAILED', `The node's answer cannot be used: ${thrown.message}.`)
  }
  const said = printable(`${reader.noise}\n${Buffer.from(result.stderr).toString('utf8')}`.trim()).slice(0, 500)
  throw new AppError('SHELL_REFUSED', `The shell of the node ended (${result.exitCode}) without an answer: ${said}`, {
    data: { exitCode: result.exitCode },
  })
}
