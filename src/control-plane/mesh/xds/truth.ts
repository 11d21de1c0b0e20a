import { originName, TYPE_URL, type Origin } from '../../../policy/traffic/model/index.ts'
import type { ClientKind, EncodedResource, Quarantine, ResourceChange } from './contract.ts'
import { countInForce, isDirty, type StreamState, type TypeState } from './stream-state.ts'
import { XDS_TYPE } from './type-order.ts'

/** How far a policy object has come. */
export interface OriginAcks {
  /** Proxies that have, or are to have, something of it. */
  readonly total: number
  /** Of those: everything of it is in force. */
  readonly acked: number
  readonly refused: readonly { readonly proxy: string; readonly reason: string }[]
}

export interface ProxyTypeTruth {
  readonly typeUrl: string
  /** `listener`, `route`, ... */
  readonly type: string
  readonly resources: number
  /** The response that was confirmed last. */
  readonly acked?: string
  readonly ackedAtMs?: number
  readonly pending?: string
  readonly refused: readonly { readonly name: string; readonly reason: string; readonly atMs: number }[]
  /** Milliseconds that the unconfirmed response has waited; 0: everything is confirmed. */
  readonly staleMs: number
}

export interface ProxyTruth {
  readonly proxy: string
  readonly kind: ClientKind
  readonly connected: boolean
  /** Milliseconds since 1970. */
  readonly sinceMs: number
  readonly lastContactMs: number
  readonly types: readonly ProxyTypeTruth[]
}

type Standing = { readonly state: 'acked' | 'pending' } | { readonly state: 'refused'; readonly reason: string }

interface Entry {
  readonly stream: StreamState
  readonly kind: ClientKind
  readonly sinceMs: number
}

/** Streams of one proxy, oldest first: another data plane and what stands beside it have one each, and a dead one may not have been noticed yet. */
interface Streams {
  readonly entries: Set<Entry>
  /** The proxy does not exist any more. */
  forgotten?: true
  /** By name of the origin; absent: has to be counted again. */
  summary?: ReadonlyMap<string, Standing>
}

/** Proxies that are gone but still shown. */
const MAX_GONE = 10_000

/** What is in force where: acknowledgements and refusals of all streams, by proxy and by the object that the configuration comes from. */
export class Truth {
  readonly #live: Map<StreamState, Entry> = new Map()
  readonly #byProxy: Map<string, Streams> = new Map()
  readonly #gone: Map<string, ProxyTruth> = new Map()
  readonly #listeners: Set<() => void> = new Set()
  readonly #quarantine: Quarantine | undefined
  readonly #monotonic: () => number

  constructor(options: { readonly monotonic: () => number; readonly quarantine?: Quarantine }) {
    this.#monotonic = options.monotonic
    this.#quarantine = options.quarantine
  }

  add(stream: StreamState, kind: ClientKind, sinceMs: number): void {
    const entry: Entry = { stream, kind, sinceMs }
    this.#live.set(stream, entry)
    const streams = this.#byProxy.get(stream.proxy)
    if (streams) streams.entries.add(entry)
    else this.#byProxy.set(stream.proxy, { entries: new Set([entry]) })
    this.#gone.delete(stream.proxy)
    delete streams?.summary
  }

