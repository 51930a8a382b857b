import { createHash, randomBytes } from 'node:crypto'
import { BrokenReply, type WireReply } from '../../../core/channel/answers.ts'
import { encodeRequest, pathFault, scriptEnd, type WireOrder } from '../../../core/channel/request.ts'
import { AppError } from '../../../shared/errors.ts'
import type { FileState, NodeAnswer, NodeOrder } from '../../ports.ts'

/** More than this is not sent: it is held in memory on both sides. */
const mostRequestBytes = 16 * 1024 * 1024

const nothing = new Uint8Array()

/** One exchange on its way: what is sent, and how the answers to it are put back in the order of what was asked. */
export interface PreparedExchange {
  readonly nonce: string
  readonly pieces: readonly Uint8Array[]
  readonly sizeBytes: number
  /** How many answers a worker owes us. */
  readonly sent: number
  /** @throws BrokenReply when content and digest do not agree */
  answers(reply: WireReply): readonly NodeAnswer[]
}

export interface ExchangeWishes {
  /** The worker is to say what time it is. */
  readonly askClock: boolean
  /** The orders were given before, and nobody knows how far that got: scripts after a change run in any case. */
  readonly again?: boolean
}

/**
 * @throws AppError PAYLOAD_TOO_LARGE for more than 16 MiB; nothing was sent then
 */
export function prepareExchange(orders: readonly NodeOrder[], wishes: ExchangeWishes): PreparedExchange {
  const { askClock, again = false } = wishes
  const checked = orders.map((order) => refusalOf(order) ?? wireOrder(order, again))
  const wanted = checked.filter((order) => order.kind !== 'refused')
  const random = randomBytes(22).toString('hex')
  const nonce = random.slice(0, 32)
  const pieces = encodeRequest(wanted, { nonce, tag: random.slice(32), askClock })
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (sizeBytes > mostRequestBytes)
    throw new AppError(
      'PAYLOAD_TOO_LARGE',
      `${sizeBytes} bytes are more than a node is given at once (${mostRequestBytes}); nothing was sent.`,
      { data: { sizeBytes, mostRequestBytes } },
    )
  return {
    nonce,
    pieces,
    sizeBytes,
    sent: wanted.length,
    answers: (reply) => {
      let next = 0
      return checked.map((order): NodeAnswer => {
        if (order.kind === 'refused') return order
        const answer = reply.answers[next] as NodeAnswer
        next += 1
        return trusted(order, answer)
      })
    },
  }
}

const answersTo: Readonly<Record<WireOrder['kind'], readonly NodeAnswer['kind'][]>> = {
  read: ['same', 'content', 'refused'],
  replace: ['same', 'content', 'replaced', 'refused'],
  run: ['ran', 'skipped', 'refused'],
}

/** Content is what its digest says, and no order gets the answer of another. */
function trusted(order: WireOrder, answer: NodeAnswer): NodeAnswer {
  if (!answersTo[order.kind].includes(answer.kind))
    throw new BrokenReply(`"${answer.kind}" is no answer to "${order.kind}"`)
  if (answer.kind === 'content' && answer.content !== null && stateOf(answer.content) !== answer.state)
    throw new BrokenReply('the content of a file and its digest do not agree: it was changed while it was read')
  return answer
}

function refusalOf(order: NodeOrder): (NodeAnswer & { readonly kind: 'refused' }) | null {
  if (order.kind === 'run') return null
  const fault = pathFault(order.path)
  return fault === null ? null : { kind: 'refused', code: 'REMOTE_PATH_INVALID', evidence: [`${order.path}: ${fault}`] }
}

function wireOrder(order: NodeOrder, again: boolean): WireOrder {
  const sudo = order.sudo === true
  switch (order.kind) {
    case 'read':
      return { kind: 'read', path: order.path, unlessState: order.unlessState ?? null, sudo }
    case 'replace': {
      const { kind, path, ifState, content, makeDirectory = false } = order
      return { kind, path, ifState, makeDirectory, content, wantedState: stateOf(content), sudo }
    }
    case 'run': {
      const afterChange = order.when === 'after-change' && !again
      return {
        kind: 'run',
        script: Buffer.from(`${order.script}${scriptEnd}`),
        stdin: order.stdin ?? nothing,
        afterChange,
        sudo,
      }
    }
  }
}

/** The same bytes go to many nodes. */
const states = new WeakMap<Uint8Array, FileState>()

function stateOf(content: Uint8Array): FileState {
  const known = states.get(content)
  if (known !== undefined) return known
  const state = createHash('sha256').update(content).digest('hex')
  states.set(content, state)
  return state
}
