import { describe, expect, it, vi } from 'vitest'
import { AppError } from '../shared/errors.ts'
import { answerShellCall, type ShellHandlers } from './shellCalls.ts'

const done = { ok: true } as const

function handlers(overrides: Partial<ShellHandlers<string>> = {}): ShellHandlers<string> {
  return {
    requestEnginePort: vi.fn(() => done),
    requestTerminalPort: vi.fn(() => done),
    notify: vi.fn(() => done),
    openExternal: vi.fn(() => done),
    copyText: vi.fn(() => done),
    openWindow: vi.fn(() => done),
    engineState: vi.fn(() => done),
    restartEngine: vi.fn(() => done),
    connectTo: vi.fn(() => done),
    recentControlPlanes: vi.fn(() => done),
    ...overrides,
  }
}

describe('answerShellCall', () => {
  it('hands a known call and its sender to its handler', async () => {
    const known = handlers()
    const call = { kind: 'requestEnginePort', requestId: 'r1' }
    expect(await answerShellCall(call, 'frame', known)).toEqual(done)
    expect(known.requestEnginePort).toHaveBeenCalledWith(call, 'frame')
  })

  it.each([
    ['nothing', undefined],
    ['a word', 'engineState'],
    ['an unknown kind', { kind: 'readFile', path: '/etc/passwd' }],
    ['a field too many', { kind: 'engineState', extra: 1 }],
    ['a terminal that is no id', { kind: 'requestTerminalPort', requestId: 'r', terminalId: '../x' }],
    ['a route that is a URL', { kind: 'openWindow', hash: 'https://example.org' }],
    ['too much text', { kind: 'copyText', text: 'x'.repeat(1_048_577) }],
    [
      'a control plane that is an option of ssh',
      { kind: 'connectTo', controlPlane: { name: '-oProxyCommand=id', home: null } },
    ],
    ['a home that is a command', { kind: 'connectTo', controlPlane: { name: 'a@b', home: '$(id)' } }],
    ['a notice without a title', { kind: 'notify', notice: { title: '', body: '' } }],
  ])('refuses %s', async (_name, input) => {
    const known = handlers()
    const answer = await answerShellCall(input, 'frame', known)
    expect(answer).toMatchObject({ ok: false, error: { code: 'INVALID_INPUT' } })
    for (const handler of Object.values(known)) expect(handler).not.toHaveBeenCalled()
  })

  it('answers with the error of a handler that fails', async () => {
    const failing = handlers({
      openExternal: () => {
        throw new AppError('FORBIDDEN', 'Only https.')
      },
    })
    expect(await answerShellCall({ kind: 'openExternal', url: 'http://x' }, 'frame', failing)).toEqual({
      ok: false,
      error: { code: 'FORBIDDEN', message: 'Only https.' },
    })
  })
})
