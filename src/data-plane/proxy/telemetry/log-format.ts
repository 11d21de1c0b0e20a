import type { AccessLog } from '../../../policy/traffic/model/index.ts'
import type { LogEntry } from './log-entry.ts'
import { compileOperator, type LogOperator, type LogValue, type WantedHeader } from './log-operators.ts'

/** A format that can be executed. */
export interface LogFormat {
  readonly headers: readonly WantedHeader[]
  /** A line, with its newline. */
  format(entry: LogEntry): string
}

type Part = string | LogOperator

const OPERATOR = /%(?:([A-Z][A-Z0-9_]*)(?:\(((?:[^()%]|%(?!\)))*(?:%)?)\))?(?::(\d+))?%|(%))/y

/**
 * @param fixed values of operators that are the same for all lines
 * @throws RangeError saying which part of the format is not known
 */
export function compileLogFormat(format: AccessLog['format'], fixed: Readonly<Record<string, string>> = {}): LogFormat {
  const headers: WantedHeader[] = []
  const want = (header: WantedHeader): number => {
    const key = JSON.stringify(header)
    const known = headers.findIndex((one) => JSON.stringify(one) === key)
    return known >= 0 ? known : headers.push(header) - 1
  }
  const parse = (text: string): Part[] => parseFormat(text, want, fixed)
  if (format.type === 'text') {
    const parts = parse(format.text.replace(/\n$/, ''))
    return {
      headers,
      format(entry) {
        const line = join(parts, entry)
        // rare: only then is it worth to look at each value
        return `${CONTROL.test(line) ? join(parts, entry, printable) : line}\n`
      },
    }
  }
  const fields = Object.entries(format.fields).map(([name, text]) => ({ key: JSON.stringify(name), parts: parse(text) }))
  const { omitEmpty = false } = format
  return {
    headers,
    format(entry) {
      let out = ''
      for (const { key, parts } of fields) {
        const value = parts.length === 1 && typeof parts[0] === 'function' ? parts[0](entry) : join(parts, entry)
        if (value === undefined && omitEmpty) continue
        out += `${out === '' ? '' : ','}${key}:${value === undefined ? 'null' : JSON.stringify(value)}`
      }
      return `{${out}}\n`
    },
  }
}

function join(parts: readonly Part[], entry: LogEntry, show?: (value: string | number) => string): string {
  let out = ''
  for (const part of parts) {
    if (typeof part === 'string') out += part
    else {
      const value = part(entry)
      out += value === undefined ? '-' : show ? show(value) : value
    }
  }
  return out
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/

/** No value may begin a line of its own. */
function printable(value: string | number): string {
  if (typeof value === 'number' || !CONTROL.test(value)) return String(value)
  // eslint-disable-next-line no-control-regex
  return value.replaceAll(/[\u0000-\u001f\u007f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function parseFormat(text: string, want: (header: WantedHeader) => number, fixed: Readonly<Record<string, string>>): Part[] {
  const parts: Part[] = []
  let at = 0
  while (at < text.length) {
    const percent = text.indexOf('%', at)
    if (percent < 0) break
    if (percent > at) parts.push(text.slice(at, percent))
    OPERATOR.lastIndex = percent
    const match = OPERATOR.exec(text)
    if (!match)
      throw new RangeError(
        `access log format: no operator at ${JSON.stringify(text.slice(percent, percent + 40))}; write %% for a percent sign`,
      )
    const [all, name, argument, length, literal] = match
    if (literal) parts.push('%')
    else parts.push(limited(compileOperator(name as string, argument, want, fixed), length))
    at = percent + all.length
  }
  if (at < text.length) parts.push(text.slice(at))
  return parts
}

function limited(operator: LogOperator, length: string | undefined): LogOperator {
  if (length === undefined) return operator
  const most = Number(length)
  return (entry): LogValue => {
    const value = operator(entry)
    return typeof value === 'string' ? value.slice(0, most) : value
  }
}
