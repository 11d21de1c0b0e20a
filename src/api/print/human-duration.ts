const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

/**
 * A duration in two or three significant figures: `90s`, `5m30s`, `3d4h`, `2y35d`. Up to one second below zero counts
 * as zero, because clocks of different machines differ; more is `<invalid>`.
 * Source: k8s.io/apimachinery duration.HumanDuration.
 */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / SECOND_MS)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(durationMs / MINUTE_MS)
  if (minutes < 10) return withRest(`${minutes}m`, seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(durationMs / HOUR_MS)
  if (hours < 8) return withRest(`${hours}h`, minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return withRest(`${days}d`, hours % 24, 'h')
  if (days < 365 * 2) return `${days}d`
  const years = Math.floor(days / 365)
  if (years < 8) return withRest(`${years}y`, days % 365, 'd')
  return `${years}y`
}

/** Time since `timestamp` (RFC 3339), as `kubectl get` shows an age; `<unknown>` when there is none. */
export function ageSince(timestamp: string | undefined, nowMs: number): string {
  const thenMs = timestamp ? Date.parse(timestamp) : Number.NaN
  return Number.isNaN(thenMs) ? '<unknown>' : humanDuration(nowMs - thenMs)
}

function withRest(whole: string, rest: number, unit: string): string {
  return rest === 0 ? whole : `${whole}${rest}${unit}`
}
