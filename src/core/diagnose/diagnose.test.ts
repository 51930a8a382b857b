import { describe, expect, it } from 'vitest'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import { diagnoseConnection, isStartupDrop } from './connection.ts'
import type { ConnectEvidence, PresentedCertificate } from './evidence.ts'
import { diagnoseNodeFacts, parseNodeFacts } from './nodeFacts.ts'
import { diagnoseProgram } from './program.ts'
import { duration } from './sentences.ts'

const node = { name: 'worker-07', address: '10.0.0.7', port: 22, user: 'sync' }
const now = Date.UTC(2026, 0, 7, 3)
const certificate: PresentedCertificate = {
  serial: '9',
  principals: ['sync-agent'],
  validAfter: now - 60_000,
  validBefore: now + 3_600_000,
}
const seen = (over: Partial<ConnectEvidence>): Diagnosis =>
  Diagnosis.parse(diagnoseConnection(node, { stage: 'connect', nowMs: now, ...over }))

describe('causes of a failed connection', () => {
  it.each<[string, Partial<ConnectEvidence>]>([
    ['NODE_UNREACHABLE', { errno: 'EHOSTUNREACH' }],
    ['NODE_UNREACHABLE', { errno: 'ENETUNREACH' }],
    ['CONNECTION_REFUSED', { errno: 'ECONNREFUSED' }],
    ['CONNECTION_TIMED_OUT', { timedOut: true }],
    ['CONNECTION_TIMED_OUT', { errno: 'ETIMEDOUT' }],
    ['CONNECTION_TIMED_OUT', { stage: 'banner', timedOut: true }],
    ['CONNECTION_TIMED_OUT', { stage: 'authenticate', timedOut: true }],
    ['NAME_NOT_RESOLVED', { errno: 'ENOTFOUND' }],
    ['NAME_NOT_RESOLVED', { errno: 'EAI_AGAIN' }],
    ['NOT_AN_SSH_SERVER', { stage: 'banner', banner: 'HTTP/1.1 400 Bad Request' }],
    ['NOT_AN_SSH_SERVER', { stage: 'banner', banner: '220 mail ESMTP', timedOut: true }],
    ['TOO_MANY_STARTUPS', { stage: 'banner', banner: 'Exceeded MaxStartups' }],
    ['TOO_MANY_STARTUPS', { stage: 'banner', errno: 'ECONNRESET' }],
    ['CONNECTION_LOST', { stage: 'handshake', errno: 'ECONNRESET' }],
    ['CONNECTION_LOST', { stage: 'authenticate', errno: 'ECONNRESET' }],
    ['CONNECTION_LOST', { stage: 'command' }],
    ['CHANNEL_LIMIT', { stage: 'channel', message: '(SSH) Channel open failure: open failed' }],
    ['SHELL_REFUSED', { stage: 'channel', message: 'exec request failed' }],
    ['KEY_REFUSED', { stage: 'authenticate', message: 'All configured authentication methods failed' }],
    [
      'HOST_KEY_UNKNOWN',
      {
        stage: 'handshake',
        hostKey: { status: 'unknown', keyType: 'ssh-rsa', offeredFingerprint: 'SHA256:x', pinnedFingerprints: [] },
      },
    ],
    [
      'HOST_KEY_CHANGED',
      {
        stage: 'handshake',
        hostKey: {
          status: 'changed',
          keyType: 'ssh-rsa',
          offeredFingerprint: 'SHA256:x',
          pinnedFingerprints: ['SHA256:y'],
        },
      },
    ],
  ])('%s', (code, evidence) => {
    const diagnosis = seen(evidence)
    expect(diagnosis.code).toBe(code)
    expect(diagnosis.sentence).toContain('worker-07')
    expect(diagnosis.short.split(' ').length).toBeLessThanOrEqual(4)
    expect(diagnosis.sentence).not.toMatch(/oops|!/i)
  })

  it('U32 only drops of a busy server are worth an immediate second try', () => {
    const drop = (over: Partial<ConnectEvidence>): boolean => isStartupDrop({ stage: 'banner', nowMs: now, ...over })
    expect(drop({ errno: 'ECONNRESET' })).toBe(true)
    expect(drop({ banner: 'Exceeded MaxStartups' })).toBe(true)
    expect(drop({ timedOut: true })).toBe(false)
    expect(drop({ stage: 'connect', errno: 'ECONNREFUSED' })).toBe(false)
    expect(drop({ stage: 'authenticate' })).toBe(false)
    expect(drop({ banner: 'HTTP/1.1 400' })).toBe(false)
  })

  it('shows no control characters of a stranger', () => {
    expect(seen({ stage: 'banner', banner: 'evil\u001b[31m\u0007' }).evidence.join()).not.toMatch(/[\u0000-\u001f]/)
  })
})

