/**
 * Bytes of any protocol between two connections.
 *
 *   forward   both directions with back-pressure, half-close, an idle timeout and counters
 *
 * Nothing is looked at and nothing is kept: what one side cannot take stops the reads of the other.
 */
export { forwardTcp, type TcpForwarding, type TcpForwardOptions, type TcpSummary } from './forward.ts'
