import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createNotices } from './notices.ts'

class FakeNotification extends EventEmitter {
  shown = false

  show(): void {
    this.shown = true
  }
}

function setUp(isSupported = true) {
  const created: FakeNotification[] = []
  const opened: string[] = []
  const time = { nowMs: 0 }
  const notices = createNotices({
    create: () => {
      const notification = new FakeNotification()
      created.push(notification)
      return notification as never
    },
    isSupported: () => isSupported,
    open: (hash) => opened.push(hash),
    now: () => time.nowMs,
  })
  return { notices, created, opened, time }
}

describe('createNotices', () => {
  it('shows the same change once, however many windows saw it', () => {
    const { notices, created, time } = setUp()
    const notice = { title: 'worker-07', body: 'unreachable', hash: '#/fleet?node=1' }
    notices.show(notice)
    notices.show({ ...notice })
    expect(created).toHaveLength(1)
    notices.show({ ...notice, body: 'reachable again' })
    time.nowMs = 20_000
    notices.show(notice)
    expect(created).toHaveLength(3)
  })

  it('opens the place it is about when clicked', () => {
    const { notices, created, opened } = setUp()
    notices.show({ title: 'a', body: 'b', hash: '#/runs/1' })
    created[0]?.emit('click')
    expect(opened).toEqual(['#/runs/1'])
  })

  it('is quiet where the desktop shows none', () => {
    const { notices, created } = setUp(false)
    notices.show({ title: 'a', body: 'b' })
    expect(created).toEqual([])
  })
})
