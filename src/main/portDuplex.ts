import type { MessagePortMain } from 'electron'

/** A channel of whole terminal frames; the shape that the engine's `attachTerminal` takes. */
export interface FrameDuplex {
  send(bytes: Uint8Array): void
  onMessage(listener: (bytes: Uint8Array) => void): void
  onClose(listener: () => void): void
  close(): void
}

/** Anything else than bytes on a terminal port is somebody's mistake: the port is closed. */
export function duplexOverPort(port: MessagePortMain): FrameDuplex {
  let listener: (bytes: Uint8Array) => void = () => undefined
  port.on('message', ({ data }) => {
    const bytes = toBytes(data)
    if (bytes === null) port.close()
    else listener(bytes)
  })
  return {
    send: (bytes) => port.postMessage(bytes),
    onMessage: (next) => {
      listener = next
      port.start()
    },
    onClose: (closed) => port.once('close', closed),
    close: () => port.close(),
  }
}

/** @returns null for what is not bytes */
export function toBytes(data: unknown): Uint8Array | null {
  if (data instanceof Uint8Array) return data
  return data instanceof ArrayBuffer ? new Uint8Array(data) : null
}
