import type { FieldErrors } from '../../validation/field-errors.ts'
import { parseKumaBandwidth, parseKumaDuration, parseKumaPercent } from './kuma-duration.ts'

/** Names of fields that are durations, wherever they stand. */
export const KUMA_DURATIONS: ReadonlySet<string> = new Set(
  `connectionTimeout idleTimeout requestTimeout streamIdleTimeout maxStreamDuration maxConnectionDuration requestHeadersTimeout perTryTimeout
   baseInterval maxInterval interval baseEjectionTime timeout initialJitter intervalJitter noTrafficInterval ttl refreshInterval expiration expiry
   cacheDuration`.split(/\s+/),
)
export const KUMA_PERCENTAGES: ReadonlySet<string> = new Set([
  'percentage',
  'maxEjectionPercent',
  'healthyPanicThreshold',
  'intervalJitterPercent',
  'percent',
  'overall',
  'client',
  'random',
])
const PORTS = new Set(['port'])
/** Bounds of numbers by name; both included. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  httpStatus: [100, 599],
  numRetries: [0, 100],
  maxConnectAttempt: [1, 100],
  weight: [0, 1_000_000],
  choiceCount: [2, 1000],
  minRingSize: [1, 8_000_000],
  maxRingSize: [1, 8_000_000],
  tableSize: [1, 5_000_011],
  num: [1, 1_000_000_000],
  consecutive: [0, 1_000_000],
  healthyThreshold: [1, 1000],
  unhealthyThreshold: [1, 1000],
  maxConnections: [0, 4_294_967_295],
  maxConnectionPools: [0, 4_294_967_295],
  maxPendingRequests: [0, 4_294_967_295],
  maxRequests: [0, 4_294_967_295],
  maxRetries: [0, 4_294_967_295],
  minimumHosts: [0, 1_000_000],
  requestVolume: [0, 1_000_000],
  hostSelectionMaxAttempts: [0, 1000],
  minConcurrent: [0, 1_000_000],
}
/** Deeper than any schema of the group: what is free to nest is not looked into further. */
const MAX_DEPTH = 20

/** What names of fields promise, anywhere below `value`: durations, percentages, ports and bounds. Types are checked by the schema. */
export function checkConf(errors: FieldErrors, field: string, value: unknown, depth = 0): void {
  if (value === null || typeof value !== 'object' || depth > MAX_DEPTH) return
  if (Array.isArray(value)) {
    value.forEach((one, i) => checkConf(errors, `${field}[${i}]`, one, depth + 1))
    return
  }
  for (const [name, inner] of Object.entries(value)) checkField(errors, name, `${field}.${name}`, inner, depth)
}

function checkField(errors: FieldErrors, name: string, field: string, value: unknown, depth: number): void {
  if (value !== null && typeof value === 'object') checkConf(errors, field, value, depth + 1)
  else if (typeof value === 'string' && KUMA_DURATIONS.has(name)) checkDuration(errors, field, value)
  else if (KUMA_PERCENTAGES.has(name)) checkPercentage(errors, field, value)
  else if (PORTS.has(name) && typeof value === 'number') checkBounds(errors, field, value, 1, 65_535)
  else if (typeof value === 'number' && RANGES[name]) checkBounds(errors, field, value, ...RANGES[name])
  else if (name === 'limit' && typeof value === 'string' && parseKumaBandwidth(value) === undefined) {
    errors.invalid(field, value, 'must be a number with kbps, Mbps or Gbps, such as 100kbps')
  }
}

function checkDuration(errors: FieldErrors, field: string, value: string): void {
  if (parseKumaDuration(value) === undefined) errors.invalid(field, value, 'must be a duration such as 500ms, 5s or 1h30m')
}

function checkPercentage(errors: FieldErrors, field: string, value: unknown): void {
  if (typeof value !== 'string' && typeof value !== 'number') return
  if (parseKumaPercent(value) === undefined) {
    errors.invalid(field, value, 'must be a percentage from 0 to 100, a decimal as a string such as "0.5"')
  }
}

function checkBounds(errors: FieldErrors, field: string, value: number, low: number, high: number): void {
  if (value < low || value > high) errors.invalid(field, value, `must be between ${low} and ${high}, inclusive`)
}
