import type { TransportName } from '../../src/data-plane/proxy/transport/index.ts'
import {
  INBOUND_PORT,
  MESH_PORT,
  OUTBOUND_PORT,
  type Endpoint,
  type Listener,
  type Protocol,
  type Rbac,
  type SocketAddress,
} from '../../src/policy/traffic/model/index.ts'
import { Closers } from './peers.ts'
import { endpoints, inbound, inboundTarget, meshCluster, outbound, routesTo } from './resources.ts'
import { Mesh, Sidecar, spiffeId, type SidecarOptions } from './sidecar.ts'

export interface ServiceOptions {
  readonly mode?: 'strict' | 'permissive'
  readonly rbac?: Rbac
  /** As the control plane says it of the endpoint; default: that of the server's sidecar. */
  readonly identity?: string
  readonly inbound?: Partial<Listener>
  readonly outbound?: Partial<Listener>
  readonly detectTimeoutMs?: number
}

/** Client and server, each with its sidecar; the client's dials are intercepted, the server is reached by TLS of the mesh. */
export class Pair {
  readonly closers: Closers = new Closers()
  readonly mesh: Mesh
  readonly client: Sidecar
  readonly server: Sidecar
  #services = 0

  /** @param net third byte of their addresses on loopback */
  constructor(
    net: number,
    transport: TransportName = 'raw',
    options: { client?: Partial<SidecarOptions>; server?: Partial<SidecarOptions> } = {},
  ) {
    this.mesh = options.client?.mesh ?? new Mesh()
    const common = { mesh: this.mesh, transport }
    this.client = new Sidecar({ ...common, address: `127.91.${net}.1`, account: 'web', ...options.client })
    this.server = new Sidecar({ ...common, address: `127.91.${net}.2`, account: 'db', ...options.server })
  }

  async start(): Promise<this> {
    await Promise.all([this.client.start(), this.server.start()])
    return this
  }

  /** What the client's application dials lands there. */
  get dialed(): SocketAddress {
    return { address: this.client.address, port: OUTBOUND_PORT }
  }

  /** What others send to the server's pod in plain text lands there. */
  get plain(): SocketAddress {
    return { address: this.server.address, port: INBOUND_PORT }
  }

  /** Makes a service of an application, tells both sidecars, and lets the client dial it. @returns its address; also the name of its cluster */
  service(protocol: Protocol, app: SocketAddress, options: ServiceOptions = {}): SocketAddress {
    const vip = { address: `10.96.0.${++this.#services}`, port: 80 }
    this.serve(protocol, app, options)
    this.call(protocol, vip, [app], options)
    this.client.outboundTo = vip
    return vip
  }

  serve(protocol: Protocol, app: SocketAddress, options: ServiceOptions = {}): void {
    const listener = inbound(app, protocol, options)
    this.server.tell({ listeners: [{ ...listener, ...options.inbound }], ...inboundTarget(app, protocol) })
  }

  call(protocol: Protocol, vip: SocketAddress, apps: readonly SocketAddress[], options: ServiceOptions = {}): void {
    const { identity = spiffeId('db') } = options
    const name = vip.address
    const some: (Partial<Endpoint> & Pick<Endpoint, 'address'>)[] = apps.map((address) => ({ address, identity, meshPort: MESH_PORT }))
    this.client.tell({
      listeners: [outbound(vip, protocol, name, options.outbound)],
      routes: [routesTo(`outbound|${vip.address}|${vip.port}`, name)],
      clusters: [meshCluster(name, protocol)],
      endpoints: [endpoints(name, ...some)],
    })
  }

  async close(): Promise<void> {
    await this.closers.run()
    await Promise.all([this.client.close(), this.server.close()])
  }
}
