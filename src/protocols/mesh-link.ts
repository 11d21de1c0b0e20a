/**
 * The mesh link: how the proxies of a node reach the control plane through their node agent.
 *
 * The agent dials out as for the node link (see node-link.ts): `GET MESH_LINK_PATH`, `upgrade: biplane-mesh-link`, as `system:node:<name>` by client
 * certificate. After the 101 the roles stay: the agent is the HTTP/2 client, with prior knowledge, the API server the HTTP/2 server. One link carries the streams of
 * all proxies of the node.
 *
 * Proxies speak HTTP/2 with prior knowledge to a unix socket of the agent (MESH_SOCKET below the node's directory). The agent passes their streams on as they
 * are, headers, messages and trailers, and adds nothing but MESH_NODE_HEADER. Each stream carries `authorization: Bearer <token>`: a service account token with
 * the audience MESH_AUDIENCE, bound to the pod of the proxy. The control plane believes it only if that pod is bound to the node of the link: a token that was
 * carried off to another node is of no use there.
 *
 * While the link is down the agent answers `grpc-status: 14` (UNAVAILABLE); proxies go on with what they have.
 *
 * Streams are gRPC: xDS (`/envoy.service.discovery.v3.AggregatedDiscoveryService/...`), `POST /biplane.mesh.v1.Identity/SignCertificate`, `POST
 * /biplane.mesh.v1.Calls/Report`, load reports.
 */

export const MESH_LINK_PATH = '/apis/biplane.dev/v1alpha1/meshlink'
/** Value of the `upgrade` header, both ways. */
export const MESH_LINK_PROTOCOL = 'biplane-mesh-link'
/** Who relays; set by the agent, whatever the proxy said. */
export const MESH_NODE_HEADER = 'biplane-node'
/** Audience of the tokens with which proxies identify themselves. */
export const MESH_AUDIENCE = 'biplane.dev/mesh'
/** The agent's socket, below the node's directory; in a directory of its own, which containers are shown. */
export const MESH_SOCKET = 'mesh/link.sock'
/** Variable in which a proxy finds the path of the socket. */
export const MESH_SOCKET_VARIABLE = 'BIPLANE_MESH_SOCKET'
/** Milliseconds between pings of the agent, and how long an answer to one may take. */
export const MESH_LINK_PING_MS = 10_000

/** gRPC method that signs an identity. */
export const SIGN_CERTIFICATE_PATH = '/biplane.mesh.v1.Identity/SignCertificate'

/** Body of a SignCertificate request: JSON in one gRPC message. */
export interface SignCertificateRequest {
  /** PKCS#10, PEM. */
  readonly csr: string
}

export interface SignCertificateResponse {
  /** PEM: the leaf, then intermediates. */
  readonly certificate: string
  /** CA certificates in PEM by trust domain. */
  readonly trust: Readonly<Record<string, readonly string[]>>
  readonly spiffeId: string
  /** `ProxySettings.issuer` at the time. */
  readonly issuer: string
}

/** gRPC method by which proxies tell of connections that have come in. */
export const REPORT_CALLS_PATH = '/biplane.mesh.v1.Calls/Report'

/** Body of a Report request: JSON in one gRPC message. */
export interface CallReport {
  /** Who was told before; absent: nobody was, and `connections` are all there were. */
  readonly epoch?: string
  /** What was told before is not told again. */
  readonly connections: readonly SeenConnections[]
}

export interface CallReportAnswer {
  /** Of the control plane: another one after a restart, which knows of nothing. A report for another epoch is not taken: everything has to be told. */
  readonly epoch: string
}

/** Connections that came in, alike in all but their number. */
export interface SeenConnections {
  /** SPIFFE id; absent: the caller showed none. */
  readonly caller?: string
  /** IP address of the caller. */
  readonly address: string
  /** Of the application. */
  readonly port: number
  /** `mesh`: mutual TLS of the mesh; `tls`: the application's own, which the proxy does not look into. */
  readonly transport: 'mesh' | 'plaintext' | 'tls'
  readonly count: number
}
