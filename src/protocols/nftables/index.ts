/**
 * nf_tables over netlink, as far as it changes often: elements of sets and maps. Whole rulesets go through the `nft` command.
 *
 *   constants       message types, families
 *   elements        a transaction of elements: keys, ranges, data, verdicts, timeouts
 *   sets            what the kernel says about a set: the form of its elements depends on it
 *   notifications   which tables a transaction changed, and who sent it
 *
 * Source: linux/netfilter/nf_tables.h and nfnetlink.h; what they leave open is shown by test/forwarding-nft.test.ts.
 */
export * from './constants.ts'
export { ElementError, encodeElementBatch, type Element, type ElementBatch, type SetChange, type Verdict } from './elements.ts'
export { encodeGetSet, readSetShape, type SetShape } from './sets.ts'
export { readChangedTable, readGeneration, type Generation } from './notifications.ts'
