import { AttributeCursor, NetlinkFormatError, uint32, type MessageCursor } from './reader.ts'

/** What the kernel says about a request: NLMSG_ERROR, or the end of a dump (NLMSG_DONE). */
export interface Acknowledgement {
  /** Of the request. */
  readonly sequence: number
  /** 0: done. */
  readonly errno: number
  /** The kernel's own words (extended acknowledgement); may come with errno 0, as a warning. */
  readonly message?: string
  /** Where in the request the attribute lies that it does not like, counted from the head of the message. */
  readonly offset?: number
  /** Type of the attribute that is missing. */
  readonly missingType?: number
}

const NLM_CAPPED = 0x100
const NLM_ACK_TLVS = 0x200
const NLMSGERR_ATTR_MSG = 1
const NLMSGERR_ATTR_OFFS = 2
const NLMSGERR_ATTR_MISS_TYPE = 5
const NLMSG_DONE = 3

/** Reads the message the cursor stands on, an NLMSG_ERROR or NLMSG_DONE. @throws {NetlinkFormatError} */
export function readAcknowledgement(message: MessageCursor): Acknowledgement {
  const { bytes, start, end, sequence, flags } = message
  const isDone = message.type === NLMSG_DONE
  // a dump may end without a word on how
  if (isDone && end - start < 4) return { sequence, errno: 0 }
  if (end - start < (isDone ? 4 : 20)) throw new NetlinkFormatError('an acknowledgement is shorter than its fixed part')
  const errno = -(uint32(bytes, start) | 0)
  const acknowledgement = { sequence, errno: errno === 0 ? 0 : Math.abs(errno) }
  if ((flags & NLM_ACK_TLVS) === 0) return acknowledgement
  let at = start + 4
  // behind the errno comes the request itself: all of it, or its head
  if (!isDone) at += (flags & NLM_CAPPED) !== 0 || errno === 0 ? 16 : Math.max(16, (uint32(bytes, at) + 3) & ~3)
  return { ...acknowledgement, ...readDetails(new AttributeCursor(bytes, at, end)) }
}

function readDetails(attributes: AttributeCursor): Pick<Acknowledgement, 'message' | 'offset' | 'missingType'> {
  const details: { message?: string; offset?: number; missingType?: number } = {}
  while (attributes.next()) {
    if (attributes.type === NLMSGERR_ATTR_MSG) details.message = attributes.string()
    else if (attributes.type === NLMSGERR_ATTR_OFFS) details.offset = attributes.u32()
    else if (attributes.type === NLMSGERR_ATTR_MISS_TYPE) details.missingType = attributes.u32()
  }
  return details
}
