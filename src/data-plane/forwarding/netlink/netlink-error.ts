import { errnoName } from '../../../base/linux/libc.ts'
import type { Acknowledgement } from '../../../protocols/netlink/index.ts'

/** A request that the kernel refused. `code` is the errno by name. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError'
  readonly code: string
  /** Of the request, and where in it: see Acknowledgement. */
  readonly acknowledgement: Acknowledgement | undefined

  constructor(what: string, code: string, acknowledgement?: Acknowledgement) {
    super(`${what}: ${code}${acknowledgement?.message ? ` (${acknowledgement.message})` : ''}`)
    this.code = code
    this.acknowledgement = acknowledgement
  }

  static of(what: string, acknowledgement: Acknowledgement): NetlinkError {
    return new NetlinkError(what, errnoName(acknowledgement.errno), acknowledgement)
  }
}
