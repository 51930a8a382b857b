import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOpenSshAccess, type ManagedOpenSshAccess } from '../../../src/engine/ssh/openSshAccess.ts'
import { createTerminalService, type TerminalService } from '../../../src/engine/terminals/terminalService.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../../support/trust.ts'
import { caller, size, TestWindow, until } from './harness.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

describe.skipIf(sshdMissing !== null)('terminals on a real sshd', () => {
  let trust: TestTrust
  let sshd: TestSshd
  let openSsh: ManagedOpenSshAccess
  let directory: string
  let service: TerminalService

  beforeAll(async () => {
    trust = await createTrust()
    sshd = await startSshd({ trustedUserCa: trust.publicKey, principals: ['sync-agent'] })
    directory = await mkdtemp(join(tmpdir(), 'lockstep-t-'))
    openSsh = await createOpenSshAccess({ directory, identities: trust.identities })
    service = createTerminalService({
      openSsh,
      identities: trust.identities,
      clock: systemClock,
      ids: createIdSource(systemClock),
      logger: { warn: () => {} },
      store: trust.store,
    })
  })

  afterAll(async () => {
    await service.stop()
    await openSsh.close()
    await sshd.stop()
    await rm(directory, { recursive: true, force: true })
    await trust.stop()
  })

  it('F39 logs in with a terminal certificate, on a tty, and audits who opened it', async () => {
    const node = nodeFor(sshd)
    const terminal = await service.open({ node, size, caller })
    const window = new TestWindow()
    service.attach(terminal.id, window)
    window.type('tty && stty size && exit 7\r')
    await until('the exit frame', () => window.exitCode !== null)
    expect(window.tail).toContain('/dev/pts/')
    expect(window.tail).toContain('24 80')
    expect(window.exitCode).toBe(7)
    expect(
      trust.store.certificates.some(
        (certificate) => certificate.purpose === 'terminal' && certificate.extensions.includes('permit-pty'),
      ),
    ).toBe(true)
    expect(trust.store.audit.at(-1)).toMatchObject({
      action: 'terminal.open',
      subject: node.name,
      actor: caller.operator,
    })
  })

  it('U3 shows why a login is refused in the terminal itself, and ends', async () => {
    const stranger = nodeFor(sshd, { hostKeys: [] })
    const terminal = await service.open({ node: stranger, size, caller })
    const window = new TestWindow()
    service.attach(terminal.id, window)
    await until('the exit frame', () => window.exitCode !== null)
    expect(window.exitCode).toBe(255)
    expect(window.tail).toMatch(/host key/i)
  })

  it('U14 delivers a flood over ssh to the last line', async () => {
    const terminal = await service.open({ node: nodeFor(sshd), size, caller })
    const window = new TestWindow()
    service.attach(terminal.id, window)
    window.type('seq 1 300000; exit\r')
    await until('the exit frame', () => window.exitCode !== null)
    expect(window.tail).toContain('299999\r\n300000\r\n')
  })

  it('F23 leaves no ssh behind when a terminal is closed', async () => {
    const terminal = await service.open({ node: nodeFor(sshd), size, caller })
    const window = new TestWindow()
    service.attach(terminal.id, window)
    window.type('echo ready-$((6*7))\r')
    await until('the shell', () => window.tail.includes('ready-42'))
    await service.close(terminal.id, caller)
    expect(service.list().some((each) => each.id === terminal.id)).toBe(false)
    expect(trust.store.audit.at(-1)).toMatchObject({ action: 'terminal.close' })
  })
})
