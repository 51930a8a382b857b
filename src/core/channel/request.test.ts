import { describe, expect, it } from 'vitest'
import { encodeRequest, pathFault, type WireOrder } from './request.ts'

const request = { nonce: 'a'.repeat(32), tag: 'b'.repeat(12), askClock: true }
const encoded = (...orders: WireOrder[]): string =>
  encodeRequest(orders, request)
    .map((piece) => new TextDecoder().decode(piece))
    .join('')

describe('requests to a worker', () => {
  it('S1.44 is lines that announce the bytes behind them', () => {
    const content = new TextEncoder().encode('a: 1\n')
    const replace: WireOrder = {
      kind: 'replace',
      path: '~/x',
      ifState: 'any',
      makeDirectory: true,
      wantedState: 'c'.repeat(64),
      content,
      sudo: false,
    }
    const run: WireOrder = {
      kind: 'run',
      script: new TextEncoder().encode('id'),
      stdin: new Uint8Array(),
      afterChange: true,
      sudo: true,
    }
    const read: WireOrder = { kind: 'read', path: '/x', unlessState: null, sudo: false }
    expect(encoded(replace, run, read)).toBe(
      `${request.nonce} ${request.tag} 1 3\nw 0 5 ~/x any 1 ${'c'.repeat(64)}\na: 1\nx 1 2 2 1 - -\nidr 0 0 /x - - -\n`,
    )
  })

  it('D17 makes one word of every path', () => {
    const path = '/a b\n\\x\tä\u00a0'
    const [, line = ''] = encoded({ kind: 'read', path, unlessState: null, sudo: false }).split('\n')
    const word = line.split(' ')[3] ?? ''
    expect(word).toBe('/a\\0040b\\0012\\0134x\\0011ä\\0302\\0240')
    expect(line.split(' ')).toHaveLength(7)
  })

  it.each([
    ['relative', 'neither absolute'],
    ['', 'neither absolute'],
    ['~user/x', 'neither absolute'],
    ['/etc/', 'directory'],
    ['/etc/..', 'directory'],
    ['/a\0b', 'NUL'],
    [`/${'ä'.repeat(101)}`, 'longer'],
  ])('S1.44 asks no worker for %j', (path, why) => {
    expect(pathFault(path)).toContain(why)
  })

  it('S1.44 asks for everything else', () => {
    for (const path of ['/etc/hosts', '~/a', '/-rf', `/${'x'.repeat(200)}`]) expect(pathFault(path)).toBeNull()
  })
})
