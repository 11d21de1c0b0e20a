import type { Random } from '../../../base/backoff.ts'
import type { LoadBalancer } from '../../../policy/traffic/model/index.ts'
import type { Host } from './host.ts'
import { makeMaglev, makeRing, type HashTable } from './tables.ts'

/** Chooses among endpoints that are fixed for its life; a change makes a new one. */
export interface Balancer {
  /** @param hash of the request, for those that look at it */
  pick(hash: number | undefined, nowMs: number, step: number): Host | undefined
}

/** New endpoints begin with this share of their weight. Source: Envoy, slow start, min_weight_percent. */
const MIN_WARMTH = 0.1

/** Weight under slow start: grows evenly over the window. */
export function warmWeight(host: Host, nowMs: number, slowStartMs: number): number {
  const age = nowMs - host.warmFromMs
  return age >= slowStartMs ? host.weight : host.weight * Math.max(MIN_WARMTH, age / slowStartMs)
}

/** @param hosts those that may be chosen; others are never */
export function makeBalancer(config: LoadBalancer, hosts: readonly Host[], random: Random): Balancer {
  const [only] = hosts
  if (!only) return { pick: () => undefined }
  if (hosts.length === 1) return { pick: () => only }
  const slowStartMs = config.slowStartMs ?? 0
  switch (config.type) {
    case 'roundRobin':
      return roundRobin(hosts, slowStartMs, random)
    case 'random':
      return { pick: (_, nowMs) => byChance(hosts, random, (host) => warmWeight(host, nowMs, slowStartMs)) }
    case 'leastRequest':
      return leastRequest(hosts, Math.max(1, config.choices), config.activeRequestBias ?? 1, slowStartMs, random)
    case 'ringHash':
      return byHash(hosts, makeRing(hosts, config.minSize, config.maxSize, config.hash), random)
    case 'maglev':
      return byHash(hosts, makeMaglev(hosts, config.tableSize), random)
  }
}

const isEven = (hosts: readonly Host[]): boolean => hosts.every(({ weight }) => weight === hosts[0]?.weight)

/** Smooth weighted round robin: nobody gets two in a row while another is owed one. */
function roundRobin(hosts: readonly Host[], slowStartMs: number, random: Random): Balancer {
  const even = isEven(hosts)
  // proxies that start together do not all begin with the same endpoint
  let next = Math.floor(random() * hosts.length)
  let warmAtMs = Math.max(...hosts.map(({ warmFromMs }) => warmFromMs)) + slowStartMs
  if (slowStartMs === 0) warmAtMs = -Infinity
  for (const host of hosts) host.credit = 0
  return {
    pick(_, nowMs) {
      if (even && nowMs >= warmAtMs) {
        if (++next >= hosts.length) next = 0
        return hosts[next]
      }
      let total = 0
      let best: Host | undefined
      for (const host of hosts) {
        const weight = slowStartMs > 0 ? warmWeight(host, nowMs, slowStartMs) : host.weight
        total += weight
        host.credit += weight
        if (!best || host.credit > best.credit) best = host
      }
      if (best) best.credit -= total
      return best
    },
  }
}

/**
 * Equal weights: of a few at random the one with the least work. Else by chance, each weight divided by `(active + 1) ^ bias`, as Envoy weighs them.
 */
function leastRequest(hosts: readonly Host[], choices: number, bias: number, slowStartMs: number, random: Random): Balancer {
  const even = isEven(hosts)
  const warmAtMs = slowStartMs === 0 ? -Infinity : Math.max(...hosts.map(({ warmFromMs }) => warmFromMs)) + slowStartMs
  return {
    pick(_, nowMs) {
      if (!even || nowMs < warmAtMs) {
        return byChance(hosts, random, (host) => warmWeight(host, nowMs, slowStartMs) / (host.active + 1) ** bias)
      }
      let best = hosts[Math.floor(random() * hosts.length)] as Host
      for (let i = 1; i < choices; i++) {
        const other = hosts[Math.floor(random() * hosts.length)] as Host
        if (other.active < best.active) best = other
      }
      return best
    },
  }
}

function byChance(hosts: readonly Host[], random: Random, weightOf: (host: Host) => number): Host {
  let total = 0
  for (const host of hosts) total += weightOf(host)
  let point = random() * total
  for (const host of hosts) {
    point -= weightOf(host)
    if (point < 0) return host
  }
  return hosts.at(-1) as Host
}

function byHash(hosts: readonly Host[], table: HashTable, random: Random): Balancer {
  // without a value anything will do
  return { pick: (hash, _, step) => hosts[table.lookUp(hash ?? Math.floor(random() * 0x1_0000_0000), step)] }
}
