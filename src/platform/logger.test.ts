import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../shared/errors.ts'
import { createLogging } from './logger.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-log-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function captured(level: 'info' | 'debug' = 'info') {
  const lines: string[] = []
  const logging = createLogging({ level, sinks: [(line) => lines.push(line)] })
  return { ...logging, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> }
}

const keyBlock = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUcanary',
  '-----END OPENSSH PRIVATE KEY-----',
].join('\n')

describe('log lines', () => {
  it('are JSON with level, time, fields and message; children add theirs; levels filter', () => {
    const { logger, lines, last, setLevel } = captured()
    logger.debug({}, 'not written')
    expect(lines).toHaveLength(0)
    logger.child({ runId: 'r1' }).warn({ attempt: 2 }, 'retrying')
    expect(last()).toMatchObject({ level: 'warn', runId: 'r1', attempt: 2, msg: 'retrying', pid: process.pid })
    expect(last().time).toMatch(/^\d{4}-\d\d-\d\dT/)
    setLevel('debug')
    logger.debug({}, 'written')
    expect(lines).toHaveLength(2)
  })

  it('keep code, data and cause of an error', () => {
    const { logger, last } = captured()
    logger.error(
      { err: new AppError('TIMED_OUT', 'too slow', { data: { ms: 5 }, cause: new Error('inner') }) },
      'failed',
    )
    expect(last().err).toMatchObject({ code: 'TIMED_OUT', data: { ms: 5 } })
    expect(JSON.stringify(last().err)).toContain('inner')
  })
})

describe('redaction', () => {
  it('masks a registered secret in messages, fields, errors, quoted JSON and URLs, and nothing else', () => {
    const { logger, lines, registerSecret } = captured()
    const secret = 'pass "phrase"\\ with\nspecials/é'
    registerSecret(secret)
    logger.info({ field: secret, nested: [{ deep: secret }] }, `message ${secret} end`)
    logger.error({ err: new Error(`failed: ${secret}`, { cause: new Error(secret) }) }, 'error')
    logger.info({ quoted: JSON.stringify({ value: secret }), url: encodeURIComponent(secret) }, 'kept')
    const all = lines.join('')
    expect(all).not.toContain('phrase')
    expect(all).not.toContain('specials')
    expect(all).toContain('message [redacted] end')
    expect(all).toContain('kept')
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
  })

  it('masks registered bytes in hex, base64 and as a printed array', () => {
    const { logger, lines, registerSecret } = captured()
    const bytes = randomBytes(32)
    registerSecret(bytes)
    logger.info({ hex: bytes.toString('hex'), base64: bytes.toString('base64'), url: bytes.toString('base64url') }, 'a')
    logger.info({ buffer: bytes, array: [...bytes] }, 'b')
    const all = lines.join('')
    expect(all).not.toContain(bytes.toString('hex'))
    expect(all).not.toContain(bytes.toString('base64').slice(0, 20))
    expect(all).not.toContain(bytes.toString('base64url').slice(0, 20))
    expect(all).not.toContain([...bytes].join(','))
  })

  it('masks private keys, whole or cut off, Authorization headers, URL credentials and secret fields', () => {
    const { logger, lines } = captured()
    logger.info({ output: keyBlock, cut: keyBlock.slice(0, 60) }, `key: ${keyBlock} after`)
    logger.info({ headers: { authorization: 'Bearer header-canary' }, raw: 'Authorization: Basic raw-canary' }, 'h')
    logger.info({}, 'cloning https://user:url-canary@git.example/repository.git')
    logger.info({ passphrase: 'field-canary', token: 'x"canary' }, 'fields')
    logger.info({ quoted: '{"authorization":"Bearer quoted-canary"}' }, 'q')
    logger.info({ headers: { authorization: ['Bearer list-canary'], cookie: 'session=cookie-canary' } }, 'lists')
    logger.info({}, 'Authorization: Digest username="u", response="digest-canary"\r\nAccept: kept-header')
    const all = lines.join('')
    expect(all).not.toContain('canary')
    expect(all).toContain('kept-header')
    expect(all).not.toContain('b3BlbnNzaC1')
    expect(all).toContain(' after')
    expect(all).toContain('https://[redacted]@git.example/repository.git')
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
  })

  it('forgets a secret when told to, unless it was registered twice', () => {
    const { redact, registerSecret } = captured()
    const forgetFirst = registerSecret('twice-known')
    const forgetSecond = registerSecret('twice-known')
    forgetFirst()
    forgetFirst()
    expect(redact('twice-known')).toBe('[redacted]')
    forgetSecond()
    expect(redact('twice-known')).toBe('twice-known')
  })

  it('takes long text without falling behind', () => {
    const { redact } = captured()
    const text = `${'a.b-c+'.repeat(50_000)} authorization `
    expect(redact(text)).toBe(text)
  })

  it('leaves ordinary text alone', () => {
    const { redact } = captured()
    const text = 'ssh://git@host:22/path rsync: https://host:8080/a@b sent 12 bytes, authorization refused'
    expect(redact(text)).toBe(text)
  })
})

describe('log file', () => {
  it('is private, appended to, bounded, and redacted', () => {
    const file = join(directory, 'logs', 'engine.log')
    const logging = createLogging({ level: 'info', file, maxFileSizeBytes: 2_000, keepFiles: 2 })
    logging.registerSecret('file-canary')
    for (let index = 0; index < 100; index += 1) logging.logger.info({ index }, 'a line with file-canary')
    logging.close()
    expect(readdirSync(join(directory, 'logs')).sort()).toEqual(['engine.log', 'engine.log.1', 'engine.log.2'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const texts = ['engine.log.2', 'engine.log.1', 'engine.log'].map((name) =>
      readFileSync(join(directory, 'logs', name), 'utf8'),
    )
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(2_000)
    expect(texts.join('')).not.toContain('canary')
    const indexes = texts
      .join('')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { index: number }).index)
    expect(indexes).toEqual(indexes.map((_, position) => 100 - indexes.length + position))
    const again = createLogging({ level: 'info', file })
    again.logger.info({}, 'after a restart')
    again.close()
    expect(readFileSync(file, 'utf8')).toContain('"index":99')
    expect(readFileSync(file, 'utf8')).toContain('after a restart')
  })
})
