import { TYPE_URL } from '../../../policy/traffic/model/index.ts'

/** Type URLs of Envoy's API that the streams treat specially. */
export const XDS_TYPE = {
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoints: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
} as const

interface Place {
  readonly rank: number
  /** Additions wait until everything that they may refer to has been sent. */
  readonly refers: boolean
  /** Types whose resources refer to this one: deletions wait until their clients have confirmed that they do not any more. */
  readonly users: readonly string[]
}

const PLACES: ReadonlyMap<string, Place> = new Map([
  [XDS_TYPE.secret, { rank: 0, refers: false, users: [XDS_TYPE.cluster, XDS_TYPE.listener] }],
  [XDS_TYPE.cluster, { rank: 1, refers: false, users: [XDS_TYPE.listener, XDS_TYPE.route] }],
  [XDS_TYPE.endpoints, { rank: 2, refers: false, users: [XDS_TYPE.cluster] }],
  // a listener warms until its routes are there, so routes come after it (again)
  [XDS_TYPE.listener, { rank: 3, refers: true, users: [] }],
  [XDS_TYPE.route, { rank: 4, refers: true, users: [XDS_TYPE.listener] }],
  [TYPE_URL.secret, { rank: 0, refers: false, users: [TYPE_URL.cluster, TYPE_URL.listener] }],
  [TYPE_URL.cluster, { rank: 1, refers: false, users: [TYPE_URL.listener, TYPE_URL.route] }],
  [TYPE_URL.endpoints, { rank: 2, refers: false, users: [TYPE_URL.cluster] }],
  [TYPE_URL.route, { rank: 3, refers: true, users: [TYPE_URL.listener] }],
  [TYPE_URL.listener, { rank: 4, refers: true, users: [] }],
  [TYPE_URL.proxy, { rank: 5, refers: false, users: [] }],
])
const OTHER: Place = { rank: 6, refers: false, users: [] }

/** Where a type stands in the order of make-before-break. Source: Envoy, xDS protocol, "Eventual consistency considerations". */
export const placeOf = (typeUrl: string): Place => PLACES.get(typeUrl) ?? OTHER

/** Whether a first request without names asks for everything, and a response of the state of the world lists everything: listeners and clusters. */
export const isFullType = (typeUrl: string): boolean => typeUrl === XDS_TYPE.listener || typeUrl === XDS_TYPE.cluster
