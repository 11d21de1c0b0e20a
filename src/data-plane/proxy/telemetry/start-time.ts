/** Formats a wall-clock time, milliseconds since 1970. */
export type TimeFormat = (ms: number) => string

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const pad = (value: number, width: number): string => String(value).padStart(width, '0')

/** `2026-01-01T00:00:00.000Z`; the part up to the second is kept, as many lines share it. */
export function isoTime(): TimeFormat {
  let second = NaN
  let prefix = ''
  return (ms) => {
    const whole = Math.floor(ms / 1_000)
    if (whole !== second) {
      second = whole
      prefix = new Date(whole * 1_000).toISOString().slice(0, 20)
    }
    return `${prefix}${pad(Math.floor(ms) - whole * 1_000, 3)}Z`
  }
}

/**
 * Envoy's `START_TIME(...)`: strftime in UTC, `%s` seconds since 1970, `%f` and `%1f` to `%9f` fractions of a second.
 * @throws RangeError naming the specifier that is not known
 */
export function compileTime(format: string): TimeFormat {
  if (format === '') return isoTime()
  const parts: (string | ((date: Date, ms: number) => string))[] = []
  for (const [text, specifier, digits] of format.matchAll(/%(?:([1-9])?f|(.))|[^%]+|%/g)) {
    if (!text.startsWith('%')) parts.push(text)
    else if (text.endsWith('f') && digits === undefined) parts.push((_, ms) => fraction(ms, Number(specifier ?? 9)))
    else parts.push(fieldOf(digits ?? ''))
  }
  return (ms) => {
    const date = new Date(ms)
    return parts.map((part) => (typeof part === 'string' ? part : part(date, ms))).join('')
  }
}

/** Clocks here know microseconds at most. */
function fraction(ms: number, digits: number): string {
  const micros = Math.floor((ms - Math.floor(ms / 1_000) * 1_000) * 1_000)
  return pad(micros, 6).padEnd(9, '0').slice(0, digits)
}

function fieldOf(letter: string): (date: Date, ms: number) => string {
  switch (letter) {
    case 'Y':
      return (d) => String(d.getUTCFullYear())
    case 'y':
      return (d) => pad(d.getUTCFullYear() % 100, 2)
    case 'm':
      return (d) => pad(d.getUTCMonth() + 1, 2)
    case 'd':
      return (d) => pad(d.getUTCDate(), 2)
    case 'e':
      return (d) => String(d.getUTCDate()).padStart(2)
    case 'H':
      return (d) => pad(d.getUTCHours(), 2)
    case 'I':
      return (d) => pad(d.getUTCHours() % 12 || 12, 2)
    case 'p':
      return (d) => (d.getUTCHours() < 12 ? 'AM' : 'PM')
    case 'M':
      return (d) => pad(d.getUTCMinutes(), 2)
    case 'S':
      return (d) => pad(d.getUTCSeconds(), 2)
    case 'T':
      return (d) => d.toISOString().slice(11, 19)
    case 'F':
      return (d) => d.toISOString().slice(0, 10)
    case 'a':
      return (d) => DAYS[d.getUTCDay()] as string
    case 'b':
      return (d) => MONTHS[d.getUTCMonth()] as string
    case 's':
      return (_, ms) => String(Math.floor(ms / 1_000))
    case 'Z':
      return () => 'UTC'
    case 'z':
      return () => '+0000'
    case '%':
      return () => '%'
    default:
      throw new RangeError(`time format: %${letter} is not known`)
  }
}
