/**
 * What a worker on a node reads (`engine/ssh/channels/shellWorker.ts`, `perlWorker.ts`): one line that opens the request,
 * then a line for each order, followed by as many bytes as the line announces. The answers carry the nonce of their
 * request, which no program on the node is ever told.
 */

/** One order as it travels; what it means is said by `NodeOrder` of the engine's ports. */
export type WireOrder =
  | { readonly kind: 'read'; readonly path: string; readonly unlessState: string | null; readonly sudo: boolean }
  | {
      readonly kind: 'replace'
      readonly path: string
      /** `any`, `missing` or a digest. */
      readonly ifState: string
      readonly makeDirectory: boolean
      /** Digest of `content`. */
      readonly wantedState: string
      readonly content: Uint8Array
      readonly sudo: boolean
    }
  | {
      readonly kind: 'run'
      /** Ends in {@link scriptEnd}. */
      readonly script: Uint8Array
      readonly stdin: Uint8Array
      readonly afterChange: boolean
      readonly sudo: boolean
    }

export interface WireRequest {
  /** 32 hexadecimal digits, never used before. */
  readonly nonce: string
  /** Ends the names of temporary files; hexadecimal. It shows in the file system, so it says nothing of the nonce. */
  readonly tag: string
  /** Whether the worker is to say what time it is. */
  readonly askClock: boolean
}

const encoder = new TextEncoder()

/** Ends every script on the way, so that one that was cut can be told. */
export const scriptEnd = '\n#end'

/** @returns the request in pieces, in their order; payloads are not copied. */
export function encodeRequest(orders: readonly WireOrder[], request: WireRequest): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let lines = `${request.nonce} ${request.tag} ${request.askClock ? 1 : 0} ${orders.length}\n`
  for (const order of orders) {
    lines += `${headerOf(order)}\n`
    const payloads = payloadsOf(order)
    if (payloads.length === 0) continue
    pieces.push(encoder.encode(lines), ...payloads)
    lines = ''
  }
  if (lines !== '') pieces.push(encoder.encode(lines))
  return pieces
}

/** Kind, sudo and length of what follows; then what belongs to the kind. */
function headerOf(order: WireOrder): string {
  const sudo = order.sudo ? 1 : 0
  switch (order.kind) {
    case 'read':
      return `r ${sudo} 0 ${encodePath(order.path)} ${order.unlessState ?? '-'} - -`
    case 'replace': {
      const { path, ifState, makeDirectory, wantedState, content } = order
      return `w ${sudo} ${content.length} ${encodePath(path)} ${ifState} ${makeDirectory ? 1 : 0} ${wantedState}`
    }
    case 'run': {
      const { script, stdin, afterChange } = order
      return `x ${sudo} ${script.length + stdin.length} ${script.length} ${afterChange ? 1 : 0} - -`
    }
  }
}

function payloadsOf(order: WireOrder): Uint8Array[] {
  const payloads = order.kind === 'replace' ? [order.content] : order.kind === 'run' ? [order.script, order.stdin] : []
  return payloads.filter((payload) => payload.length > 0)
}

/** One word: blanks, line ends and backslashes as `\0ooo`, which `printf %b` of every shell knows. */
function encodePath(path: string): string {
  return path.replace(/[\s\\]/g, (character) =>
    [...encoder.encode(character)].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join(''),
  )
}

const longestName = 200

/** Why no worker is asked for this path; null when it may be. */
export function pathFault(path: string): string | null {
  if (!path.startsWith('/') && !path.startsWith('~/')) return 'it is neither absolute nor below ~/'
  if (path.includes('\0')) return 'it holds a NUL'
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name === '' || name === '.' || name === '..') return 'it names a directory'
  return encoder.encode(name).length > longestName ? `its name is longer than ${longestName} bytes` : null
}
