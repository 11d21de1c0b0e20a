/**
 * The packet filter: packet policies (policy/packet/policies) in the kernel, in the nf_tables table `inet biplane-policy`.
 *
 *   policy-enforcer      the loop: lists of objects in, transactions out; protects pods before they start
 *   filter-renderer      PacketPolicy -> FilterModel, the table as a value; filter-draft, render-matches, base-chains, pod-maps are its parts
 *   plan-filter-change   FilterModel, FilterModel -> the transaction between them: elements alone (netlink), or chains too (nft)
 *   verdict-log          denied packets, by name of pod, policy and rule
 *   policy-counters      packets and bytes per rule
 *
 * How a packet is judged. Routed packets meet two base chains, `egress` and `ingress`; a map leads from the flow's source or destination to the chain of
 * that pod's judges. All matches look at the flow that conntrack keeps, not at the packet: its source as sent, its destination as delivered. So an answer
 * is judged like what it answers: it needs no rule of its own, and a tightened policy cuts flows that it does not allow any more at once and in both
 * directions (`keepEstablished` leaves them alone instead). Errors (ICMP) about a flow pass. Packets of judged pods that belong to no flow are dropped.
 *
 * Before all that, the chain `links` looks at packets, not flows: what a pod sends has an address of that pod as its source, and no pod speaks to the tunnels
 * between nodes. Without it, a pod could send as one that is allowed to.
 *
 * New pods: `protect` resolves when the kernel judges the pod's addresses. Before policies are known, it waits.
 */
export { FilterRenderer } from './filter-renderer.ts'
export type { RenderOptions } from './filter-draft.ts'
export { FILTER_FAMILY, FILTER_TABLE, LOG_GROUP, type FilterModel, type RuleLabel } from './filter-model.ts'
export { planFilterChange, replaceFilter, type FilterChange } from './plan-filter-change.ts'
export { PolicyEnforcer, type EnforcerState, type PolicyEnforcerOptions } from './policy-enforcer.ts'
export type { RuleCount } from './policy-counters.ts'
export type { Denial, PacketLogMessage } from './verdict-log.ts'
