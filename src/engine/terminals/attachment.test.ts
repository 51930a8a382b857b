import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../test/fakes/manualClock.ts'
import { terminalWindow } from '../../shared/model/terminal.ts'
import { encodeTerminalFrame } from '../../shared/terminalFrames.ts'
import { Attachment, stalledAfterMs } from './attachment.ts'

function setUp() {
  const clock = createManualClock()
  let message: (bytes: Uint8Array) => void = () => {}
  const seen = { closed: false, detached: 0, flow: [] as boolean[] }
  const duplex = {
    send: () => {},
    onMessage: (listener: (bytes: Uint8Array) => void) => {
      message = listener
    },
    onClose: () => {},
    close: () => {
      seen.closed = true
    },
  }
  const attachment: Attachment = new Attachment(duplex, {
    clock,
    handlers: {
      onInput: () => {},
      onResize: () => {},
      onFlowChanged: () => seen.flow.push(attachment.behind),
      onDetached: () => {
        seen.detached += 1
      },
    },
  })
  const acknowledge = (sizeBytes: number): void => message(encodeTerminalFrame({ kind: 'acknowledge', sizeBytes }))
  return { clock, attachment, seen, acknowledge }
}

const flood = new Uint8Array(terminalWindow.highBytes + 1)

describe('attachment', () => {
  it('U14 is behind above the high mark, and no more below the low one', () => {
    const { attachment, seen, acknowledge } = setUp()
    attachment.sendOutput(new Uint8Array(terminalWindow.highBytes))
    expect(attachment.behind).toBe(false)
    attachment.sendOutput(new Uint8Array(1))
    expect(attachment.behind).toBe(true)
    acknowledge(terminalWindow.highBytes + 1 - terminalWindow.lowBytes)
    expect(attachment.behind).toBe(true)
    acknowledge(1)
    expect(attachment.behind).toBe(false)
    expect(seen.flow).toEqual([true, false])
  })

  it('lets a window go that holds the output back and acknowledges nothing', () => {
    const { clock, attachment, seen } = setUp()
    attachment.sendOutput(flood)
    clock.advance(stalledAfterMs - 1)
    expect(seen.closed).toBe(false)
    clock.advance(1)
    expect(seen).toMatchObject({ closed: true, detached: 1 })
    expect(attachment.behind).toBe(false)
  })

  it('keeps a slow window that still acknowledges a little', () => {
    const { clock, attachment, seen, acknowledge } = setUp()
    attachment.sendOutput(flood)
    for (let round = 0; round < 5; round += 1) {
      clock.advance(stalledAfterMs - 1)
      acknowledge(1)
    }
    expect(seen.closed).toBe(false)
    expect(attachment.behind).toBe(true)
  })
})
