/**
 * nf_tables of a network namespace: the `Nft` of ../contract.ts.
 *
 *   open-nft          the object: one transaction after another
 *   nft-command       whole rulesets, through `nft -f -`
 *   apply-elements    elements straight over netlink, and which of them the kernel refused
 *   commit-structures chains, rules and sets straight over netlink
 *   count-contents    how many elements and rules a table has
 *   foreign-changes   who else changes our tables
 *   nft-error         refusals
 */
export { NftError } from './nft-error.ts'
export { openNft, type NftOptions } from './open-nft.ts'
