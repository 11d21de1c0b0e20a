import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

/** Structured log: a constant message and fields, never text glued together. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }
const SECRET = /token|password|authorization|secret$|cookie|privatekey/i

/**
 * One JSON object a line: `ts` (RFC 3339), `level`, `msg`, then the fields. Fields whose name says that they
 * are secret are written as `[redacted]`.
 */
export function jsonLogger(options: {
  readonly write: (line: string) => void
  readonly clock: Clock
  readonly level?: LogLevel
  readonly fields?: LogFields
}): Logger {
  const least = ORDER[options.level ?? 'info']
  const base = options.fields ?? {}
  const log = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (ORDER[level] < least) return
    const line: Record<string, unknown> = { ts: new Date(options.clock.now()).toISOString(), level, msg: message }
    for (const [key, value] of Object.entries({ ...base, ...fields })) line[key] = SECRET.test(key) ? '[redacted]' : plain(value)
    options.write(`${JSON.stringify(line)}\n`)
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    child: (fields) => jsonLogger({ ...options, fields: { ...base, ...fields } }),
  }
}

function plain(value: unknown): unknown {
  if (value instanceof Error) return messageOf(value)
  return typeof value === 'bigint' ? value.toString() : value
}

/** Drops everything: for tests and for library use without a logger. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
}
