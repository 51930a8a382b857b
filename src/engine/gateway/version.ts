import { agentVersionHeader } from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'

/** Agents before this one do not speak version 1 of the interface as it is served here. */
const oldestAgentVersion = '0.1.0'

const versionPattern = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+][0-9A-Za-z.+-]{1,100})?$/

/** @throws AGENT_VERSION_UNSUPPORTED with words for whoever looks at the agent */
export function checkAgentVersion(header: string | string[] | undefined, engineVersion: string): void {
  const version = typeof header === 'string' ? numbersOf(header) : null
  if (version === null)
    throw unsupported(`The header ${agentVersionHeader} is missing or no version (such as ${oldestAgentVersion}).`)
  if (isOlder(version, numbersOf(oldestAgentVersion) ?? []))
    throw unsupported(
      `Agent ${String(header)} is too old for this gateway: upgrade it to ${oldestAgentVersion} or later.`,
    )
  const [engineMajor = 0] = numbersOf(engineVersion) ?? []
  if ((version[0] ?? 0) > engineMajor)
    throw unsupported(
      `Agent ${String(header)} is newer than this gateway (${engineVersion}): upgrade the console first.`,
    )
}

function numbersOf(text: string): number[] | null {
  const match = versionPattern.exec(text)
  return match === null ? null : match.slice(1, 4).map(Number)
}

function isOlder(left: readonly number[], right: readonly number[]): boolean {
  for (const [index, number] of left.entries()) {
    const other = right[index] ?? 0
    if (number !== other) return number < other
  }
  return false
}

const unsupported = (message: string): AppError =>
  new AppError('AGENT_VERSION_UNSUPPORTED', message, { data: { oldestAgentVersion } })
