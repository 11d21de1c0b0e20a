import { MESH_ALPN, type FilterChain, type Listener } from '../../../policy/traffic/model/index.ts'

/** What the first bytes of a connection tell. */
export interface SeenConnection {
  readonly transport: 'mesh' | 'tls' | 'plaintext'
  /** What the client offers inside of TLS. */
  readonly alpn?: readonly string[]
  /** Server name that the client asked for; lower-case. */
  readonly serverName?: string
}

const MESH = new Set<string>(Object.values(MESH_ALPN))

/** TLS with an ALPN protocol of the mesh is the mesh's; other TLS is the application's own business, or a gateway's. */
export function transportOf(hello: { readonly alpn: readonly string[] } | undefined): SeenConnection['transport'] {
  if (!hello) return 'plaintext'
  return hello.alpn.some((protocol) => MESH.has(protocol)) ? 'mesh' : 'tls'
}

/** The chain of a listener for a connection: the first that fits, in the order given (exact names, wildcards, the rest). Undefined: the connection is closed. */
export function chooseChain(listener: Pick<Listener, 'chains'>, seen: SeenConnection): FilterChain | undefined {
  return listener.chains.find(({ match, tls }) => fitsTransport(match.transport, tls, seen) && fitsName(match.serverNames, seen.serverName))
}

function fitsTransport(
  transports: FilterChain['match']['transport'],
  tls: FilterChain['tls'],
  { transport, alpn = [] }: SeenConnection,
): boolean {
  if (transports === undefined || transports.includes(transport)) return true
  return transport === 'tls' && tls?.mode === 'mesh' && tls.proxyless === true && alpn.includes('h2')
}

function fitsName(names: readonly string[] | undefined, asked: string | undefined): boolean {
  if (names === undefined || names.length === 0) return true
  if (asked === undefined) return false
  // a wildcard stands for one label or more, as Gateway API has it
  return names.some((name) => name === asked || (name.startsWith('*.') && asked.length > name.length - 1 && asked.endsWith(name.slice(1))))
}
