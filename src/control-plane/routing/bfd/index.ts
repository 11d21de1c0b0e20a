/**
 * Bidirectional forwarding detection (RFC 5880, 5881, 5883), asynchronous mode: `stepBfd` (pure) is the state machine, `BfdManager` runs the
 * sessions of a node over `BfdSockets`, which let only packets through that have come over one hop.
 */
export { BfdManager, type BfdListener, type BfdTarget, type BfdWatch } from './bfd-manager.ts'
export { kernelBfdSockets, type BfdSockets } from './bfd-sockets.ts'
