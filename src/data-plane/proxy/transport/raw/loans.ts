/** What one read of a large body takes: more is no faster. */
export const LOAN_BYTES: number = 256 * 1024

/** 16 MiB for all connections of a process; who gets none reads into the buffer of all, and what is written is copied. */
export const MAX_LOANS: number = 64

/** Memory that a connection reads into, and that others write from, without a copy in between. */
export interface Loan {
  readonly bytes: Buffer
  /** The connection that reads into it, and the writes that the kernel has not finished: it is given to somebody else when there is none. */
  holders: number
}

const free: Loan[] = []
let made = 0

/** @returns memory with one holder, or undefined: all of it is lent */
export function takeLoan(): Loan | undefined {
  const loan = free.pop()
  if (loan) {
    loan.holders = 1
    return loan
  }
  if (made === MAX_LOANS) return undefined
  made++
  return { bytes: Buffer.allocUnsafeSlow(LOAN_BYTES), holders: 1 }
}

/** One holder less. */
export function giveLoan(loan: Loan): void {
  if (--loan.holders === 0) free.push(loan)
}
