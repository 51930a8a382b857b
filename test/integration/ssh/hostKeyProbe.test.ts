import { spawnSync } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createHostKeyProbe } from '../../../src/engine/ssh/hostKeyProbe.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { toAppError } from '../../../src/shared/errors.ts'
import { freePort, sshdMissing, startSshd } from '../../support/sshd.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

describe.skipIf(sshdMissing !== null)('host key probe', () => {
  const probe = createHostKeyProbe(systemClock)
  const codeOf = (port: number, timeoutMs = 5_000): Promise<string> =>
    probe.probe({ address: '127.0.0.1', port }, { timeoutMs }).then(
      () => 'ok',
      (error: unknown) => toAppError(error).code,
    )

  it('F57 shows every key of the server with the fingerprint ssh-keygen prints, and logs in nowhere', async () => {
    const sshd = await startSshd({ hostKeyTypes: ['ed25519', 'ecdsa', 'rsa'] })
    const offered = await probe.probe(sshd, { timeoutMs: 10_000 })
    expect(offered.map((key) => key.keyType)).toEqual(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ssh-rsa'])
    for (const [index, type] of ['ed25519', 'ecdsa', 'rsa'].entries()) {
      const listed = spawnSync('ssh-keygen', ['-l', '-f', `${sshd.directory}/host_${type}.pub`], { encoding: 'utf8' })
      expect(listed.stdout).toContain(offered[index]?.fingerprint)
    }
    expect(offered[0]?.banner).toMatch(/^SSH-2\.0-OpenSSH/)
    expect(await sshd.log()).not.toMatch(/nobody|Invalid user|Failed/)
    await sshd.stop()
  })

  it('U32 names what is there when it is no SSH server', async () => {
    expect(await codeOf(await freePort())).toBe('CONNECTION_REFUSED')
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    expect(await codeOf((silent.address() as AddressInfo).port, 150)).toBe('CONNECTION_TIMED_OUT')
    await new Promise((resolve) => silent.close(resolve))
  })
})
