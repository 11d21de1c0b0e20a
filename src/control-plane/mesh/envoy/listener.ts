import {
  HEALTH_PORT,
  INBOUND_ANY,
  INBOUND_PORT,
  meshServerName,
  MESH_PORT,
  OUTBOUND_ANY,
  OUTBOUND_PORT,
  type Listener,
} from '../../../policy/traffic/model/index.ts'
import {
  chainsOf,
  HTTP_INSPECTOR,
  inspectors,
  ORIGINAL_DST,
  tcpFilter,
  TLS_INSPECTOR,
  withoutDoubles,
  type ListenerContext,
} from './chain.ts'
import { boundAddress, byText, socketAddress, type Json, type Note } from './resource.ts'

/** How connections get to the proxy: the kernel sends them to two ports of it, or the proxy binds the addresses themselves. */
export type Interception = 'redirect' | 'none'

const DETECT_MS = 3000

/** The listener of an address that the application dials. */
export function outboundListener(listener: Listener, interception: Interception, context: ListenerContext, note: Note): Json {
  const chains = withoutDoubles(
    listener.chains.flatMap((chain) => chainsOf(listener, chain, context, note)),
    note,
  )
  return {
    name: listener.name,
    address: socketAddress(listener.address.address, listener.address.port),
    traffic_direction: 'OUTBOUND',
    // found by the connection's original destination
    bind_to_port: interception === 'redirect' ? false : undefined,
    ...inspection(chains, listener.detectTimeoutMs),
    filter_chains: orClosed(chains, listener.name),
  }
}

/** Without a chain a listener would be refused. */
const orClosed = (chains: readonly Json[], statPrefix: string): readonly Json[] =>
  chains.length > 0 ? chains : [{ name: 'closed', filters: [tcpFilter({ statPrefix, clusters: [], accessLogs: [] }, () => {})] }]

function inspection(chains: readonly Json[], detectTimeoutMs: number | undefined): Json {
  const { tls, http } = inspectors(chains)
  const filters = [...(tls ? [TLS_INSPECTOR] : []), ...(http ? [HTTP_INSPECTOR] : [])]
  if (filters.length === 0) return {}
  // a client that waits for the server's first byte is let through unseen
  return { listener_filters: filters, listener_filters_timeout: detectTimeoutMs ?? DETECT_MS, continue_on_listener_filters_timeout: true }
}

/** Takes everything that the application dials: hands it to the listener of its destination, or treats it as `any` says, the listener `outbound|*`. */
export function virtualOutbound(any: Listener | undefined, context: ListenerContext, note: Note): Json {
  const chains = withoutDoubles(any?.chains.flatMap((chain) => chainsOf(any, chain, context, note)) ?? [], note)
  const looks = inspection(chains, any?.detectTimeoutMs)
  return {
    name: 'virtual-outbound',
    address: socketAddress('0.0.0.0', OUTBOUND_PORT),
    traffic_direction: 'OUTBOUND',
    use_original_dst: true,
    ...looks,
    listener_filters: [ORIGINAL_DST, ...((looks['listener_filters'] as readonly Json[] | undefined) ?? [])],
    filter_chains: orClosed(chains, OUTBOUND_ANY),
  }
}

/** Envoy's own, which no application has: handing them on would lead here again. */
const OWN_PORTS = [INBOUND_PORT, OUTBOUND_PORT, MESH_PORT, HEALTH_PORT] as const

