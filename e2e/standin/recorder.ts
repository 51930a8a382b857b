import { tellTest } from './control.ts'

export interface RecordedCall {
  readonly api: string
  readonly args: readonly unknown[]
}

const printable = (_key: string, value: unknown): unknown => {
  if (typeof value === 'function') return '[function]'
  if (value instanceof Uint8Array) return `[${value.length} bytes]`
  return value
}

/** Keeps what the app asked of the system, and tells the test about it. */
export function record(api: string, ...args: unknown[]): void {
  tellTest({ standin: 'call', api, args: JSON.parse(JSON.stringify(args, printable)) as unknown[] })
}
