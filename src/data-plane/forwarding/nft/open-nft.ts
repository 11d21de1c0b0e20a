import { systemClock, type Clock } from '../../../base/clock.ts'
import { NETLINK_NETFILTER } from '../../../protocols/netlink/index.ts'
import type { StructureChange } from '../../../protocols/nftables/index.ts'
import type { ElementChange, ForeignChange, Nft, NftContents, NftStructures } from '../contract.ts'
import { NetlinkSocket } from '../netlink/index.ts'
import { applyElements } from './apply-elements.ts'
import { commitStructures } from './commit-structures.ts'
import { countContents } from './count-contents.ts'
import { watchForeignChanges, type ForeignChanges } from './foreign-changes.ts'
import { NftError } from './nft-error.ts'
import { runNftCommand } from './nft-command.ts'

const COMMAND_MS = 60_000

export interface NftOptions {
  /** Path of a network namespace, such as `/run/netns/a`; default: the one of this process. */
  readonly namespace?: string
  readonly clock?: Clock
  /** Longest run of an `nft` command. Default 60,000 ms. */
  readonly timeoutMs?: number
}

/** nf_tables of a network namespace. Needs root. @throws SystemCallError when no netlink socket can be had */
export function openNft(options: NftOptions = {}): Nft & NftStructures {
  const { namespace } = options
  return new KernelNft(options, NetlinkSocket.open({ protocol: NETLINK_NETFILTER, ...(namespace !== undefined && { namespace }) }))
}

class KernelNft implements Nft, NftStructures {
  readonly #options: NftOptions
  readonly #socket: NetlinkSocket
  readonly #watches = new Set<ForeignChanges>()
  /** nft processes of ours whose notifications may not have been read yet. */
  readonly #children = new Set<number>()
  #tail: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: NftOptions, socket: NetlinkSocket) {
    this.#options = options
    this.#socket = socket
  }

  run(text: string): Promise<void> {
    return this.#queue(async () => void (await this.#command(['-f', '-'], text)))
  }

  apply(changes: readonly ElementChange[]): Promise<void> {
    return this.#queue(() => applyElements(this.#socket, changes))
  }

  commit(table: { readonly family: string; readonly table: string }, changes: readonly StructureChange[]): Promise<void> {
    return this.#queue(() => commitStructures(this.#socket, table, changes))
  }

  list(...what: readonly string[]): Promise<unknown> {
    return this.#queue(async () => JSON.parse(await this.#command(['-j', 'list', ...what], '')) as unknown)
  }

  count(table: { readonly family: string; readonly table: string }, sets: readonly string[]): Promise<NftContents> {
    return this.#queue(() => countContents(this.#socket, table, sets))
  }

  foreignChanges(tables: readonly string[], signal: AbortSignal): AsyncIterable<ForeignChange> {
    const watch = watchForeignChanges({
      namespace: this.#options.namespace,
      clock: this.#options.clock ?? systemClock,
      tables,
      signal,
      isOurs: (port, pid) => port === this.#socket.port || this.#children.has(port) || this.#children.has(pid),
    })
    this.#watches.add(watch)
    signal.addEventListener('abort', () => this.#watches.delete(watch), { once: true })
    return watch
  }

  close(): void {
    this.#isClosed = true
    void this.#tail.finally(() => this.#socket.close())
  }

  async #command(args: readonly string[], input: string): Promise<string> {
    let pid = 0
    try {
      return await runNftCommand({
        args,
        input,
        namespace: this.#options.namespace,
        timeoutMs: this.#options.timeoutMs ?? COMMAND_MS,
        onPid: (given) => this.#children.add((pid = given)),
      })
    } finally {
      // all its notifications lie in the sockets by now; from then on its pid may be another's
      for (const watch of this.#watches) watch.drain()
      this.#children.delete(pid)
    }
  }

  #queue<T>(job: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new NftError('nf_tables access is closed', 'ECLOSED'))
    const result = this.#tail.then(job)
    this.#tail = result.catch(() => {})
    return result
  }
}
