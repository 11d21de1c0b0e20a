import type { EndpointSlice, Service } from '../../api/generated/types.ts'
import type { Draft } from '../../api/meta/object.ts'
import { addressInPrefix, formatIp, parsePrefix } from '../../base/ip.ts'

/** Where the service of cluster DNS is, under the name that all tools look for. */
export const KUBE_DNS = { namespace: 'kube-system', name: 'kube-dns' } as const
/** Where each node's server listens: the address of NodeLocal DNSCache. */
export const NODE_LOCAL_DNS = '169.254.20.10'
/** The tenth address of the service range, as kubeadm has it. */
const OFFSET = 10n

/** Addresses of the kube-dns service, one a service range. @param serviceRanges such as `10.96.0.0/16` */
export function kubeDnsAddresses(serviceRanges: readonly string[]): readonly string[] {
  return serviceRanges.flatMap((range) => {
    const prefix = parsePrefix(range)
    const address = prefix && addressInPrefix(prefix, OFFSET)
    return address ? [formatIp(address)] : []
  })
}

/**
 * The service `kube-system/kube-dns`. It has no selector and no slices in the API: every node has a server of its own, and each node's service proxy adds that
 * one by `nodeLocalDnsSlices`. (Slices in the API may not hold link-local addresses.) Pure, for the bootstrap.
 */
export function planKubeDnsService(addresses: readonly string[]): Draft<Service> {
  const [first = ''] = addresses
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
  ]
  return {
    metadata: {
      ...KUBE_DNS,
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: first,
      clusterIPs: [...addresses],
      ipFamilies: addresses.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')),
      ipFamilyPolicy: addresses.length > 1 ? 'RequireDualStack' : 'SingleStack',
      ports,
      sessionAffinity: 'None',
    },
  }
}

/**
 * The slices that a node's own service proxy adds to those of the API: the kube-dns service, served by this node alone. Pure.
 * @param addresses where this node's server listens, of either family
 */
export function nodeLocalDnsSlices(nodeName: string, addresses: readonly string[]): readonly EndpointSlice[] {
  const families = [
    ['IPv4', addresses.filter((address) => !address.includes(':'))],
    ['IPv6', addresses.filter((address) => address.includes(':'))],
  ] as const
  return families
    .filter(([, own]) => own.length > 0)
    .map(([addressType, own]) => ({
      metadata: {
        name: `${KUBE_DNS.name}-${nodeName}-${addressType.toLowerCase()}`,
        namespace: KUBE_DNS.namespace,
        labels: { 'kubernetes.io/service-name': KUBE_DNS.name },
      },
      addressType,
      endpoints: [{ addresses: [own[0] as string], nodeName, conditions: { ready: true, serving: true, terminating: false } }],
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    }))
}
