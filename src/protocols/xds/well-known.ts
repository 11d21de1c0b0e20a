import { XdsError } from './error.ts'

/** Seconds and nanoseconds of a duration: milliseconds as a number, or text such as `1.5s`. Source: proto3 JSON mapping of google.protobuf.Duration. */
export function parseDuration(value: unknown): { readonly seconds: number; readonly nanos: number } {
  if (typeof value === 'number' && Number.isFinite(value)) {
    const seconds = Math.trunc(value / 1000)
    return checked({ seconds, nanos: Math.round((value - seconds * 1000) * 1_000_000) })
  }
  const match = typeof value === 'string' ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(value) : null
  if (!match) throw new XdsError(`a duration is a number of milliseconds or text such as "1.5s", not ${JSON.stringify(value)}`)
  const sign = match[1] === '-' ? -1 : 1
  // without a negative zero
  return checked({ seconds: sign * Number(match[2]) || 0, nanos: sign * Number((match[3] ?? '').padEnd(9, '0')) || 0 })
}

/** 10,000 years and more are no duration. */
function checked(duration: { seconds: number; nanos: number }): { seconds: number; nanos: number } {
  if (Math.abs(duration.seconds) > 315_576_000_000) throw new XdsError('a duration is at most 315,576,000,000 seconds long')
  return duration
}

/** `1.5s`; zeros at the end are left away. */
export function formatDuration(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : ''
  return `${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`
}

/** Of RFC 3339 text. */
export function parseTimestamp(value: unknown): { readonly seconds: number; readonly nanos: number } {
  const match = typeof value === 'string' ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(value) : null
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN
  if (Number.isNaN(ms)) throw new XdsError(`a timestamp is text such as "2026-01-31T12:00:00Z", not ${JSON.stringify(value)}`)
  return { seconds: ms / 1000, nanos: Number((match?.[2] ?? '').padEnd(9, '0')) }
}

export function formatTimestamp(seconds: number, nanos: number): string {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) throw new XdsError(`${seconds} seconds are no timestamp`)
  return `${date.toISOString().slice(0, -5)}${fraction(nanos)}Z`
}

const fraction = (nanos: number): string => (nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`)
