import { giveLoan, type Loan } from './loans.ts'

/** What one piece of output memory holds: a message with a large head, and a read's worth of body. */
export const REGION_BYTES: number = 80 * 1024

/** Regions kept for the next time; more are left to the garbage collector. */
const MAX_FREE = 32

/** Memory that output is put together in. It belongs to one connection until the kernel has taken it. */
export interface Region {
  readonly bytes: Buffer
  length: number
  /** Whose memory it is, where it is lent. */
  readonly loan?: Loan
}

const free: Region[] = []

export function takeRegion(): Region {
  return free.pop() ?? { bytes: Buffer.allocUnsafeSlow(REGION_BYTES), length: 0 }
}

export function giveRegion(region: Region): void {
  if (region.loan) return giveLoan(region.loan)
  region.length = 0
  if (free.length < MAX_FREE) free.push(region)
}

/** A call of `copy` costs more than this many single bytes. */
const SMALL = 48

export function appendTo(region: Region, buffer: Buffer, start: number, end: number): void {
  const { bytes } = region
  let at = region.length
  region.length += end - start
  if (end - start > SMALL) buffer.copy(bytes, at, start, end)
  else for (let from = start; from < end; from++) bytes[at++] = buffer[from] as number
}
