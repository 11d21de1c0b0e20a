import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkCidr } from '../../validation/ip.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkPortName, checkRange } from '../../validation/names.ts'
import type {
  ClusterNetworkPolicyEgressPeer,
  ClusterNetworkPolicyEgressRule,
  ClusterNetworkPolicyIngressRule,
  ClusterNetworkPolicyPort,
  ClusterNetworkPolicyProtocol,
  ClusterNetworkPolicySpec,
  NamespacedPod,
} from './cluster-network-policy.ts'

/** Rules of a direction, peers of a rule, protocols of a rule, networks of a peer. */
const MAX_ITEMS = 25
const MAX_NAME = 100
const MAX_PRIORITY = 1000
const MAX_CIDR = 43
const MAX_PORT = 65_535

/** Bounds and the "exactly one field" rules of upstream's CRD, and a refusal of what is not enforced here. */
export function checkClusterNetworkPolicy(errors: FieldErrors, spec: Partial<ClusterNetworkPolicySpec>): void {
  const { priority, subject, ingress = [], egress = [] } = spec
  if (priority !== undefined) errors.invalidEach('spec.priority', priority, checkRange(priority, 0, MAX_PRIORITY))
  if (subject) {
    checkOneOf(errors, 'spec.subject', subject, ['namespaces', 'pods'])
    checkPods(errors, 'spec.subject', subject)
  }
  if (ingress.length > MAX_ITEMS) errors.tooMany('spec.ingress', ingress.length, MAX_ITEMS)
  if (egress.length > MAX_ITEMS) errors.tooMany('spec.egress', egress.length, MAX_ITEMS)
  ingress.forEach((rule, i) => {
    checkRule(errors, `spec.ingress[${i}]`, rule)
    checkCount(errors, `spec.ingress[${i}].from`, rule.from)
    rule.from?.forEach((peer, j) => {
      const path = `spec.ingress[${i}].from[${j}]`
      checkOneOf(errors, path, peer, ['namespaces', 'pods'])
      checkPods(errors, path, peer)
    })
  })
  egress.forEach((rule, i) => checkEgress(errors, `spec.egress[${i}]`, rule))
}

function checkEgress(errors: FieldErrors, field: string, rule: ClusterNetworkPolicyEgressRule): void {
  checkRule(errors, field, rule)
  checkCount(errors, `${field}.to`, rule.to)
  rule.to?.forEach((peer, j) => checkEgressPeer(errors, `${field}.to[${j}]`, peer))
  const noPorts = rule.to?.some(({ networks, nodes, domainNames }) => networks ?? nodes ?? domainNames)
  if (noPorts && rule.protocols?.some(({ destinationNamedPort }) => destinationNamedPort !== undefined)) {
    errors.invalid(field, rule, 'networks/nodes/domainNames peers have no named ports')
  }
}

function checkRule(errors: FieldErrors, field: string, rule: ClusterNetworkPolicyIngressRule | ClusterNetworkPolicyEgressRule): void {
  if ((rule.name ?? '').length > MAX_NAME) errors.tooLong(`${field}.name`, MAX_NAME)
  if (rule.protocols === undefined) return
  checkCount(errors, `${field}.protocols`, rule.protocols)
  rule.protocols.forEach((protocol, i) => checkProtocol(errors, `${field}.protocols[${i}]`, protocol))
}

function checkProtocol(errors: FieldErrors, field: string, protocol: ClusterNetworkPolicyProtocol): void {
  checkOneOf(errors, field, protocol, ['tcp', 'udp', 'sctp', 'destinationNamedPort'])
  for (const name of ['tcp', 'udp', 'sctp'] as const) {
    const match = protocol[name]
    if (!match) continue
    if (match.destinationPort) checkPort(errors, `${field}.${name}.destinationPort`, match.destinationPort)
    else errors.required(`${field}.${name}.destinationPort`)
  }
  const { destinationNamedPort: named } = protocol
  if (named !== undefined) errors.invalidEach(`${field}.destinationNamedPort`, named, checkPortName(named))
}

function checkPort(errors: FieldErrors, field: string, port: ClusterNetworkPolicyPort): void {
  checkOneOf(errors, field, port, ['number', 'range'])
  const { number, range } = port
  if (number !== undefined) errors.invalidEach(`${field}.number`, number, checkRange(number, 1, MAX_PORT))
  if (!range) return
  errors.invalidEach(`${field}.range.start`, range.start, checkRange(range.start, 1, MAX_PORT))
  errors.invalidEach(`${field}.range.end`, range.end, checkRange(range.end, 1, MAX_PORT))
  if (range.start >= range.end) errors.invalid(`${field}.range`, range, 'start must be less than end')
}

function checkEgressPeer(errors: FieldErrors, field: string, peer: ClusterNetworkPolicyEgressPeer): void {
  checkOneOf(errors, field, peer, ['namespaces', 'pods', 'nodes', 'networks', 'domainNames'])
  checkPods(errors, field, peer)
  checkLabelSelector(errors, `${field}.nodes`, peer.nodes)
  if (peer.domainNames !== undefined) {
    errors.forbidden(`${field}.domainNames`, 'is not enforced here, packets carry addresses and no names: use networks instead')
  }
  if (peer.networks === undefined) return
  checkCount(errors, `${field}.networks`, peer.networks)
  peer.networks.forEach((cidr, i) => {
    if (cidr.length > MAX_CIDR) errors.tooLong(`${field}.networks[${i}]`, MAX_CIDR)
    else checkCidr(errors, `${field}.networks[${i}]`, cidr)
  })
}

function checkPods(
  errors: FieldErrors,
  field: string,
  { namespaces, pods }: { readonly namespaces?: unknown; readonly pods?: NamespacedPod | undefined },
): void {
  checkLabelSelector(errors, `${field}.namespaces`, namespaces as Parameters<typeof checkLabelSelector>[2])
  checkLabelSelector(errors, `${field}.pods.namespaceSelector`, pods?.namespaceSelector)
  checkLabelSelector(errors, `${field}.pods.podSelector`, pods?.podSelector)
}

function checkCount(errors: FieldErrors, field: string, items: readonly unknown[] | undefined): void {
  if (items === undefined) return
  if (items.length === 0) errors.required(field, 'must have at least 1 item')
  if (items.length > MAX_ITEMS) errors.tooMany(field, items.length, MAX_ITEMS)
}

function checkOneOf(errors: FieldErrors, field: string, value: object, names: readonly string[]): void {
  const set = names.filter((name) => (value as Record<string, unknown>)[name] !== undefined)
  const list = names.join(', ')
  if (set.length === 0) errors.required(field, `must set exactly one of ${list}`)
  else if (set.length > 1) errors.forbidden(field, `may set only one of ${list}, not ${set.join(' and ')}`)
}
