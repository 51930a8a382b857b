import { connect } from 'node:net'

/** `greeted`: a server said something; `refused`: it was said at once that there is none; `silent`: nothing came in time. */
export type KnockAnswer = 'greeted' | 'refused' | 'silent'

/**
 * Whether a server greets at this address, as SSH servers do first of all. Takes one socket and nothing else, so that
 * many addresses where nobody answers can be tried beside other work.
 */
export function knock(
  { address, port }: { readonly address: string; readonly port: number },
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<KnockAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port })
    const timer = setTimeout(() => end('silent'), timeoutMs)
    timer.unref()
    const onAbort = (): void => end('silent')
    const end = (answer: KnockAnswer): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', () => end('greeted'))
    socket.once('end', () => end('refused'))
    socket.on('error', (error: NodeJS.ErrnoException) => end(noWay.has(error.code ?? '') ? 'silent' : 'refused'))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
  })
}

const noWay = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'])
