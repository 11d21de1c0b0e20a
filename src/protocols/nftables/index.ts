/**
 * nf_tables over netlink, as far as it changes often: elements of sets and maps, and the chains of packet policies. Whole rulesets go through the `nft`
 * command.
 *
 *   constants       message types, families
 *   elements        a transaction of elements: keys, ranges, data, verdicts, timeouts
 *   structures      a transaction of chains, rules, sets, counters and elements
 *   expressions     what rules are made of
 *   contents        how many elements and rules there are
 *   sets            what the kernel says about a set: the form of its elements depends on it
 *   notifications   which tables a transaction changed, and who sent it
 *
 * Source: linux/netfilter/nf_tables.h and nfnetlink.h; what they leave open is shown by test/forwarding-nft.test.ts.
 */
export * from './constants.ts'
export { ElementError, encodeElementBatch, type Element, type ElementBatch, type SetChange, type Verdict } from './elements.ts'
export { countElements, encodeDumpElements, encodeDumpRules, readRuleChain } from './contents.ts'
export type { Expression } from './expressions.ts'
export { encodeStructureBatch, messagesOf, type StructureBatch, type StructureChange } from './structures.ts'
export { encodeGetSet, readSetShape, type SetShape } from './sets.ts'
export { readChangedTable, readGeneration, type Generation } from './notifications.ts'
