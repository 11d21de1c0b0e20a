import { createHash } from 'node:crypto'
import type { EndpointSlice, LabelSelector, Node, Secret, Service } from '../../../api/generated/types.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import type { BgpPeer } from '../../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import type { RoutePolicy } from '../../../api/routing.biplane.dev/v1alpha1/route-policy.ts'
import type { Router } from '../../../api/routing.biplane.dev/v1alpha1/router.ts'
import type { StaticRoute } from '../../../api/routing.biplane.dev/v1alpha1/static-route.ts'
import { formatIp, parseIp, parsePrefix } from '../../../base/ip.ts'
import { announcementsOf } from './announcements.ts'
import { compilePeer } from './compile-peer.ts'
import type { PeerConfig, RouterConfig, RoutingConfig, StaticConfig } from './routing-config.ts'

/** The objects of the API that decide what a node does in routing. */
export interface RoutingInput {
  readonly node: Node
  readonly routers: readonly Router[]
  readonly peers: readonly BgpPeer[]
  readonly policies: readonly RoutePolicy[]
  readonly statics: readonly StaticRoute[]
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  /** By `namespace/name`; only those that peers refer to are asked for. */
  readonly secret: (key: string) => Secret | undefined
}

/** What the node does in routing. Pure; whatever cannot be used is left out and named. */
export function compileRouting(input: RoutingInput): RoutingConfig {
  const problems: string[] = []
  const labels = input.node.metadata.labels ?? {}
  const mine = <T extends { readonly metadata: { readonly name: string }; readonly spec: { nodeSelector?: LabelSelector | undefined } }>(
    objects: readonly T[],
  ): readonly T[] => byName(objects).filter(({ spec }) => !spec.nodeSelector || labelSelectorMatcher(spec.nodeSelector)(labels))
  const statics = mine(input.statics).flatMap((route) => compileStatic(route) ?? [])
  const [chosen, ...others] = mine(input.routers)
  for (const { metadata } of others) problems.push(`Router "${metadata.name}" selects the node too: "${chosen?.metadata.name}" is used`)
  const router = chosen && compileRouter(chosen, input.node)
  if (typeof router === 'string') problems.push(router)
  if (!router || typeof router === 'string') return withRevision({ peers: [], originated: [], statics, problems })
  const policies = new Map(input.policies.map((policy) => [policy.metadata.name, policy]))
  const peers: PeerConfig[] = []
  const taken = new Map<string, string>()
  for (const peer of mine(input.peers)) {
    const compiled = compilePeer({
      peer,
      router,
      gracefulRestart: chosen?.spec.gracefulRestart,
      policies,
      password: passwordOf(peer, input.secret),
    })
    problems.push(...compiled.problems)
    if (!compiled.peer) continue
    const key = remoteKey(compiled.peer)
    const other = taken.get(key)
    if (other !== undefined) problems.push(`BGPPeer "${peer.metadata.name}" has the address of "${other}", which is used`)
    else {
      taken.set(key, peer.metadata.name)
      peers.push(compiled.peer)
    }
  }
  const originated = announcementsOf({ ...input, advertise: chosen?.spec.advertise, statics })
  return withRevision({ router, peers, originated, statics, problems })
}

/** Names of the Secrets that the peers of a node refer to, as `namespace/name`. */
export function secretsOf(peers: readonly BgpPeer[]): ReadonlySet<string> {
  return new Set(peers.flatMap(({ spec: { passwordSecretRef: ref } }) => (ref ? [`${ref.namespace ?? 'kube-system'}/${ref.name}`] : [])))
}

function compileRouter({ metadata, spec }: Router, node: Node): RouterConfig | string {
  const address = (node.status?.addresses ?? []).find(({ type, address }) => type === 'InternalIP' && !address.includes(':'))?.address
  const routerId = identifier(spec.routerID ?? address)
  if (routerId === undefined) return `Router "${metadata.name}": the node has no IPv4 address to be its router ID: set spec.routerID`
  const { external = 20, internal = 200 } = spec.distances ?? {}
  const { install = true, table = 254, metricBase = 0 } = spec.kernel ?? {}
  return {
    name: metadata.name,
    generation: metadata.generation ?? 0,
    localAs: spec.asn,
    routerId,
    clusterId: identifier(spec.clusterID) ?? routerId,
    listen: { addresses: spec.listen?.addresses ?? [], port: spec.listen?.port ?? 179 },
    maximumPaths: Math.min(spec.maximumPaths ?? 1, 64),
    multipathRelax: spec.multipathRelax ?? false,
    metrics: { ebgp: metricBase + external, ibgp: metricBase + internal },
    install,
    table,
    metricBase,
    drain: spec.drain ?? false,
    restartTimeSeconds: spec.gracefulRestart?.restartTimeSeconds ?? 120,
  }
}

function compileStatic({ metadata, spec }: StaticRoute): StaticConfig | undefined {
  const prefix = parsePrefix(spec.prefix)
  return (
    prefix && {
      name: metadata.name,
      prefix,
      type: (spec.type ?? 'Unicast').toLowerCase() as StaticConfig['type'],
      nextHops: (spec.nextHops ?? []).map(({ address, device, weight = 1 }) => {
        const bytes = address === undefined ? undefined : parseIp(address)
        return { ...(bytes ? { address: bytes } : {}), ...(device === undefined ? {} : { device }), weight }
      }),
      distance: spec.distance ?? 1,
    }
  )
}

function passwordOf({ spec: { passwordSecretRef: ref } }: BgpPeer, secret: RoutingInput['secret']): string | undefined {
  if (!ref) return undefined
  const found = secret(`${ref.namespace ?? 'kube-system'}/${ref.name}`)
  const key = ref.key ?? 'password'
  const encoded = found?.data?.[key]
  // a line end behind a password is an accident of `echo`
  return encoded === undefined
    ? undefined
    : Buffer.from(encoded, 'base64')
        .toString()
        .replace(/\r?\n$/, '')
}

/** Four bytes as a number. */
function identifier(text: string | undefined): number | undefined {
  const bytes = text === undefined ? undefined : parseIp(text)
  return bytes?.length === 4 ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : undefined
}

function remoteKey({ remote }: PeerConfig): string {
  // without the link: connections of a peer do not tell it
  if ('address' in remote) return formatIp(remote.address)
  return remote.prefixes.map(({ bytes, length }) => `${formatIp(bytes)}/${length}`).join(',')
}

function byName<T extends { readonly metadata: { readonly name: string } }>(objects: readonly T[]): readonly T[] {
  return [...objects].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}

function withRevision(config: Omit<RoutingConfig, 'revision'>): RoutingConfig {
  const plain = (_key: string, value: unknown): unknown => (value instanceof Uint8Array ? formatIp(value) : value)
  return { ...config, revision: createHash('sha256').update(JSON.stringify(config, plain)).digest('hex').slice(0, 16) }
}
