import {
  KUMA_DURATIONS,
  KUMA_PERCENTAGES,
  parseKumaBandwidth,
  parseKumaDuration,
  parseKumaPercent,
} from '../../../api/kuma.io/v1alpha1/index.ts'

/**
 * Settings with the same names and other values: durations are numbers of milliseconds, percentages numbers from 0 to 100, `limit` of a bandwidth bytes per
 * second. What cannot be read (a schema let it in before it was checked) is left out, so that the default holds.
 */
export function normalConf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalConf)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).map(([name, inner]) => [name, normalField(name, inner)] as const)
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined))
}

function normalField(name: string, value: unknown): unknown {
  if (typeof value === 'string' && KUMA_DURATIONS.has(name)) return parseKumaDuration(value)
  if (KUMA_PERCENTAGES.has(name) && (typeof value === 'string' || typeof value === 'number')) return parseKumaPercent(value)
  if (typeof value === 'string' && name === 'limit') return parseKumaBandwidth(value)
  // the one duration that is called `value`
  if (name === 'delay' && value !== null && typeof value === 'object') {
    const { value: delay, ...rest } = value as { value?: string }
    return { ...(normalConf(rest) as object), ...(delay === undefined ? {} : { value: parseKumaDuration(delay) }) }
  }
  return normalConf(value)
}
