import { bgpPeers } from '../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { routers } from '../../api/routing.biplane.dev/v1alpha1/router.ts'
import { staticRoutes } from '../../api/routing.biplane.dev/v1alpha1/static-route.ts'
import type { KindDefinition } from '../../api/kind.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { sleep, type Clock } from '../../base/clock.ts'
import { isStatus, messageOf } from '../../base/errors.ts'
import { isJsonObject } from '../../base/json-object.ts'
import type { Logger } from '../../base/log.ts'
import type { Client } from '../../client/client.ts'
import { routingStatus, type Speaker } from '../../control-plane/routing/index.ts'
import type { RouterObjects } from './router-sources.ts'

export interface RouterStatusOptions {
  readonly client: Client
  readonly name: string
  readonly speaker: Speaker
  readonly objects: RouterObjects
  readonly clock: Clock
  readonly log: Logger
}

/** Statuses are written at most this often. */
const EVERY_MS = 1_000
/** Counters alone are no reason to write sooner. */
const COUNTERS_EVERY = 15
const COUNTERS = new Set(['messagesReceived', 'messagesSent', 'prefixesReceived', 'prefixesAccepted', 'prefixesSent'])
const TIMEOUT_MS = 10_000

/** Keeps this node's entries in the status of Routers, BGPPeers and StaticRoutes until the signal aborts. Never rejects. */
export async function reportRouting(options: RouterStatusOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, objects, speaker } = options
  for (let turn = 0; !signal.aborted; turn++) {
    await sleep(clock, EVERY_MS, signal).catch(() => {})
    if (signal.aborted || !objects.peers.synced) continue
    try {
      const status = routingStatus(speaker)
      const isFull = turn % COUNTERS_EVERY === 0
      for (const object of objects.peers.lister.list()) {
        await write(options, { kind: bgpPeers, object, field: 'sessions', wanted: status.peers.get(object.metadata.name), isFull }, signal)
      }
      for (const object of objects.routers.lister.list()) {
        await write(options, { kind: routers, object, field: 'nodes', wanted: status.routers.get(object.metadata.name), isFull }, signal)
      }
      for (const object of objects.statics.lister.list()) {
        await write(
          options,
          { kind: staticRoutes, object, field: 'nodes', wanted: status.statics.get(object.metadata.name), isFull },
          signal,
        )
      }
    } catch (error) {
      if (!signal.aborted) log.debug('status not written', { error: messageOf(error) })
    }
  }
}

interface Entry {
  readonly kind: KindDefinition<any>
  readonly object: KubeObject
  readonly field: 'sessions' | 'nodes'
  /** Undefined: there is to be none. */
  readonly wanted: unknown
  readonly isFull: boolean
}

async function write(
  { client, name }: RouterStatusOptions,
  { kind, object, field, wanted, isFull }: Entry,
  signal: AbortSignal,
): Promise<void> {
  const status = (object as { readonly status?: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> }).status
  const present = status?.[field]?.[name]
  // as it would come back
  const next = wanted === undefined ? undefined : (JSON.parse(JSON.stringify(wanted)) as unknown)
  if (deepEqual(present, next) || (!isFull && deepEqual(withoutCounters(present), withoutCounters(next)))) return
  const patch = { status: { [field]: { [name]: next === undefined ? null : mergePatch(present, next) } } }
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
    await client.of(kind).patch(object.metadata.name, patch, { type: 'merge', subresource: 'status', signal: limit })
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error
  }
}

function withoutCounters(value: unknown): unknown {
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !COUNTERS.has(key)))
}

/** What a merge patch has to say so that `before` becomes `after`: what is gone is null. */
export function mergePatch(before: unknown, after: unknown): unknown {
  if (!isJsonObject(before) || !isJsonObject(after)) return after
  const gone = Object.keys(before).filter((key) => !(key in after))
  return {
    ...Object.fromEntries(gone.map((key) => [key, null])),
    ...Object.fromEntries(Object.entries(after).map(([key, value]) => [key, mergePatch(before[key], value)])),
  }
}
