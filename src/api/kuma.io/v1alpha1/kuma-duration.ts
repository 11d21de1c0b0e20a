/** Milliseconds of a unit. Days are Kuma's own, for the lifetimes of certificates. */
const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const WHOLE = /^(?:0|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+)$/
const PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g

/** A duration as Kuma writes it (`1h30m`, `500ms`, `0`), in milliseconds; undefined for any other text. Never negative. Source: Go time.ParseDuration. */
export function parseKumaDuration(text: string): number | undefined {
  if (text.length > 64 || !WHOLE.test(text)) return undefined
  let ms = 0
  for (const [, count, unit] of text.matchAll(PART)) ms += Number(count) * UNITS[unit!]!
  return ms
}

/** A percentage as Kuma writes it: a number, or a decimal as a string; undefined where it is none from 0 to 100. */
export function parseKumaPercent(value: number | string): number | undefined {
  if (typeof value === 'string' && !/^\d{1,3}(?:\.\d{1,9})?$/.test(value)) return undefined
  const percent = Number(value)
  return percent >= 0 && percent <= 100 ? percent : undefined
}

/** A bandwidth as Kuma writes it (`50kbps`, `1.5 Mbps`), in bytes per second. Source: Kuma MeshFaultInjection, responseBandwidth.limit. */
export function parseKumaBandwidth(text: string): number | undefined {
  const hit = /^(\d{1,9}(?:\.\d{1,9})?)\s?([kKmMgG])bps$/.exec(text)
  if (!hit) return undefined
  const factor = { k: 1e3, m: 1e6, g: 1e9 }[hit[2]!.toLowerCase()]!
  return (Number(hit[1]) * factor) / 8
}
