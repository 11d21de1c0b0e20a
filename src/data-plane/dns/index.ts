/**
 * Cluster DNS: one server a node, which knows the cluster's names and asks others for the rest.
 *
 *   services + slices --compileService--> ClusterZone --answer--> records      (zone/, pure)
 *   datagram, connection --QueryHandler--> bytes                               (server/)
 *                              `-- Forwarder --exchange--> upstream servers    (forward/)
 *
 *   wire/      names, messages, decoding and encoding. Our own because the package `dns-packet` compresses no names and turns labels that are no
 *              UTF-8 into others; it is what the tests compare with
 *   zone/      compile-service (records of one service), zone (all of them, changed one by one), answer (NXDOMAIN, no data, aliases),
 *              zone-keeper and live-zone (kept equal to the API and to what was known last time)
 *   forward/   plan-forwarding (who is asked), exchange (one question to one server), upstream-health, answer-cache, forwarder
 *   server/    query-handler, dns-server (sockets, draining), shared-socket (several processes at one address) and address-claim (of one node only), status-server, dns-metrics
 *   kube-dns-objects   the service kube-dns, and how a node's service proxy leads it here
 *
 * Names are answered as the specification of Kubernetes DNS says. Where it leaves a choice: a headless service without ready endpoints is NXDOMAIN; endpoints
 * without a hostname are called by their address with dashes; `a-b-c-d.<ns>.pod` answers for every address and namespace (CoreDNS: `pods insecure`), for a
 * node may not see the pods of others; a reverse name that is nobody's is NXDOMAIN within the ranges of pods and services, and asked of others beyond.
 */
export { KUBE_DNS, kubeDnsAddresses, NODE_LOCAL_DNS, nodeLocalDnsSlices, planKubeDnsService } from './kube-dns-objects.ts'
export { Forwarder } from './forward/forwarder.ts'
export { parseForwardingConfig, planForwarding, parseUpstream, type ForwardingConfig } from './forward/plan-forwarding.ts'
export { claimAddress } from './server/address-claim.ts'
export { ClientBudget } from './server/client-budget.ts'
export { createDnsMeters } from './server/dns-metrics.ts'
export { DnsServer } from './server/dns-server.ts'
export { addLocalAddress } from './server/local-address.ts'
export { QueryHandler } from './server/query-handler.ts'
export { openStatusServer } from './server/status-server.ts'
export { fillZone, leanService, leanSlice } from './zone/live-zone.ts'
export { ZoneKeeper } from './zone/zone-keeper.ts'
export { lowerName, nameText, wireName } from './wire/name.ts'
