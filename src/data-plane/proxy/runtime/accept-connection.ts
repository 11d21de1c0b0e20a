import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import { parseIp, parsePrefix, prefixContains } from '../../../base/ip.ts'
import { MESH_ALPN, type FilterChain, type Listener, type SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { Downstream, DownstreamTlsInfo } from '../contract.ts'
import { serveHttp, type Deadline, type TimerWheel } from '../engine/index.ts'
import type { Accepted, Connection } from '../transport/index.ts'
import type { Chains } from './chains.ts'
import { chooseChain, transportOf } from './choose-chain.ts'
import type { DownstreamTlsMaker } from './downstream-tls.ts'
import { connectionBegun, connectionEnded, type LiveChain, type LiveConnection } from './live-chain.ts'
import { RefusedConnection, type Refusals } from './refusals.ts'
import { sniffProtocol } from './sniff-protocol.ts'
import { readClientHello } from '../transport/client-hello.ts'
import type { TcpCarrier } from './tcp-carrier.ts'

export interface AcceptDeps {
  readonly chains: Chains
  readonly tls: DownstreamTlsMaker
  readonly tcp: TcpCarrier
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly refusals: Refusals
  /** Told of each connection that comes in to the application, whether it may or not. */
  readonly onInbound?: (downstream: Downstream, port: number, transport: 'mesh' | 'plaintext' | 'tls') => void
}

const DETECT_MS = 3_000
/** A client of HTTP that says nothing at all. */
const SILENT_MS = 60_000
const DRAIN_MS = 30_000

/**
 * Carries a connection as the listener of that name says: looks at first bytes where chains differ by them, ends TLS, judges, and hands it on as HTTP or as
 * bytes. Whatever goes wrong ends the connection and is logged; nothing is thrown.
 */
export async function acceptConnection(
  accepted: Accepted,
  listener: string,
  original: SocketAddress | undefined,
  deps: AcceptDeps,
): Promise<void> {
  try {
    await carry(accepted, listener, original, deps)
  } catch (error) {
    accepted.destroy()
    deps.refusals.note(listener, error, accepted.remote.address)
  }
}

async function carry(accepted: Accepted, name: string, original: SocketAddress | undefined, deps: AcceptDeps): Promise<void> {
  const seen = await look(accepted, deps.chains.listener(name))
  // rules of now: a client may have been silent while they changed
  const listener = deps.chains.listener(name)
  const transport = transportOf(seen.hello)
  const candidates = listener.chains.filter(({ match }) => leadsTo(match, original))
  const chain = chooseChain(
    { chains: candidates },
    {
      transport,
      ...(seen.hello ? { alpn: seen.hello.alpn } : {}),
      ...(seen.hello?.serverName === undefined ? {} : { serverName: seen.hello.serverName }),
    },
  )
  if (!chain) {
    const asked = seen.hello?.serverName ? ` for ${seen.hello.serverName}` : ''
    throw new RefusedConnection(
      'noChain',
      `no chain of ${name} takes ${transport}${asked}${original ? ` to ${original.address}:${original.port}` : ''}`,
    )
  }
  const { connection, info } = await secured(accepted, chain, seen.hello?.serverName, deps)
  const protocol = protocolOf(chain, listener, connection, seen.firstBytes)
  // a handshake takes its time, too
  const live = deps.chains.get(name, chain.name)
  const downstream: Downstream = {
    remote: connection.remote,
    local: connection.local,
    protocol,
    ...(original ? { original } : {}),
    ...(info ? { tls: info } : {}),
    drain: () => connection.end(),
    destroy: () => connection.destroy(),
  }
  if (listener.direction === 'inbound')
    deps.onInbound?.(
      downstream,
      listener.address.port || (original?.port ?? 0),
      chain.tls?.mode === 'mesh' ? 'mesh' : transport === 'plaintext' ? 'plaintext' : 'tls',
    )
  const verdict = live.parts.judge(downstream)
  // HTTP has an answer for who may not: the same rule stands in its filters
  if (!verdict.allowed && protocol === 'tcp') {
    deps.tcp.refuse(connection, live, downstream, verdict.details)
    throw new RefusedConnection('denied', `${verdict.details}: ${info?.peer ?? 'a client without identity'}`)
  }
  if (protocol === 'tcp') deps.tcp.carry(connection, live, downstream)
  else serve(connection, live, protocol, original, info, deps)
}

async function secured(
  accepted: Accepted,
  chain: FilterChain,
  serverName: string | undefined,
  { tls }: AcceptDeps,
): Promise<{ readonly connection: Connection; readonly info: DownstreamTlsInfo | undefined }> {
  try {
    const options = tls.for(chain, serverName)
    if (!options) return { connection: accepted.plain(), info: undefined }
    const connection = await accepted.secure(options)
    return { connection, info: connection.tls && tls.info(chain, connection.tls) }
  } catch (error) {
    throw new RefusedConnection('tls', messageOf(error), { cause: error })
  }
}

function serve(
  connection: Connection,
  live: LiveChain,
  protocol: 'http1' | 'http2',
  original: SocketAddress | undefined,
  tls: DownstreamTlsInfo | undefined,
  { clock, wheel }: AcceptDeps,
): void {
  const { http } = live.source.chain
  const { stats } = live.parts
  const startedMs = wheel.nowMs()
  const { requestHeadersMs, idleMs, maxConnectionDurationMs } = http?.timeouts ?? {}
  const served = serveHttp(
    connection,
    {
      protocol,
      clock,
      wheel,
      ...(original ? { original } : {}),
      ...(tls ? { tls } : {}),
      ...(http?.maxHeaderBytes === undefined ? {} : { maxHeadBytes: http.maxHeaderBytes }),
      ...(requestHeadersMs === undefined ? {} : { headTimeoutMs: requestHeadersMs }),
      ...(idleMs === undefined ? {} : { idleTimeoutMs: idleMs }),
      ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDurationMs }),
      drainTimeoutMs: DRAIN_MS,
      onClose: () => {
        deadline?.cancel()
        live.connections.delete(entry)
        connectionEnded(stats, wheel.nowMs() - startedMs)
      },
    },
    live.serve,
  )
  const downstream: Downstream = {
    remote: connection.remote,
    local: connection.local,
    protocol,
    ...(original ? { original } : {}),
    ...(tls ? { tls } : {}),
    drain: () => served.drain(),
    destroy: () => served.destroy(),
  }
  let deadline: Deadline | undefined
  const entry: LiveConnection = {
    downstream,
    drain: () => served.drain(),
    end(withinMs) {
      // forbidden, or of a configuration that is gone
      served.drain(0)
      deadline ??= wheel.deadline(() => served.destroy())
      deadline.set(withinMs)
    },
  }
  live.connections.add(entry)
  connectionBegun(stats)
}

