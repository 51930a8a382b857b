import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectEngine, type EngineConnection } from '../../../src/daemon/connect.ts'
import { connectSocket, type SocketClient } from '../../../src/daemon/socketClient.ts'
import { acquireHomeLock } from '../../../src/platform/homeLock.ts'
import { type HomePaths, homePaths, prepareHome } from '../../../src/platform/paths.ts'

let home: HomePaths

beforeEach(async () => {
  home = homePaths(await mkdtemp(join(tmpdir(), 'ls-embedded-')))
})
afterEach(() => rm(home.home, { recursive: true, force: true }))

const embed = (): Promise<EngineConnection> =>
  connectEngine({ home, whenUnowned: 'embed', work: false, passphrase: {}, version: 'test' })

async function guestOf(place: HomePaths): Promise<SocketClient> {
  const guest = await connectSocket(place)
  if (guest === null) throw new Error('nobody listens')
  return guest
}

/** Answers each connection in turn as it is told, then is gone. */
async function endingServer(path: string, answers: readonly (string | null)[]): Promise<Server> {
  let connections = 0
  const server = createServer((socket) => {
    const answer = answers[connections]
    connections += 1
    if (connections === answers.length) server.close()
    socket.on('error', () => undefined)
    if (answer === null || answer === undefined) socket.destroy()
    else socket.once('data', () => socket.end(answer))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return server
}

describe('an engine that lives as long as a command', () => {
  it('S0.88 answers those that are connected before it ends, and lets nobody else in', async () => {
    const owner = await embed()
    const guest = await guestOf(home)
    const closing = owner.close()
    expect(await connectSocket(home)).toBeNull()
    expect((await guest.client.system.status()).host).toBe('cli')
    await guest.close()
    await closing
    const next = await embed()
    expect(next.owner).toBe('embedded')
    await next.close()
  })

  it('S0.88 does not wait for ever for one that stays', async () => {
    const owner = await embed()
    const guest = await guestOf(home)
    await owner.close()
    await expect(guest.client.system.status()).rejects.toThrow()
  })
})

describe('whoever comes while an owner ends', () => {
  it('S0.88 is cut off while it says hello, and looks again', async () => {
    await prepareHome(home)
    const unavailable = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
    const server = await endingServer(home.engineSocket, [null, unavailable, null])
    expect(await connectSocket(home)).toBeNull()
    expect(server.listening).toBe(false)
  })

  it('S0.46 D5 is refused where the owner is on another host', async () => {
    await prepareHome(home)
    const lock = await acquireHomeLock(home.lockFile, { nowMs: 1, hostname: 'elsewhere' })
    await expect(embed()).rejects.toMatchObject({ code: 'HOME_IN_USE' })
    lock.release()
  })
})
