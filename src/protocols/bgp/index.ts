/**
 * BGP-4 on the wire: bytes in, values out. No sockets, no timers, no routing decisions.
 *
 *   message.ts           the values of all messages, and what sessions agree on
 *   framing.ts           headers: finds whole messages in a stream
 *   open.ts              OPEN, with capabilities.ts
 *   small-messages.ts    KEEPALIVE, NOTIFICATION with its shutdown text, ROUTE-REFRESH
 *   faults.ts            error codes by name, and their texts
 *   update.ts            UPDATE as values: tests, tools, cold paths
 *   update-scanner.ts    UPDATE as ranges, for routers: RFC 7606 error handling, attribute-checks.ts says what is right
 *   attribute-block.ts   attribute sets in normal form and the facts found in them; attributes.ts turns them into values and back
 *   block-editor.ts      changed copies of a block
 *   wire-attributes.ts   a block as a peer reads it; as-path.ts and as4-merge.ts know both widths of AS numbers
 *   nlri.ts              prefixes
 *
 * Errors are values: a `BgpFault` ends the session and is the content of the NOTIFICATION, an `UpdateError` is survived. Any bytes are read in time
 * and memory proportional to their length.
 * Sources: RFC 4271, 4760, 5492, 6793 (4-byte AS), 7606 (errors), 2918 and 7313 (refresh), 4724 and 8538 (graceful restart), 7911 (add-path),
 * 8654 (extended messages), 8950 and 2545 (next hops), 1997 and 8092 (communities), 4456 (reflection), 9003, 9072, 9234.
 */
export { asPathLength, formatAsPath } from './as-path.ts'
export { ATTRIBUTE, AttributeFacts, attributeName, FLAG, readU32, SEGMENT, writeU32 } from './attribute-block.ts'
export { decodeBlock, encodeBlock } from './attributes.ts'
export { BlockEditor } from './block-editor.ts'
export { bgpFault, describeNotification, ERROR_CODE, ERROR_SUBCODE, isFault } from './faults.ts'
export { type Frame, frameMessage, nextFrame, writeHeader } from './framing.ts'
export * from './message.ts'
export { countNlri, decodeNlri, encodeNlri } from './nlri.ts'
export { decodeOpen, encodeOpen } from './open.ts'
export {
  decodeNotification,
  decodeRouteRefresh,
  encodeNotification,
  encodeRouteRefresh,
  encodeShutdownText,
  KEEPALIVE_BYTES,
  shutdownText,
} from './small-messages.ts'
export { bodyOf, type DecodedUpdate, decodeUpdate, encodeEndOfRib, encodeUpdate, type UpdateEncodeOptions } from './update.ts'
export { UpdateScanner } from './update-scanner.ts'
export { writeAttribute, writeWireAttributes } from './wire-attributes.ts'