describe('causes of a refused login', () => {
  const refused = (over: Partial<ConnectEvidence>): Diagnosis =>
    seen({ stage: 'authenticate', message: 'All configured authentication methods failed', certificate, ...over })

  it('D4 S0.39 the principal is not the login user', () => {
    const diagnosis = refused({})
    expect(diagnosis.code).toBe('PRINCIPAL_NOT_LISTED')
    expect(diagnosis.sentence).toContain('principal sync-agent is not allowed to log in as sync')
    expect(diagnosis.nextAction.kind).toBe('run-doctor')
    expect(refused({ probes: { principalIsUser: 'accepted', wideValidity: 'refused' } }).nextAction.kind).toBe(
      'edit-node',
    )
    expect(refused({ probes: { principalIsUser: 'refused', wideValidity: 'refused' } }).code).toBe('KEY_REFUSED')
  })

  it('U7 the certificate has expired by our own clock', () => {
    const diagnosis = refused({ nowMs: certificate.validBefore + 300_000 })
    expect(diagnosis).toMatchObject({ code: 'CERTIFICATE_EXPIRED', nextAction: { kind: 'renew-certificate' } })
    expect(diagnosis.sentence).toContain('expired 5 min ago')
  })

  it('U10 the clock of the node is behind or ahead, with the measured time', () => {
    const behind = refused({ clockSkewMs: -90_000 })
    expect(behind.code).toBe('CERTIFICATE_NOT_YET_VALID')
    expect(behind.sentence).toContain('valid only in 30 s, because its clock is 90 s behind ours')
    const ahead = refused({ clockSkewMs: 2 * 3_600_000 })
    expect(ahead.code).toBe('CERTIFICATE_EXPIRED')
    expect(ahead.sentence).toContain('clock is 2 h ahead of ours')
    expect(refused({ probes: { principalIsUser: 'not-tried', wideValidity: 'accepted' } }).code).toBe(
      'CERTIFICATE_NOT_YET_VALID',
    )
  })

  it('a certificate for the login user itself that is refused means: not trusted or revoked', () => {
    expect(refused({ certificate: { ...certificate, principals: ['sync'] } }).code).toBe('KEY_REFUSED')
  })
})

describe('causes of a failed program', () => {
  const failed = (stderr: string, exitCode: number | null = 1, program = 'rsync'): Diagnosis =>
    Diagnosis.parse(diagnoseProgram(node, { program, exitCode, stderr, nowMs: now, certificate }))

  it.each([
    [
      'REMOTE_DISK_FULL',
      'rsync: [receiver] write failed on "/data/x": No space left on device (28)\nrsync error: error in file IO (code 11)',
      11,
    ],
    ['REMOTE_READ_ONLY', 'rsync: mkstemp "/data/.x" failed: Read-only file system (30)', 23],
    [
      'REMOTE_PERMISSION_DENIED',
      'rsync: [generator] recv_generator: mkdir "/srv/x" failed: Permission denied (13)',
      23,
    ],
    ['REMOTE_PROGRAM_MISSING', 'bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed', 12],
    ['REMOTE_PROGRAM_MISSING', 'sh: 1: rsync: not found', 127],
    ['SHELL_REFUSED', 'This account is currently not available.', 1],
    ['SHELL_REFUSED', 'protocol version mismatch -- is your shell clean?', 2],
    ['REMOTE_PATH_INVALID', 'rsync: change_dir "/nowhere" failed: No such file or directory (2)', 23],
    [
      'PRINCIPAL_NOT_LISTED',
      'sync@10.0.0.7: Permission denied (publickey).\nrsync: connection unexpectedly closed',
      255,
    ],
    ['CONNECTION_REFUSED', 'ssh: connect to host 10.0.0.7 port 22: Connection refused', 255],
    [
      'HOST_KEY_CHANGED',
      '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.',
      255,
    ],
    ['CONNECTION_LOST', 'client_loop: send disconnect: Broken pipe', 255],
    ['CONNECTION_LOST', '', 255],
    ['SOURCE_MISSING', 'rsync: [sender] change_dir "/nowhere" failed: No such file or directory (2)', 23],
    ['TRANSFER_INCOMPLETE', 'rsync: [sender] send_files failed to open "/src/secret": Permission denied (13)', 23],
    ['REMOTE_COMMAND_FAILED', 'something else', 3],
  ])('%s', (code, stderr, exitCode) => {
    expect(failed(stderr, exitCode).code).toBe(code)
  })

  it('says which program is missing and keeps the telling line first', () => {
    const diagnosis = failed('noise\nbash: line 1: rsync: command not found', 127)
    expect(diagnosis.sentence).toContain('worker-07 has no rsync')
    expect(failed('a\nx: No space left on device\nb').evidence[0]).toContain('No space left')
  })
})

describe('facts of a node', () => {
  const output =
    'Welcome\nlockstep-facts home /home/sync\nlockstep-facts clock 1767754800\nlockstep-facts writable yes\nlockstep-facts free 2048\nlockstep-facts rsync rsync  version 3.2.7\n'

  it('are read past the chatter of a login shell', () => {
    expect(parseNodeFacts(output)).toEqual({
      home: '/home/sync',
      homeWritable: true,
      readOnly: false,
      diskFreeBytes: 2_097_152,
      rsync: 'rsync  version 3.2.7',
      clockSeconds: 1_767_754_800,
      clockSkewMs: null,
    })
    expect(parseNodeFacts('This account is currently not available.')).toBeNull()
    expect(parseNodeFacts('lockstep-facts home /x\nlockstep-facts free -\n')).toMatchObject({
      diskFreeBytes: null,
      rsync: null,
      homeWritable: false,
    })
  })

  it('name what keeps work from being done', () => {
    const facts = parseNodeFacts(output)
    if (facts === null) throw new Error('facts')
    expect(diagnoseNodeFacts(node, facts)).toBeNull()
    expect(diagnoseNodeFacts(node, { ...facts, readOnly: true })?.code).toBe('REMOTE_READ_ONLY')
    expect(diagnoseNodeFacts(node, { ...facts, diskFreeBytes: 0 })?.code).toBe('REMOTE_DISK_FULL')
    expect(diagnoseNodeFacts(node, { ...facts, homeWritable: false })?.code).toBe('REMOTE_PERMISSION_DENIED')
    expect(diagnoseNodeFacts(node, { ...facts, rsync: null })?.code).toBe('REMOTE_PROGRAM_MISSING')
  })

  it('durations use the unit that says something', () => {
    expect([0, 30_000, 119_000, 300_000, 7_200_000, 172_800_000].map(duration)).toEqual([
      '0 s',
      '30 s',
      '119 s',
      '5 min',
      '2 h',
      '2 days',
    ])
  })
})
