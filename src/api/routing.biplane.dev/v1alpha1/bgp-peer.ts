import type { LabelSelector } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkBgpPeer } from './bgp-peer-checks.ts'
import type { GracefulRestart } from './router.ts'
import type { AddressFamily } from './routing-checks.ts'

export interface MaximumPrefixes {
  family: AddressFamily
  limit: number
  /** Default Restart. */
  action?: 'Warn' | 'Restart' | 'Shutdown' | undefined
  /** Default 300. */
  restartSeconds?: number | undefined
}

export interface BgpPeerBfd {
  /** Default true. */
  enabled?: boolean | undefined
  /** Default 300. */
  minimumTransmitMilliseconds?: number | undefined
  /** Default 300. */
  minimumReceiveMilliseconds?: number | undefined
  /** Default 3. */
  detectMultiplier?: number | undefined
  /** A dead path only ends the session as a restart of the peer does, where its BFD shares the fate of its control plane. Default false. */
  graceful?: boolean | undefined
}

export interface BgpPeerSpec {
  /** Absent: all nodes. */
  nodeSelector?: LabelSelector | undefined
  /** A link-local address has its interface behind it: `fe80::1%eth0`. This or `prefixes`. */
  address?: string | undefined
  /** Dynamic neighbours: who comes from these addresses is taken, nobody is called. */
  prefixes?: string[] | undefined
  /** Default 100. */
  dynamicLimit?: number | undefined
  /** Default 179. */
  port?: number | undefined
  /** This, `asnRange` or `peerType`. */
  asn?: number | undefined
  asnRange?: { first: number; last: number } | undefined
  peerType?: 'External' | 'Internal' | undefined
  localASN?: number | undefined
  localAddress?: string | undefined
  /** Defaults: namespace kube-system, key password. */
  passwordSecretRef?: { name: string; namespace?: string | undefined; key?: string | undefined } | undefined
  /** Source: RFC 5082. */
  ttlSecurityHops?: number | undefined
  ebgpMultihopTTL?: number | undefined
  /** Defaults: 90, a third of the hold time, 15. */
  timers?: { holdSeconds?: number | undefined; keepaliveSeconds?: number | undefined; connectRetrySeconds?: number | undefined } | undefined
  /** Default: the family of the address. */
  families?: AddressFamily[] | undefined
  importPolicies?: string[] | undefined
  exportPolicies?: string[] | undefined
  maximumPrefixes?: MaximumPrefixes[] | undefined
  addPathReceive?: boolean | undefined
  routeReflectorClient?: boolean | undefined
  nextHopSelf?: boolean | undefined
  bfd?: BgpPeerBfd | undefined
  passive?: boolean | undefined
  shutdown?: boolean | undefined
  /** Source: RFC 9003. */
  shutdownMessage?: string | undefined
  /** Default 0. */
  allowASIn?: number | undefined
  /** Default true. Source: RFC 4271 section 6.3. */
  enforceFirstAS?: boolean | undefined
  gracefulRestart?: GracefulRestart | undefined
}

export interface BgpSessionStatus {
  /** Idle, Connect, Active, OpenSent, OpenConfirm or Established; Listening for a range. */
  state?: string | undefined
  since?: string | undefined
  address?: string | undefined
  localAddress?: string | undefined
  asn?: number | undefined
  routerID?: string | undefined
  holdSeconds?: number | undefined
  capabilities?: string[] | undefined
  prefixesReceived?: number | undefined
  prefixesAccepted?: number | undefined
  prefixesSent?: number | undefined
  messagesReceived?: number | undefined
  messagesSent?: number | undefined
  transitions?: number | undefined
  lastError?: string | undefined
  bfd?: string | undefined
  /** For a range: state by address. */
  neighbors?: { [address: string]: string } | undefined
}

/** Cluster-scoped: a neighbour with which nodes speak BGP. */
export interface BgpPeer extends KubeObject {
  spec: BgpPeerSpec
  /** By name of the node, so that each node can merge its own part. */
  status?: { sessions?: { [node: string]: BgpSessionStatus } | undefined }
}

export const bgpPeers: KindDefinition<BgpPeer> = defineKind<BgpPeer>({
  group: 'routing.biplane.dev',
  version: 'v1alpha1',
  kind: 'BGPPeer',
  plural: 'bgppeers',
  shortNames: ['peer', 'bgp'],
  namespaced: false,
  schema: 'dev.biplane.routing.v1alpha1.BGPPeer',
  status: true,
  columns: [
    { name: 'Address', type: 'string', description: 'Address of the peer, or where peers come from.', value: addressCell },
    { name: 'ASN', type: 'string', description: 'AS of the peer.', value: asnCell },
    { name: 'State', type: 'string', description: 'State of the session, or sessions up of all.', value: stateCell },
    { name: 'Received', type: 'integer', description: 'Prefixes received, all nodes.', value: (peer) => total(peer, 'prefixesReceived') },
    { name: 'Sent', type: 'integer', description: 'Prefixes announced, all nodes.', value: (peer) => total(peer, 'prefixesSent') },
    { name: 'Last Error', type: 'string', priority: 1, description: 'Why a session was last lost.', value: errorCell },
  ],
  strategy: {
    validate: ({ spec }) => collectErrors((errors) => checkPeer(errors, spec ?? {})),
    warnings: ({ spec }) => policyWarnings(spec),
  },
})

function checkPeer(errors: FieldErrors, spec: BgpPeerSpec): void {
  checkLabelSelector(errors, 'spec.nodeSelector', spec.nodeSelector)
  checkBgpPeer(errors, spec)
}

/** The most frequent surprise: an external session that is up and empty. */
function policyWarnings(spec: BgpPeerSpec): readonly string[] {
  if (spec.peerType === 'Internal') return []
  return (['importPolicies', 'exportPolicies'] as const)
    .filter((field) => !spec[field]?.length)
    .map(
      (field) => `spec.${field}: none: with an external peer no route is ${field === 'importPolicies' ? 'taken' : 'announced'} (RFC 8212)`,
    )
}

const sessions = ({ status }: BgpPeer): BgpSessionStatus[] => Object.values(status?.sessions ?? {})

function addressCell({ spec }: BgpPeer): string {
  return spec?.address ?? (spec?.prefixes ?? []).join(',')
}

function asnCell({ spec }: BgpPeer): string {
  if (spec?.asn !== undefined) return String(spec.asn)
  return spec?.asnRange ? `${spec.asnRange.first}-${spec.asnRange.last}` : (spec?.peerType ?? '')
}

function stateCell(peer: BgpPeer): string {
  const all = sessions(peer)
  if (all.length === 0) return '<none>'
  const first = all[0]?.state ?? 'Unknown'
  if (all.every(({ state }) => state === first)) return all.length === 1 ? first : `${first} (${all.length})`
  return `Established ${all.filter(({ state }) => state === 'Established').length}/${all.length}`
}

function total(peer: BgpPeer, field: 'prefixesReceived' | 'prefixesSent'): number {
  return sessions(peer).reduce((sum, session) => sum + (session[field] ?? 0), 0)
}

function errorCell(peer: BgpPeer): string {
  return sessions(peer).find(({ state, lastError }) => state !== 'Established' && lastError)?.lastError ?? ''
}
