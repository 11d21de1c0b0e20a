import type { Clock } from '../../../base/clock.ts'
import { NETLINK_NETFILTER, type MessageCursor } from '../../../protocols/netlink/index.ts'
import { NFNLGRP_NFTABLES, NFT_MSG, readChangedTable, readGeneration } from '../../../protocols/nftables/index.ts'
import type { ForeignChange } from '../contract.ts'
import { NetlinkMonitor } from '../netlink/index.ts'

export interface ForeignChangesOptions {
  readonly namespace: string | undefined
  readonly clock: Clock
  /** As `family table`. */
  readonly tables: readonly string[]
  readonly signal: AbortSignal
  /** Whether a transaction is of this object: by the port and the pid of its sender. */
  readonly isOurs: (port: number, pid: number) => boolean
}

/** `drain` reads what has come so far. */
export interface ForeignChanges extends AsyncIterable<ForeignChange> {
  drain(): void
}

/**
 * Watches from now on, whether somebody iterates or not. What is not taken yet is kept once per table and process. Where notifications were lost,
 * every table is reported, with pid 0: read it and see.
 */
export function watchForeignChanges(options: ForeignChangesOptions): ForeignChanges {
  const { tables, signal, isOurs } = options
  const pending = new Map<string, ForeignChange>()
  /** Tables of the transaction whose end has not come yet. */
  const touched = new Set<string>()
  let failure: Error | undefined
  let wake = (): void => {}
  const report = (table: string, pid: number, process: string): void => {
    const [family = '', name = ''] = table.split(' ')
    pending.set(`${table} ${pid}`, { family, table: name, pid, process })
    wake()
  }
  const onMessage = (message: MessageCursor): void => {
    if (message.type !== NFT_MSG.newGeneration) {
      const table = readChangedTable(message)
      if (table !== undefined && tables.includes(table)) touched.add(table)
      return
    }
    const { pid, process } = readGeneration(message)
    if (!isOurs(message.port, pid)) for (const table of touched) report(table, pid, process)
    touched.clear()
  }
  const monitor = NetlinkMonitor.open({
    protocol: NETLINK_NETFILTER,
    groups: [NFNLGRP_NFTABLES],
    clock: options.clock,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    onMessage,
    onLost: () => {
      touched.clear()
      for (const table of tables) report(table, 0, '')
    },
    onFailed: (error) => {
      failure = error
      wake()
    },
  })
  const stop = (): void => {
    monitor.close()
    wake()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  const iterate = async function* (): AsyncGenerator<ForeignChange> {
    try {
      while (!signal.aborted) {
        if (failure) throw failure
        const [first] = pending
        if (first) {
          pending.delete(first[0])
          yield first[1]
        } else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', stop)
      monitor.close()
    }
  }
  return { drain: () => monitor.drain(), [Symbol.asyncIterator]: iterate }
}
