import type { NodeAnswer } from '../../../ports.ts'

/** What a script said. */
export interface Ran {
  readonly exitCode: number
  readonly stdout: string
  /** The last lines of all it said, errors behind the rest. */
  readonly lines: readonly string[]
}

/** Of a line that is kept with the run. */
const longestLine = 1_000

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export function ranOf(answer: Extract<NodeAnswer, { kind: 'ran' }>): Ran {
  const [stdout, stderr] = [textOf(answer.stdout), textOf(answer.stderr)]
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  return { exitCode: answer.exitCode, stdout, lines: lines.slice(-20).map((line) => line.slice(0, longestLine)) }
}
