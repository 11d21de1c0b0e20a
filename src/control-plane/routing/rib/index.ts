/**
 * The routes of a BGP speaker: Adj-RIB-In, Loc-RIB and Adj-RIB-Out (RFC 4271 section 3.2) for millions of prefixes in typed arrays.
 *
 *   contract.ts          what sessions and the router process use
 *   bgp-rib.ts           it, put together
 *   update-intake.ts     UPDATEs taken apart into paths; importer.ts judges them
 *   route-changes.ts     the one place where paths come and go, and where it is noted who has to look
 *   decision.ts          loads candidates for best path selection (src/policy/route)
 *   export-writer.ts     what a peer is told, when it asks; exporter.ts judges, update-packer.ts makes messages
 *   fib-feed.ts          what the forwarding table is told
 *   background-work.ts   work over whole tables, in slices
 *   explain-route.ts     answers about one prefix, by the code that decided
 *
 *   route-table.ts       prefixes and paths in columns, with prefix-table.ts; rib-peer.ts the side of a peer
 *   attribute-store.ts   attribute sets, equal ones once, over block-arena.ts and next-hop-table.ts
 *   dirty-queue.ts       who has to look at what; columns.ts arrays that grow
 *
 * A path holds two numbers of attribute sets, as received and as accepted; staleness is a session number older than the peer's own, so marking costs
 * nothing. Exports are pulled: a slow peer's queue holds each prefix once, and what it is told is what holds when it asks.
 */
export { createRib } from './bgp-rib.ts'
export type {
  CandidateState,
  ExplainedCandidate,
  ExplainedExport,
  LocalRoute,
  NextHopResolver,
  PeerCounters,
  PeerHandle,
  Rib,
  RibCounters,
  RibListener,
  RibOptions,
  RibPeerOptions,
  RouteExplanation,
  SessionParameters,
  UpdateOutcome,
} from './contract.ts'
