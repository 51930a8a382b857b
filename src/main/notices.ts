import type { Notification } from 'electron'
import type { DesktopNotice } from '../shared/desktopBridge.ts'

/** Several windows see the same change: what was shown this recently is not shown again. */
const repeatWindowMs = 10_000

interface NoticeOptions {
  readonly create: (options: { readonly title: string; readonly body: string }) => Pick<Notification, 'on' | 'show'>
  readonly isSupported: () => boolean
  readonly open: (hash: string) => void
  readonly now: () => number
}

/** Desktop notifications, asked for by pages on changes of state. */
export function createNotices({ create, isSupported, open, now }: NoticeOptions): {
  show(notice: DesktopNotice): void
} {
  const shownAt = new Map<string, number>()
  const isRepeat = (key: string): boolean => {
    for (const [known, at] of shownAt) if (now() - at >= repeatWindowMs) shownAt.delete(known)
    return shownAt.has(key)
  }
  return {
    show({ title, body, hash }) {
      const key = JSON.stringify([title, body, hash])
      if (!isSupported() || isRepeat(key)) return
      shownAt.set(key, now())
      const notification = create({ title, body })
      if (hash !== undefined) notification.on('click', () => open(hash))
      notification.show()
    },
  }
}
