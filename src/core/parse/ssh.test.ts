import { describe, expect, it } from 'vitest'
import { findHostKeyComplaint, parseServerBanner, sshFailureOf } from './ssh.ts'

describe('what OpenSSH says', () => {
  it.each([
    ['ssh: Could not resolve hostname nowhere.invalid: Name or service not known', 'resolve', 'ENOTFOUND'],
    ['ssh: connect to host 10.0.0.1 port 22: Connection refused', 'connect', 'ECONNREFUSED'],
    ['ssh: connect to host 10.0.0.1 port 22: No route to host', 'connect', 'EHOSTUNREACH'],
    ['ssh: connect to host 10.0.0.1 port 22: Connection timed out', 'connect', 'ETIMEDOUT'],
    ['Connection timed out during banner exchange', 'handshake', 'ETIMEDOUT'],
    ['kex_exchange_identification: read: Connection reset by peer', 'banner', undefined],
    ['Host key verification failed.', 'handshake', undefined],
    ['root@127.0.0.1: Permission denied (publickey).', 'authenticate', undefined],
    ['client_loop: send disconnect: Broken pipe', 'command', 'ECONNRESET'],
  ])('%s', (line, stage, errno) => {
    expect(sshFailureOf(['noise', line])).toEqual(errno === undefined ? { stage, line } : { stage, errno, line })
  })

  it('finds nothing in what is not about the connection', () => {
    expect(
      sshFailureOf(['rsync: [sender] write error', 'mkdir: cannot create directory: Permission denied']),
    ).toBeNull()
  })

  it('tells a changed host key from an unknown one', () => {
    const changed = [
      '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @',
      'The fingerprint for the ED25519 key sent by the remote host is',
      'SHA256:abcDEF.',
      'Host key verification failed.',
    ]
    expect(findHostKeyComplaint(changed)).toMatchObject({
      status: 'changed',
      keyType: 'ssh-ed25519',
      offeredFingerprint: 'SHA256:abcDEF',
    })
    const unknown = [
      'No ED25519 host key is known for node-1 and you have requested strict checking.',
      'Host key verification failed.',
    ]
    expect(findHostKeyComplaint(unknown)).toMatchObject({ status: 'unknown', keyType: 'ssh-ed25519' })
    expect(findHostKeyComplaint(['Permission denied (publickey).'])).toBeNull()
  })

  it('knows an SSH server by its first line', () => {
    expect(parseServerBanner('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6')).toEqual({
      protocol: '2.0',
      software: 'OpenSSH_9.2p1 Debian-2+deb12u6',
    })
    for (const line of ['HTTP/1.1 400 Bad Request', '', 'SSH-', 'SSH-2.0-', 'Exceeded MaxStartups', 'SSH-2.0-a\u0007b'])
      expect(parseServerBanner(line)).toBeNull()
  })
})
