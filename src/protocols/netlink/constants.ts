/** Message flags. Source: RFC 3549 section 2.3.2, linux/netlink.h. */
export const NLM_REQUEST = 0x1
export const NLM_MULTI = 0x2
/** The kernel answers with an acknowledgement even when all went well. */
export const NLM_ACK = 0x4
/** The dump is not one picture: the tables changed meanwhile. */
export const NLM_DUMP_INTERRUPTED = 0x10
/** The dump was filtered as asked. */
export const NLM_DUMP_FILTERED = 0x20
export const NLM_REPLACE = 0x100
export const NLM_EXCLUSIVE = 0x200
export const NLM_CREATE = 0x400
export const NLM_APPEND = 0x800
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_DUMP = 0x300

/** Message types that all families share. */
export const NLMSG_NOOP = 1
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLMSG_OVERRUN = 4

/** Bits of an attribute's type that are no number. */
export const NLA_NESTED = 0x8000
export const NLA_TYPE_MASK = 0x3fff
