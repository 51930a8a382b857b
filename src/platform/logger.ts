import { writeSync } from 'node:fs'
import { pino } from 'pino'
import { AppError } from '../shared/errors.ts'
import { createRedactor } from './redactor.ts'
import { RotatingFile } from './rotatingFile.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
/** An error goes under `err`: its code, message, stack and causes are kept. `success: true` marks what went well (S1.101). */
export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  trace(fields: LogFields, message: string): void
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  fatal(fields: LogFields, message: string): void
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger
}

export interface LoggingOptions {
  readonly level: LogLevel
  /** Append JSON lines here; created 0600. */
  readonly file?: string
  /** Default 16 MiB. */
  readonly maxFileSizeBytes?: number
  /** Older files kept. Default 5. */
  readonly keepFiles?: number
  /** JSON lines to stderr too. Default: only when there is no file. */
  readonly stderr?: boolean
  /** More places for the (already redacted) lines, such as a test's array. */
  readonly sinks?: readonly ((line: string) => void)[]
}

export interface Logging {
  readonly logger: Logger
  /** Masks this value in everything written from now on; returns how to forget it. */
  registerSecret(secret: string | Uint8Array): () => void
  /** For text that reaches a person another way: output of programs, error messages. */
  redact(text: string): string
  setLevel(level: LogLevel): void
  close(): void
}

/** Opens the log of one process. Every line passes the redactor last, whatever module made it. */
export function createLogging(options: LoggingOptions): Logging {
  const redactor = createRedactor()
  const file = openFile(options)
  const sinks = [...(options.sinks ?? [])]
  if (file !== undefined) sinks.push((line) => file.write(line))
  if (options.stderr ?? (file === undefined && options.sinks === undefined)) sinks.push(writeToStderr)

  const logger = pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write: (line: string) => {
        const redacted = redactor.redact(line)
        for (const sink of sinks) sink(redacted)
      },
    },
  )
  return {
    logger,
    registerSecret: redactor.registerSecret,
    redact: redactor.redact,
    setLevel: (level) => {
      logger.level = level
    },
    close: () => file?.close(),
  }
}

function openFile({
  file,
  maxFileSizeBytes = 16 * 1024 * 1024,
  keepFiles = 5,
}: LoggingOptions): RotatingFile | undefined {
  return file === undefined ? undefined : new RotatingFile(file, { maxSizeBytes: maxFileSizeBytes, keepFiles })
}

function writeToStderr(line: string): void {
  try {
    writeSync(process.stderr.fd, line)
  } catch {
    // A closed terminal or a full pipe is no reason to fail.
  }
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const serialized = pino.stdSerializers.err(error)
  return error instanceof AppError ? { ...serialized, code: error.code, data: error.data } : serialized
}
