import type { ProxyView } from '../../../policy/traffic/input/index.ts'
import type { CallReport, SeenConnections } from '../../../protocols/mesh-link.ts'

/** Connections from one caller to one port of a service, all together. */
export interface SeenCall {
  /** SPIFFE id; absent: it showed none. */
  readonly caller?: string
  /** The caller's pod as `namespace/name`, or its address where nobody knows whose it is. */
  readonly from: string
  readonly address: string
  /** The first service that leads to the port; absent: none does. */
  readonly service?: { readonly namespace: string; readonly name: string; readonly port: number }
  /** `namespace/service:port`, or `namespace/pod:port`. */
  readonly to: string
  readonly isHttp: boolean
  readonly transport: SeenConnections['transport']
  readonly count: number
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number
}

/** Different calls that are kept; those that were seen longest ago go. */
const MAX_CALLS = 20_000
const MAX_CONNECTIONS = 1_000
const MAX_TEXT = 512
const TRANSPORTS: ReadonlySet<unknown> = new Set(['mesh', 'plaintext', 'tls'])

/** Who was seen to call whom, as proxies tell. In memory alone: proxies tell a control plane that was started anew everything again. */
export class CallLedger {
  readonly #calls = new Map<string, SeenCall>()
  readonly #telling = new Set<string>()
  readonly #limit: number

  constructor(limit: number = MAX_CALLS) {
    this.#limit = limit
  }

  /** @param podAt the pod that has an address */
  take(proxy: ProxyView, { connections }: CallReport, nowMs: number, podAt: (address: string) => string | undefined): void {
    this.#telling.add(proxy.name)
    for (const { caller, address, port, transport, count } of connections) {
      const own = proxy.ports.find((one) => one.port === port)
      const service = own?.services[0]
      const to = service ? `${service.namespace}/${service.name}:${service.port}` : `${proxy.namespace}/${proxy.pod}:${port}`
      const from = podAt(address) ?? address
      const key = `${to} ${caller ?? from} ${transport}`
      const known = this.#calls.get(key)
      // the last one stands last
      this.#calls.delete(key)
      this.#calls.set(key, {
        from,
        address,
        to,
        transport,
        isHttp: own !== undefined && own.protocol !== 'tcp' && own.protocol !== 'tls',
        count: (known?.count ?? 0) + count,
        lastSeenMs: nowMs,
        ...(caller === undefined ? {} : { caller }),
        ...(service ? { service } : {}),
      })
      if (this.#calls.size > this.#limit) this.#calls.delete(this.#calls.keys().next().value as string)
    }
  }

  /** The proxy does not exist any more; what it has told stays. */
  forget(proxy: string): void {
    this.#telling.delete(proxy)
  }

  /** Whether a proxy has told anything, be it that nobody has called. */
  tells(proxy: string): boolean {
    return this.#telling.has(proxy)
  }

  /** Those that were seen last come last. */
  get calls(): Iterable<SeenCall> {
    return this.#calls.values()
  }
}

/** Reads what a proxy has sent. @throws Error naming what is wrong with it */
export function readCallReport(text: string): CallReport {
  const { epoch, connections } = JSON.parse(text) as { readonly epoch?: unknown; readonly connections?: unknown }
  if (epoch !== undefined && !isText(epoch)) throw new Error('epoch: must be a text')
  if (!Array.isArray(connections) || connections.length > MAX_CONNECTIONS)
    throw new Error(`connections: must be a list of ${MAX_CONNECTIONS} at most`)
  return { connections: connections.map(readConnections), ...(epoch === undefined ? {} : { epoch }) }
}

function readConnections(value: unknown, i: number): SeenConnections {
  const { caller, address, port, transport, count } = (value ?? {}) as Record<keyof SeenConnections, unknown>
  const bad = (field: string): Error => new Error(`connections[${i}].${field}: is not understood`)
  if (caller !== undefined && (!isText(caller) || !caller.startsWith('spiffe://'))) throw bad('caller')
  if (!isText(address)) throw bad('address')
  if (!isWhole(port, 65_535)) throw bad('port')
  if (!TRANSPORTS.has(transport)) throw bad('transport')
  if (!isWhole(count, Number.MAX_SAFE_INTEGER / MAX_CALLS)) throw bad('count')
  return { address, port, count, transport: transport as SeenConnections['transport'], ...(caller === undefined ? {} : { caller }) }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TEXT
const isWhole = (value: unknown, max: number): value is number => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= max
