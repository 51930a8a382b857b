import type { AppError } from '../../shared/errors.ts'
import { printable } from './printable.ts'

/** Where a command puts what it has to say. Standard output holds the result and nothing else. */
export interface Output {
  readonly isJson: boolean
  /** The result: one JSON value, or the text `human` makes of it. */
  value<T>(value: T, human: (value: T) => string): void
  /** The result as it is, e.g. one line of a key; a string is made safe where it meets a terminal. */
  raw(content: string | Uint8Array): void
  /** What a person should know beside the result; nothing in JSON mode. */
  note(text: string): void
  error(error: AppError): void
}

interface OutputStreams {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

export function createOutput(isJson: boolean, { stdout, stderr }: OutputStreams = process): Output {
  const raw = (content: string | Uint8Array): void => {
    const safe = stdout.isTTY === true ? printable(asText(content)) : content
    stdout.write(safe)
  }
  return {
    isJson,
    raw,
    value: (value, human) => {
      if (isJson) stdout.write(`${JSON.stringify(value, null, 2)}\n`)
      else stdout.write(human(value))
    },
    note: (text) => {
      if (!isJson) stderr.write(`${printable(text)}\n`)
    },
    error: (error) => {
      if (isJson) stderr.write(`${JSON.stringify(error.toBody())}\n`)
      else stderr.write(`lockstep: ${printable(error.message)}\n`)
    },
  }
}

const asText = (content: string | Uint8Array): string =>
  typeof content === 'string' ? content : Buffer.from(content).toString('utf8')
