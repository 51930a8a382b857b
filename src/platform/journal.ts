import { fstatSync, writeSync } from 'node:fs'

/** sd-daemon(3) priorities, and the marks of S1.98-101. */
const levels: Readonly<Record<string, { readonly priority: number; readonly mark: string }>> = {
  trace: { priority: 7, mark: '[INFO]' },
  debug: { priority: 7, mark: '[INFO]' },
  info: { priority: 6, mark: '[INFO]' },
  warn: { priority: 4, mark: '[⚠]' },
  error: { priority: 3, mark: '[✗]' },
  fatal: { priority: 2, mark: '[✗]' },
}

interface LoggedError {
  readonly message?: unknown
  readonly code?: unknown
}

interface LoggedLine {
  readonly level?: string
  readonly msg?: unknown
  readonly err?: LoggedError
  /** Marks what went well, see `LogFields`. */
  readonly success?: unknown
  readonly [field: string]: unknown
}

/** journald adds its own. */
const leftOut = new Set(['level', 'time', 'pid', 'msg', 'err', 'success'])

/** True where standard error is the journal: systemd tells its device and inode (systemd.exec(5), JOURNAL_STREAM). */
export function isStderrJournal(environment: NodeJS.ProcessEnv = process.env): boolean {
  const told = environment.JOURNAL_STREAM
  if (told === undefined) return false
  try {
    const { dev, ino } = fstatSync(process.stderr.fd)
    return told === `${dev}:${ino}`
  } catch {
    return false
  }
}

/**
 * One line of our log as journald takes it from standard error: `<6>[INFO] message key=value`.
 * @param line JSON, already redacted
 */
export function journalLine(line: string): string {
  const fields = JSON.parse(line) as LoggedLine
  const { priority, mark } = levels[fields.level ?? 'info'] ?? { priority: 6, mark: '[INFO]' }
  const shownMark = fields.success === true ? '[✓]' : mark
  const parts = [String(fields.msg ?? ''), errorWords(fields.err), ...Object.entries(fields).flatMap(fieldWords)]
  return `<${priority}>${shownMark} ${parts.filter((part) => part !== '').join(' ')}\n`.replace(oddCharacter, escaped)
}

/** Everything that could begin a new line, and with it a priority of its own, or steer the terminal that shows it. */
const oddCharacter = /(?!\n$)[\p{Cc}\p{Zl}\p{Zp}]/gu
const escaped = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`

function errorWords(error: LoggedError | undefined): string {
  if (error === undefined || error === null) return ''
  const code = typeof error.code === 'string' ? ` (${error.code})` : ''
  return `- ${String(error.message ?? 'unknown error')}${code}`
}

function fieldWords([name, value]: readonly [string, unknown]): string[] {
  if (leftOut.has(name) || value === undefined) return []
  return [`${name}=${typeof value === 'string' && !/[\s="]/.test(value) ? value : JSON.stringify(value)}`]
}

/** A sink for {@link createLogging}; a full pipe or a closed terminal costs the line, not the process. */
export function writeToJournal(line: string): void {
  try {
    writeSync(process.stderr.fd, journalLine(line))
  } catch {
    // Nobody can be told.
  }
}
