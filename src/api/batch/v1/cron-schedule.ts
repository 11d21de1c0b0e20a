/** Thrown for a schedule that has no meaning. `code` is `CronSchedule`. */
export class CronScheduleError extends Error {
  override readonly name = 'CronScheduleError'
  readonly code = 'CronSchedule'
}

/** When a CronJob runs: five fields, or every so often. */
export type CronSchedule = CronFields | { readonly everyMs: number }

/** The values at which each field matches. Days match when both match, or either where neither is `*`: see `restrictsDays`. */
export interface CronFields {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly daysOfMonth: ReadonlySet<number>
  /** 1 to 12. */
  readonly months: ReadonlySet<number>
  /** 0 is Sunday. */
  readonly daysOfWeek: ReadonlySet<number>
  /** Both day fields are given: a day matches when one of them does. */
  readonly restrictsDays: boolean
}

/**
 * Reads a schedule in the syntax of cron(5) with its names and macros, `?` for `*`, and `@every 1h30m`.
 * Source: github.com/robfig/cron ParseStandard, whose texts the errors have.
 * @throws {CronScheduleError}
 */
export function parseCronSchedule(text: string): CronSchedule {
  if (text === '') throw new CronScheduleError('empty spec string')
  if (text.startsWith('@')) return parseDescriptor(text)
  const fields = text.trim().split(/\s+/)
  if (fields.length !== 5) {
    throw new CronScheduleError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`)
  }
  const [minutes, hours, daysOfMonth, months, daysOfWeek] = fields.map((field, i) => parseField(field, BOUNDS[i]!))
  const [, , dayOfMonth, , dayOfWeek] = fields
  return {
    minutes: minutes!,
    hours: hours!,
    daysOfMonth: daysOfMonth!,
    months: months!,
    daysOfWeek: daysOfWeek!,
    restrictsDays: !isAny(dayOfMonth!) && !isAny(dayOfWeek!),
  }
}

interface Bounds {
  readonly min: number
  readonly max: number
  readonly names?: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const BOUNDS: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
]
const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

function parseDescriptor(text: string): CronSchedule {
  const fields = Object.hasOwn(MACROS, text) ? MACROS[text] : undefined
  if (fields) return parseCronSchedule(fields)
  if (!text.startsWith('@every ')) throw new CronScheduleError(`unrecognized descriptor: ${text}`)
  const duration = text.slice('@every '.length)
  const everyMs = parseDuration(duration)
  if (everyMs === undefined) throw new CronScheduleError(`failed to parse duration ${text}: time: invalid duration "${duration}"`)
  // seconds are the finest there is
  return { everyMs: Math.max(1000, everyMs - (everyMs % 1000)) }
}

function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)) total += Number(amount) * UNITS_MS[unit!]!
  return total
}

function parseField(field: string, bounds: Bounds): ReadonlySet<number> {
  const values = new Set<number>()
  for (const part of field.split(',')) if (part !== '') addRange(values, part, bounds)
  return values
}

function addRange(values: Set<number>, text: string, bounds: Bounds): void {
  const [range = '', stepText, ...tooMany] = text.split('/')
  if (tooMany.length > 0) throw new CronScheduleError(`too many slashes: ${text}`)
  const [low, high, ...more] = range.split('-')
  if (more.length > 0) throw new CronScheduleError(`too many hyphens: ${text}`)
  const start = isAny(low!) ? bounds.min : parseValue(low!, bounds)
  let end = isAny(low!) ? bounds.max : high === undefined ? start : parseValue(high, bounds)
  const step = stepText === undefined ? 1 : parseNumber(stepText)
  // `N/step` means from N to the end
  if (stepText !== undefined && high === undefined) end = bounds.max
  if (start < bounds.min) throw new CronScheduleError(`beginning of range (${start}) below minimum (${bounds.min}): ${text}`)
  if (end > bounds.max) throw new CronScheduleError(`end of range (${end}) above maximum (${bounds.max}): ${text}`)
  if (start > end) throw new CronScheduleError(`beginning of range (${start}) beyond end of range (${end}): ${text}`)
  if (step === 0) throw new CronScheduleError(`step of range should be a positive number: ${text}`)
  for (let value = start; value <= end; value += step) values.add(value)
}

function parseValue(text: string, bounds: Bounds): number {
  const index = bounds.names?.indexOf(text.toLowerCase()) ?? -1
  return index >= 0 ? index + bounds.min : parseNumber(text)
}

function parseNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new CronScheduleError(`failed to parse int from ${text}: strconv.Atoi: parsing "${text}": invalid syntax`)
  return Number(text)
}

function isAny(field: string): boolean {
  return field === '*' || field === '?'
}
