/*
 * The line between the stand-in and the test that started it: the IPC channel of `child_process.fork`. Absent when
 * somebody runs the stand-in by hand; it then only logs.
 */

export type ToTest =
  | { readonly standin: 'browser'; readonly cdpUrl: string }
  | { readonly standin: 'call'; readonly api: string; readonly args: readonly unknown[] }
  | { readonly standin: 'utility'; readonly pid: number; readonly serviceName: string }

/** `emit` raises an event of `app`, `powerMonitor`, the newest tray or the newest notification; `menu` clicks an item by its id. */
export type FromTest =
  | {
      readonly standin: 'emit'
      readonly target: 'app' | 'powerMonitor' | 'tray' | 'notification'
      readonly event: string
      readonly args: readonly unknown[]
    }
  | { readonly standin: 'menu'; readonly id: string }
  | { readonly standin: 'quit' }

const handlers = new Set<(message: FromTest) => void>()

export function tellTest(message: ToTest): void {
  process.send?.(message)
}

export function onTestMessage(handler: (message: FromTest) => void): void {
  handlers.add(handler)
}

process.on('message', (message: FromTest) => {
  if (typeof message === 'object' && 'standin' in message) for (const handler of handlers) handler(message)
})
// The test's channel must not keep the app alive.
process.channel?.unref()
