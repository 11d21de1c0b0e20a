/**
 * Bidirectional forwarding detection (RFC 5880, 5881, 5883), asynchronous mode: `stepBfd` (pure) is the state machine, `BfdManager` runs the
 * sessions of a node over `BfdSockets`, which let only packets through that have come over one hop. `ThreadedBfd` is the same from outside (`BfdPaths`),
 * with the manager in a worker thread (bfd-worker.ts, serve-bfd.ts) and messages between (bfd-messages.ts): what the speaker does with routes
 * delays no packet there. `PathGuard` decides which ends of a BFD session count for the BGP session beside it.
 */
export { BfdManager } from './bfd-manager.ts'
export type { BfdListener, BfdPaths, BfdTarget, BfdWatch } from './bfd-paths.ts'
export { kernelBfdSockets, type BfdSockets } from './bfd-sockets.ts'
export { bfdWorker, runBfdWorker } from './bfd-worker.ts'
export { ThreadedBfd } from './threaded-bfd.ts'
export { PathGuard } from './path-guard.ts'