  remove(stream: StreamState): void {
    const entry = this.#live.get(stream)
    const streams = this.#byProxy.get(stream.proxy)
    if (!entry || !streams) return
    this.#live.delete(stream)
    const last = truthOf(streams, this.#monotonic())
    streams.entries.delete(entry)
    delete streams.summary
    // a proxy that has dialled again before its old stream was noticed to be dead is not gone
    if (streams.entries.size > 0) return this.#tell()
    this.#byProxy.delete(stream.proxy)
    if (streams.forgotten) return this.#tell()
    if (this.#gone.size >= MAX_GONE) this.#gone.delete(this.#gone.keys().next().value as string)
    this.#gone.set(stream.proxy, { ...last, connected: false })
    this.#tell()
  }

  /** The proxy does not exist any more: it is not shown once its streams have ended. */
  forget(proxy: string): void {
    this.#gone.delete(proxy)
    const streams = this.#byProxy.get(proxy)
    if (streams) streams.forgotten = true
  }

  /** Proxies are to have something else, which they may not have been told yet. */
  changed({ proxies }: Pick<ResourceChange, 'proxies'>): void {
    for (const proxy of proxies ?? this.#byProxy.keys()) delete this.#byProxy.get(proxy)?.summary
  }

  /** Something was sent, confirmed or subscribed. */
  touch(stream: StreamState): void {
    const streams = this.#byProxy.get(stream.proxy)
    if (!streams) return
    delete streams.summary
    this.#tell()
  }

  /** A client has refused resources. Whoever compiles is told which objects they come from. */
  refused(stream: StreamState, resources: readonly EncodedResource[], reason: string): void {
    this.touch(stream)
    const kind = this.#live.get(stream)?.kind
    const origins = new Map(resources.flatMap((resource) => resource.origins.map((origin) => [originName(origin), origin] as const)))
    if (kind && origins.size > 0) this.#quarantine?.([...origins.values()], kind, reason)
  }

  /** Called after anything has changed. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** How far one object has come, on the proxies that are connected. */
  of(origin: Origin): OriginAcks {
    const name = originName(origin)
    const list: (readonly [proxy: string, standing: Standing])[] = []
    for (const [proxy, streams] of this.#byProxy) {
      const standing = (streams.summary ??= summarize(streams)).get(name)
      if (standing) list.push([proxy, standing])
    }
    return {
      total: list.length,
      acked: list.filter(([, { state }]) => state === 'acked').length,
      refused: list.flatMap(([proxy, standing]) => (standing.state === 'refused' ? [{ proxy, reason: standing.reason }] : [])),
    }
  }

  /** All proxies, sorted by name; each once, whatever number of streams it has. */
  proxies(): readonly ProxyTruth[] {
    const now = this.#monotonic()
    const list = [...[...this.#byProxy.values()].map((streams) => truthOf(streams, now)), ...this.#gone.values()]
    return list.toSorted((a, b) => (a.proxy < b.proxy ? -1 : a.proxy > b.proxy ? 1 : 0))
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** Of each type the youngest stream that asks for it. */
function youngestOf({ entries }: Streams): ReadonlyMap<string, { readonly stream: StreamState; readonly state: TypeState }> {
  const types = new Map<string, { readonly stream: StreamState; readonly state: TypeState }>()
  for (const { stream } of entries) for (const [typeUrl, state] of stream.types) types.set(typeUrl, { stream, state })
  return types
}

function truthOf(streams: Streams, now: number): ProxyTruth {
  const [first, ...others] = streams.entries
  if (!first) throw new Error('a proxy without a stream')
  const youngest = others.at(-1) ?? first
  return {
    proxy: first.stream.proxy,
    kind: youngest.kind,
    connected: true,
    sinceMs: youngest.sinceMs,
    lastContactMs: Math.max(...[...streams.entries].map(({ stream }) => stream.lastContactMs)),
    types: [...youngestOf(streams).values()].map(({ stream, state }) => typeTruth(stream, state, now)),
  }
}

function typeTruth(stream: StreamState, state: TypeState, now: number): ProxyTypeTruth {
  const { typeUrl, outstanding } = state
  // what was refused and is not wanted any more is history
  const refused = [...state.refused].filter(([name, { version }]) => stream.current(typeUrl, name)?.version === version)
  return {
    typeUrl,
    type: TYPE_NAMES.get(typeUrl) ?? typeUrl,
    resources: countInForce(state),
    ...(state.acked === '' ? {} : { acked: state.acked, ackedAtMs: state.ackedAtMs }),
    ...(outstanding ? { pending: outstanding.nonce } : {}),
    refused: refused.map(([name, { reason, atMs }]) => ({ name, reason, atMs })),
    staleMs: outstanding ? now - outstanding.sentAt : 0,
  }
}

const TYPE_NAMES: ReadonlyMap<string, string> = new Map(
  [TYPE_URL, XDS_TYPE].flatMap((table) => Object.entries(table).map(([name, url]) => [url, name] as const)),
)

function summarize(streams: Streams): ReadonlyMap<string, Standing> {
  const summary = new Map<string, Standing>()
  const note = (origins: readonly Origin[], standing: Standing): void => {
    for (const origin of origins) {
      const name = originName(origin)
      const before = summary.get(name)?.state
      if (before === undefined || standing.state === 'refused' || (standing.state === 'pending' && before === 'acked'))
        summary.set(name, standing)
    }
  }
  for (const { stream, state } of youngestOf(streams).values()) {
    const pending = new Set(state.outstanding?.resources.map(({ name }) => name))
    for (const [name, held] of state.held) {
      const current = stream.current(state.typeUrl, name)
      if (!current) continue
      const refusal = state.refused.get(name)
      if (refusal?.version === current.version) continue
      const inForce = !pending.has(name) && held.version === current.version
      note(current.origins, { state: inForce ? 'acked' : 'pending' })
    }
    for (const [name, { version, reason }] of state.refused) {
      const current = stream.current(state.typeUrl, name)
      if (current?.version === version) note(current.origins, { state: 'refused', reason })
    }
    if (!isDirty(state) || state.dirty === 'all') continue
    for (const name of state.dirty) {
      const current = stream.current(state.typeUrl, name)
      if (current && !state.refused.has(name)) note(current.origins, { state: 'pending' })
    }
  }
  return summary
}