interface Looked {
  readonly hello?: { readonly serverName?: string; readonly alpn: readonly string[] }
  readonly firstBytes: Buffer
}

/** First bytes, where something hangs on them. A client that waits for the server's first byte is taken for one of plain bytes after a while. */
async function look(accepted: Accepted, listener: Listener): Promise<Looked> {
  const [first, ...others] = listener.chains
  const isOne = others.length === 0 && first !== undefined && first.match.transport === undefined && first.match.serverNames === undefined
  if (isOne && first.tcp && !first.http) return { firstBytes: EMPTY }
  const isSure = listener.chains.every(({ tcp }) => tcp === undefined) || listener.protocol === 'tls'
  const waitMs = isSure ? SILENT_MS : (listener.detectTimeoutMs ?? DETECT_MS)
  const { firstBytes, hello } = await accepted.peek((bytes) => {
    const found = readClientHello(bytes)
    if (found === 'more') return false
    return found !== 'none' || sniffProtocol(bytes) !== 'unknown'
  }, waitMs)
  if (isSure && firstBytes.length === 0) throw new Error(`nothing was said within ${waitMs} ms`)
  return { firstBytes, ...(hello ? { hello } : {}) }
}

function protocolOf(chain: FilterChain, listener: Listener, connection: Connection, firstBytes: Buffer): Downstream['protocol'] {
  if (!chain.http) return 'tcp'
  const alpn = connection.tls?.alpn
  if (alpn === MESH_ALPN.tcp && chain.tcp) return 'tcp'
  if (alpn === MESH_ALPN.http2 || alpn === 'h2') return 'http2'
  if (alpn === MESH_ALPN.http1 || alpn === 'http/1.1') return 'http1'
  if (connection.tls) return chain.tcp && listener.protocol === 'auto' ? 'tcp' : 'http1'
  const sniffed = sniffProtocol(firstBytes)
  if (sniffed === 'http2') return 'http2'
  if (sniffed === 'http1' || !chain.tcp) return listener.protocol === 'grpc' && sniffed !== 'http1' ? 'http2' : 'http1'
  return 'tcp'
}

function leadsTo(match: FilterChain['match'], original: SocketAddress | undefined): boolean {
  const { destinations, destinationPort } = match
  if (destinationPort !== undefined && destinationPort !== original?.port) return false
  if (!destinations) return true
  const address = original && parseIp(original.address)
  return (
    address !== undefined &&
    destinations.some((text) => {
      const prefix = parsePrefix(text)
      return prefix !== undefined && prefixContains(prefix, address)
    })
  )
}

const EMPTY = Buffer.alloc(0)
