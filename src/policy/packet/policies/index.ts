/**
 * Packet policy: NetworkPolicies and ClusterNetworkPolicies compiled for one node.
 *
 * PolicyCompiler turns the cluster's objects into a PacketPolicy, the artefact: policies with their rules, one set of addresses per distinct selector
 * (SelectionIndex keeps them up to date pod by pod), named ports, and for each pod of the node its judges. evaluatePacket runs the artefact and explains;
 * data-plane/forwarding/packet-filter renders the same artefact for the kernel.
 *
 * A direction of a pod is judged in tiers. Admin: ClusterNetworkPolicies by priority, then name, rule by rule; Accept and Deny are final, Pass leaves the
 * tier. NetworkPolicy: if any selects the pod for the direction, a matching rule accepts and everything else is denied. Baseline: like Admin, where no
 * NetworkPolicy has judged. Nobody: accepted. A packet needs the accept of its source's egress and its destination's ingress.
 *
 * Denials are silent (Drop) unless the node's default, the annotation biplane.dev/deny-action of a namespace (for its NetworkPolicies), or that of a policy
 * says Reject; where several NetworkPolicies isolate a pod and disagree, silence wins.
 */
export * from './packet-policy.ts'
export { evaluatePacket, type DirectionVerdict, type PacketFacts, type PacketVerdict, type RuleName } from './evaluate-packet.ts'
export { compilePolicies, PolicyCompiler, type ClaimedPod, type PolicyInput } from './policy-compiler.ts'
export { DENY_ACTION_ANNOTATION } from './deny-action.ts'
export { canonicalIp } from './pod-facts.ts'
