/**
 * Rules, neighbours and forwarding entries that are ours, by tag or by device: made equal to what is wanted, those of others left alone.
 *
 *   plan-tagged   pure: what to put and what to remove
 *   reconcile     for rules, neighbours and proxies, and the forwarding entries of a VXLAN
 */
export { planTagged, type TaggedPlan } from './plan-tagged.ts'
export { reconcileForwarding, reconcileNeighbours, reconcileRules, type Reconciled } from './reconcile.ts'
