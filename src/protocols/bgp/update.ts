import { ATTRIBUTE, FLAG } from './attribute-block.ts'
import { decodeBlock, encodeBlock } from './attributes.ts'
import { frameMessage } from './framing.ts'
import type { BgpFault, Family, MpReach, MpUnreach, UpdateError, UpdateMessage, WireOptions } from './message.ts'
import { afiOf, HEADER_BYTES, MESSAGE_TYPE } from './message.ts'
import { decodeNlri, encodeNlri } from './nlri.ts'
import { UpdateScanner } from './update-scanner.ts'
import { writeAttribute, writeWireAttributes } from './wire-attributes.ts'

/** An UPDATE as values, with what was wrong with it. */
export interface DecodedUpdate {
  /** What is left after error handling: with `treatAsWithdraw` the prefixes announced stand among the withdrawn ones. */
  readonly message: UpdateMessage
  readonly treatAsWithdraw: boolean
  readonly errors: readonly UpdateError[]
  readonly disabledFamily?: Family
  readonly endOfRib?: Family
}

/** Reads the body of an UPDATE into values (cold path: routers use `UpdateScanner`). */
export function decodeUpdate(body: Uint8Array, options: WireOptions): DecodedUpdate | BgpFault {
  const scan = new UpdateScanner().scan(body, options)
  if (scan.fault) return scan.fault
  const nlri = (family: Family, start: number, end: number): MpUnreach['nlri'] =>
    decodeNlri(body, start, end, family, options.addPathReceive.includes(family))
  const withdrawn = scan.withdrawnCount > 0 ? nlri(4, scan.withdrawnStart, scan.withdrawnEnd) : []
  const announced = scan.announcedCount > 0 ? nlri(4, scan.announcedStart, scan.announcedEnd) : []
  scan.blockFor('announced', options)
  const { attributes } = decodeBlock(scan.buffer, scan.blockStart, scan.blockEnd - scan.blockStart)
  const unreach =
    scan.unreachFamily === 0
      ? undefined
      : { family: scan.unreachFamily, nlri: nlri(scan.unreachFamily, scan.unreachStart, scan.unreachEnd) }
  const reach = scan.reachFamily === 0 ? undefined : mpReach(scan, options, nlri(scan.reachFamily, scan.reachStart, scan.reachEnd))
  return {
    message: scan.treatAsWithdraw
      ? withdrawAll(withdrawn, announced, reach, unreach)
      : {
          type: 'update',
          withdrawn,
          attributes,
          announced,
          ...(reach ? { mpReach: reach } : {}),
          ...(unreach ? { mpUnreach: unreach } : {}),
        },
    treatAsWithdraw: scan.treatAsWithdraw,
    errors: scan.errors,
    ...(scan.disabledFamily === undefined ? {} : { disabledFamily: scan.disabledFamily }),
    ...(scan.endOfRib === undefined ? {} : { endOfRib: scan.endOfRib }),
  }
}

function mpReach(scan: UpdateScanner, options: WireOptions, nlri: MpReach['nlri']): MpReach {
  scan.blockFor('reach', options)
  const { attributes, linkLocal } = decodeBlock(scan.buffer, scan.blockStart, scan.blockEnd - scan.blockStart)
  const family = scan.reachFamily as Family
  return { family, nextHop: attributes.nextHop as Uint8Array, nlri, ...(linkLocal ? { linkLocal } : {}) }
}

function withdrawAll(
  withdrawn: UpdateMessage['withdrawn'],
  announced: UpdateMessage['announced'],
  reach: MpReach | undefined,
  unreach: MpUnreach | undefined,
): UpdateMessage {
  const family = reach?.family ?? unreach?.family
  return {
    type: 'update',
    withdrawn: [...withdrawn, ...announced],
    attributes: {},
    announced: [],
    ...(family === undefined ? {} : { mpUnreach: { family, nlri: [...(unreach?.nlri ?? []), ...(reach?.nlri ?? [])] } }),
  }
}

/** How the encoder writes: as the peer reads. */
export interface UpdateEncodeOptions {
  readonly fourOctetAs: boolean
  /** Families whose prefixes carry path identifiers. */
  readonly addPath: readonly Family[]
}

/** The whole message. The caller keeps it within the peer's size. */
export function encodeUpdate(message: Omit<UpdateMessage, 'type'>, options: UpdateEncodeOptions): Uint8Array {
  const { withdrawn, announced, attributes, mpReach, mpUnreach } = message
  const block = encodeBlock(attributes)
  const parts = [mpReach && encodeReach(mpReach, options), mpUnreach && encodeUnreach(mpUnreach, options)]
  const mp = parts.reduce((sum, part) => sum + (part?.length ?? 0) + 4, 0)
  const out = new Uint8Array(2 * block.length + mp + 16)
  let at = 0
  // first of all attributes, as RFC 7606 section 5.1 wants
  if (parts[0]) at = writeAttribute(out, at, FLAG.optional, ATTRIBUTE.mpReach, parts[0], 0, parts[0].length)
  if (parts[1]) at = writeAttribute(out, at, FLAG.optional, ATTRIBUTE.mpUnreach, parts[1], 0, parts[1].length)
  at = writeWireAttributes(block, 0, block.length, { fourOctetAs: options.fourOctetAs, withNextHop: true }, out, at)
  const gone = encodeNlri(withdrawn, options.addPath.includes(4))
  const come = encodeNlri(announced, options.addPath.includes(4))
  const body = new Uint8Array(4 + gone.length + at + come.length)
  body[0] = gone.length >> 8
  body[1] = gone.length
  body.set(gone, 2)
  body[2 + gone.length] = at >> 8
  body[3 + gone.length] = at
  body.set(out.subarray(0, at), 4 + gone.length)
  body.set(come, 4 + gone.length + at)
  return frameMessage(MESSAGE_TYPE.update, body)
}

/** The whole End-of-RIB message of a family (RFC 4724 section 2). */
export function encodeEndOfRib(family: Family): Uint8Array {
  const options = { fourOctetAs: true, addPath: [] }
  const nothing = { withdrawn: [], announced: [], attributes: {} }
  return family === 4
    ? frameMessage(MESSAGE_TYPE.update, new Uint8Array(4))
    : encodeUpdate({ ...nothing, mpUnreach: { family, nlri: [] } }, options)
}

/** Body of a whole message. */
export function bodyOf(message: Uint8Array): Uint8Array {
  return message.subarray(HEADER_BYTES)
}

function encodeReach(reach: MpReach, options: UpdateEncodeOptions): Uint8Array {
  const hop = [...reach.nextHop, ...(reach.linkLocal ?? [])]
  const nlri = encodeNlri(reach.nlri, options.addPath.includes(reach.family))
  const out = new Uint8Array(5 + hop.length + nlri.length)
  out.set([0, afiOf(reach.family), 1, hop.length, ...hop, 0])
  out.set(nlri, 5 + hop.length)
  return out
}

function encodeUnreach(unreach: MpUnreach, options: UpdateEncodeOptions): Uint8Array {
  const nlri = encodeNlri(unreach.nlri, options.addPath.includes(unreach.family))
  const out = new Uint8Array(3 + nlri.length)
  out.set([0, afiOf(unreach.family), 1])
  out.set(nlri, 3)
  return out
}
