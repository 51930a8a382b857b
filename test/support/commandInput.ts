import type { RemoteCommandOptions } from '../../src/engine/ports.ts'

/** All that a command is given on its standard input. */
export async function commandInput(stdin: RemoteCommandOptions['stdin']): Promise<Buffer> {
  if (typeof stdin !== 'function') return Buffer.from(stdin ?? '')
  const pieces: Uint8Array[] = []
  for await (const piece of stdin()) pieces.push(piece)
  return Buffer.concat(pieces)
}
