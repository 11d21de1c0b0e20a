import type { EndpointSet, ServiceBackend, ServiceNode } from './service-table.ts'

/** One endpoint of one service port, of one family. */
export interface CandidateEndpoint extends ServiceBackend {
  readonly ready: boolean
  /** Not ready, but still answering while it ends (KEP-1669). */
  readonly servesWhileEnding: boolean
  readonly nodeName?: string
  readonly zoneHints: readonly string[]
  readonly nodeHints: readonly string[]
}

/** Who serves under either traffic policy. */
export interface EndpointSelection {
  readonly cluster: EndpointSet
  readonly local: EndpointSet
}

/**
 * Which endpoints serve, by upstream's rules. Cluster: the ready ones, narrowed to this node or this zone where every ready one carries hints of
 * that sort and at least one is meant for us; with none ready, those that end but still serve. Local: the same choice among the endpoints of this
 * node, without hints. Pure. Source: kube-proxy's CategorizeEndpoints; KEP-2433, KEP-3015, KEP-1669.
 */
export function selectEndpoints(candidates: readonly CandidateEndpoint[], node: ServiceNode): EndpointSelection {
  const ready = candidates.filter((candidate) => candidate.ready)
  const ending = candidates.filter((candidate) => !candidate.ready && candidate.servesWhileEnding)
  const here = (candidate: CandidateEndpoint): boolean => candidate.nodeName === node.name
  const any = ready.length + ending.length > 0
  return {
    cluster: clusterSet(ready, ending, node),
    local: localSet(ready.filter(here), ending.filter(here), any),
  }
}

function clusterSet(ready: readonly CandidateEndpoint[], ending: readonly CandidateEndpoint[], node: ServiceNode): EndpointSet {
  if (ready.length === 0) {
    if (ending.length > 0) return setOf(ending, 'terminating but still serving, since none is ready')
    return { backends: [], why: 'no endpoint is ready', empty: 'reject' }
  }
  const forNode = hinted(ready, ({ nodeHints }) => nodeHints, node.name)
  if (forNode) return setOf(forNode, `ready and hinted for node ${node.name}`)
  const forZone = hinted(ready, ({ zoneHints }) => zoneHints, node.zone ?? '')
  if (forZone) return setOf(forZone, `ready and hinted for zone ${node.zone}`)
  return setOf(ready, 'ready')
}

function localSet(ready: readonly CandidateEndpoint[], ending: readonly CandidateEndpoint[], any: boolean): EndpointSet {
  if (ready.length > 0) return setOf(ready, 'ready on this node')
  if (ending.length > 0) return setOf(ending, 'on this node, terminating but still serving')
  if (any) return { backends: [], why: 'the traffic policy is Local and no endpoint is on this node', empty: 'drop' }
  return { backends: [], why: 'no endpoint is ready', empty: 'reject' }
}

/** The endpoints meant for `wanted`; undefined where hints cannot be followed. */
function hinted(
  ready: readonly CandidateEndpoint[],
  hintsOf: (candidate: CandidateEndpoint) => readonly string[],
  wanted: string,
): readonly CandidateEndpoint[] | undefined {
  if (ready.some((candidate) => hintsOf(candidate).length === 0)) return undefined
  const meant = ready.filter((candidate) => hintsOf(candidate).includes(wanted))
  return meant.length > 0 ? meant : undefined
}

function setOf(candidates: readonly CandidateEndpoint[], why: string): EndpointSet {
  const backends = candidates.map(({ address, port }) => ({ address, port })).sort(byText)
  return { backends, why: `${backends.length} endpoint${backends.length === 1 ? '' : 's'} ${why}` }
}

function byText(a: ServiceBackend, b: ServiceBackend): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}