/** Takes everything that comes for the application by interception; ports that no listener is for are carried by `inbound|*`, or closed where there is none. */
export function virtualInbound(listeners: readonly Listener[], context: ListenerContext, note: Note): Json {
  const any = listeners.find(({ name }) => name === INBOUND_ANY)
  const perPort = sorted(declared(listeners)).map((listener) => ({
    port: listener.address.port,
    chains: listener.chains.flatMap((chain) =>
      chainsOf(listener, chain, context, note, { match: { destination_port: listener.address.port }, prefix: `${listener.name}/` }),
    ),
  }))
  const others = any?.chains.flatMap((chain) => chainsOf(any, chain, context, note, { prefix: `${INBOUND_ANY}/` })) ?? []
  const closed = others.length === 0 ? [] : OWN_PORTS.filter((port) => !perPort.some((one) => one.port === port))
  const looks = [
    ...perPort.map(({ port, chains }) => ({ port, ...inspectors(chains) })),
    ...closed.map((port) => ({ port, tls: false, http: false })),
  ]
  return {
    name: 'virtual-inbound',
    address: socketAddress('0.0.0.0', INBOUND_PORT),
    traffic_direction: 'INBOUND',
    listener_filters: [
      ORIGINAL_DST,
      inspectors(others).tls
        ? notAt(
            TLS_INSPECTOR,
            looks.filter(({ tls }) => !tls),
          )
        : onlyAt(
            TLS_INSPECTOR,
            looks.filter(({ tls }) => tls),
          ),
      onlyAt(
        HTTP_INSPECTOR,
        looks.filter(({ http }) => http),
      ),
    ].filter((filter) => filter !== undefined),
    listener_filters_timeout: Math.max(DETECT_MS, ...listeners.map(({ detectTimeoutMs }) => detectTimeoutMs ?? 0)),
    continue_on_listener_filters_timeout: true,
    filter_chains: withoutDoubles(
      [
        ...perPort.flatMap(({ chains }) => chains),
        ...closed.map((port) => ({
          name: `closed/${port}`,
          filter_chain_match: { destination_port: port },
          filters: [tcpFilter({ statPrefix: 'closed', clusters: [], accessLogs: [] }, note)],
        })),
        ...others,
      ],
      note,
    ),
  }
}

const declared = (listeners: readonly Listener[]): readonly Listener[] => listeners.filter(({ name }) => name !== INBOUND_ANY)

type AtPorts = readonly { readonly port: number }[]

/** Ports whose servers speak first must not be waited for. */
function onlyAt(filter: Json, ports: AtPorts): Json | undefined {
  return ports.length === 0 ? undefined : { ...filter, filter_disabled: { not_match: someOf(ports) } }
}

function notAt(filter: Json, ports: AtPorts): Json {
  return ports.length === 0 ? filter : { ...filter, filter_disabled: someOf(ports) }
}

function someOf(ports: AtPorts): Json {
  const [first, ...others] = ports.map(({ port }) => ({ destination_port_range: { start: port, end: port + 1 } }))
  return first && others.length === 0 ? first : { or_match: { rules: [first, ...others] } }
}

/** Takes TLS of the mesh for any port, by server name. Undefined where no port takes it. */
export function meshListener(listeners: readonly Listener[], context: ListenerContext, note: Note): Json | undefined {
  const chains = sorted(declared(listeners)).flatMap((listener) =>
    listener.chains
      .filter(({ tls }) => tls?.mode === 'mesh')
      .flatMap((chain) =>
        chainsOf(listener, chain, context, note, {
          match: { server_names: [meshServerName(listener.address.port)] },
          meshOnly: true,
          prefix: `${listener.name}/`,
        }),
      ),
  )
  const [first] = sorted(declared(listeners))
  if (chains.length === 0 || !first) return undefined
  return {
    name: 'mesh-inbound',
    address: socketAddress(first.address.address, MESH_PORT),
    traffic_direction: 'INBOUND',
    listener_filters: [TLS_INSPECTOR],
    filter_chains: withoutDoubles(chains, note),
  }
}

/** Listeners of a gateway that share an address are one for Envoy, under the name of the first. */
export function gatewayListener(sharing: readonly Listener[], context: ListenerContext, note: Note): Json {
  const [first] = sharing as [Listener, ...Listener[]]
  const chains = withoutDoubles(
    sharing.flatMap((listener) => listener.chains.flatMap((chain) => chainsOf(listener, chain, context, note))),
    note,
  )
  return {
    name: first.name,
    address: boundAddress(first.address.address, first.address.port),
    traffic_direction: 'INBOUND',
    ...inspection(chains, first.detectTimeoutMs),
    filter_chains: orClosed(chains, first.name),
  }
}

const sorted = (listeners: readonly Listener[]): readonly Listener[] =>
  listeners.toSorted((a, b) => a.address.port - b.address.port || byText(a.name, b.name))
