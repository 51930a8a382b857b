import { describe, expect, it } from 'vitest'
import { CommandCut, runCommand } from './command.ts'
import type { SshConnection } from './connection.ts'

/** Its other side has ended it, and its own end was not told yet: ssh2 takes no command any more. */
function halfClosed(): { readonly connection: SshConnection; readonly isDestroyed: () => boolean } {
  let destroyed = false
  const client = {
    exec: () => {
      throw new Error('Not connected')
    },
  }
  const connection = {
    client,
    bytesReceived: 0,
    get closed() {
      return destroyed
    },
    onClosed: () => () => undefined,
    destroy: () => {
      destroyed = true
    },
  } as unknown as SshConnection
  return { connection, isDestroyed: () => destroyed }
}

describe('a command on a connection that takes none any more', () => {
  it('U32 was never sent, and nobody is given this connection again', async () => {
    const { connection, isDestroyed } = halfClosed()
    const run = runCommand(connection, 'true', { signal: new AbortController().signal })
    const thrown = await run.catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(CommandCut)
    expect(thrown).toMatchObject({ neverSent: true })
    expect(isDestroyed()).toBe(true)
    expect(connection.closed).toBe(true)
  })
})
