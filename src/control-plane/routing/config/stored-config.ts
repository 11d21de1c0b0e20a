import { formatIp, parseIp } from '../../../base/ip.ts'
import type { RoutingConfig } from './routing-config.ts'

const VERSION = 1

/** A configuration as text, for the last good copy on disk. Holds secrets. */
export function storeConfig(config: RoutingConfig): string {
  return JSON.stringify({ version: VERSION, config }, (_key, value: unknown) =>
    value instanceof Uint8Array ? { $ip: formatIp(value) } : value,
  )
}

/** @returns undefined for what is no configuration of this version */
export function readStoredConfig(text: string): RoutingConfig | undefined {
  try {
    const stored = JSON.parse(text, (_key, value: unknown) => {
      const ip = typeof value === 'object' && value !== null && '$ip' in value ? parseIp(String(value.$ip)) : undefined
      return ip ?? value
    }) as { readonly version?: number; readonly config?: RoutingConfig }
    const isWhole = stored.version === VERSION && typeof stored.config?.revision === 'string' && Array.isArray(stored.config.peers)
    return isWhole ? stored.config : undefined
  } catch {
    return undefined
  }
}
