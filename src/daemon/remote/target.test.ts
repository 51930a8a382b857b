import { describe, expect, it } from 'vitest'
import { reasonOfStderr } from './failure.ts'
import { parseTarget, targetWords } from './target.ts'

describe('parseTarget', () => {
  it.each([
    ['control', { host: 'control', user: null, port: null }],
    ['ops@control.example:2222', { host: 'control.example', user: 'ops', port: 2222 }],
    ['ops@[fd7a::1]:22', { host: 'fd7a::1', user: 'ops', port: 22 }],
    ['[fe80::1%eth0]', { host: 'fe80::1%eth0', user: null, port: null }],
  ])('reads %s and writes it again', (text, expected) => {
    expect(parseTarget(text)).toMatchObject(expected)
    expect(targetWords(parseTarget(text))).toBe(text)
  })

  it.each(['', '-oProxyCommand=id', '-l root@x', 'a@-b', 'a b', 'a@b@c', 'a;id', '$(id)', 'a\nb', 'a:0', 'a:65536'])(
    'refuses %j, which ssh could take for something else',
    (text) => {
      expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
    },
  )

  it.each(['relative', '', '/a\nb', '-x', '$HOME/x'])('refuses the home %j', (home) => {
    expect(() => parseTarget('control', home)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
  })
})

describe('reasonOfStderr', () => {
  it.each([
    ['Host key verification failed.', 'host-key'],
    ['@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @', 'host-key'],
    ['No ED25519 host key is known for control and you have requested strict checking.', 'host-key'],
    ['ops@control: Permission denied (publickey).', 'key-refused'],
    ['ssh: Could not resolve hostname control: Name or service not known', 'name-unknown'],
    ['ssh: connect to host control port 22: Connection timed out', 'unreachable'],
    ['kex_exchange_identification: Connection closed by remote host', 'unreachable'],
    ['something new', 'failed'],
  ])('%s', (line, reason) => {
    expect(reasonOfStderr(`debug: x\n${line}\n`)).toBe(reason)
  })
})
