/**
 * Frames of the raw terminal channel (MessagePort or binary WebSocket): one type byte, then the payload.
 * Client to engine: input bytes, an acknowledgement of received output bytes, a resize.
 * Engine to client: output bytes, the exit code. Numbers are big-endian.
 */
export type TerminalFrame =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'acknowledge'; readonly sizeBytes: number }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'exit'; readonly exitCode: number }

const frameType = { data: 0, acknowledge: 1, resize: 2, exit: 3 } as const

export function encodeTerminalFrame(frame: TerminalFrame): Uint8Array<ArrayBuffer> {
  if (frame.kind === 'data') {
    const out = new Uint8Array(1 + frame.bytes.length)
    out[0] = frameType.data
    out.set(frame.bytes, 1)
    return out
  }
  const out = new Uint8Array(5)
  const view = new DataView(out.buffer)
  out[0] = frameType[frame.kind]
  if (frame.kind === 'acknowledge') view.setUint32(1, frame.sizeBytes)
  if (frame.kind === 'exit') view.setInt32(1, frame.exitCode)
  if (frame.kind === 'resize') {
    view.setUint16(1, frame.columns)
    view.setUint16(3, frame.rows)
  }
  return out
}

/** @returns null for bytes that are no frame: the channel is then closed by the receiver. */
export function decodeTerminalFrame(input: Uint8Array): TerminalFrame | null {
  const type = input[0]
  if (type === frameType.data) return { kind: 'data', bytes: input.subarray(1) }
  if (input.length !== 5) return null
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  if (type === frameType.acknowledge) return { kind: 'acknowledge', sizeBytes: view.getUint32(1) }
  if (type === frameType.exit) return { kind: 'exit', exitCode: view.getInt32(1) }
  if (type === frameType.resize) return { kind: 'resize', columns: view.getUint16(1), rows: view.getUint16(3) }
  return null
}
