import { sleep, type Clock } from '../../../../base/clock.ts'
import { messageOf } from '../../../../base/errors.ts'
import { parseIp, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import type { Logger } from '../../../../base/log.ts'
import type { StaleFlows } from '../../../forwarding/conntrack/index.ts'
import type { Nft } from '../../../forwarding/contract.ts'
import type { PodHostPorts } from '../kernel-pod-network.ts'
import type { NetworkedPod } from '../pod-network.ts'
import { compilePodNat, compileRanges, POD_TABLE } from './compile-pod-nat.ts'
import { hostPortElements } from './host-port-elements.ts'
import { hostPortKey, hostPortsOf, HostPortError, type HostPort } from './host-port.ts'

export interface PodNatTableOptions {
  readonly nft: Nft
  /** The node's own, primary first. */
  readonly nodeAddresses: readonly string[]
  readonly families: readonly (4 | 6)[]
  /** Makes the kernel forget UDP flows that lead where they should not any more. */
  readonly forget: (flows: readonly StaleFlows[]) => void
  readonly clock: Clock
  readonly log: Logger
}

const isUdp = ({ protocol }: HostPort): boolean => protocol === 17
/** Between two repairs; doubled each time, so that nobody is fought with. */
const FIRST_REPAIR_MS = 100
const LAST_REPAIR_MS = 60_000

/** The tables `ip biplane-pods` and `ip6 biplane-pods`: what they should hold, and the changes that make it so. */
export class PodNatTable implements PodHostPorts {
  readonly #options: PodNatTableOptions
  readonly #ports = new Map<string, readonly HostPort[]>()
  #localPods: readonly IpPrefix[] = []
  #clusterPods: readonly IpPrefix[] = []
  #isInstalled = false

  constructor(options: PodNatTableOptions) {
    this.#options = options
  }

  /** Replaces the tables in one transaction: at the start, and when somebody else has changed them. */
  async install(): Promise<void> {
    const { nft, families, nodeAddresses } = this.#options
    this.#isInstalled = true
    const own = nodeAddresses.map((text) => parseIp(text))
    const hostPorts = [...this.#ports.values()].flat()
    const texts = families.map((family) => {
      const nodeAddress = own.find((address) => address?.length === (family === 4 ? 4 : 16))
      return compilePodNat(family, { nodeAddress, localPods: this.#localPods, clusterPods: this.#clusterPods, hostPorts })
    })
    await nft.run(texts.join(''))
  }

  /** Repairs the tables when a stranger has changed them, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { nft, families, clock, log } = this.#options
    const tables = families.map((family) => `${family === 4 ? 'ip' : 'ip6'} ${POD_TABLE}`)
    let waitMs = FIRST_REPAIR_MS
    let quietSinceMs = clock.monotonic()
    for await (const { family, table, pid, process } of nft.foreignChanges(tables, signal)) {
      if (!this.#isInstalled) continue
      waitMs = clock.monotonic() - quietSinceMs > LAST_REPAIR_MS ? FIRST_REPAIR_MS : Math.min(waitMs * 2, LAST_REPAIR_MS)
      log.warn('another program has changed a table of the pod network; it is put right', { family, table, pid, process, inMs: waitMs })
      await sleep(clock, waitMs, signal).catch(() => {})
      while (!signal.aborted && !(await this.#isPutRight())) {
        waitMs = Math.min(waitMs * 2, LAST_REPAIR_MS)
        await sleep(clock, waitMs, signal).catch(() => {})
      }
      quietSinceMs = clock.monotonic()
    }
  }

  /** Pod ranges of this node, and of all nodes with this one: what is between them keeps its addresses. */
  async setRanges(localPods: readonly IpPrefix[], clusterPods: readonly IpPrefix[]): Promise<void> {
    const { nft, families } = this.#options
    this.#localPods = localPods
    this.#clusterPods = clusterPods
    await this.#change(() => nft.run(families.map((family) => compileRanges(family, { localPods, clusterPods })).join('')))
  }

  /** @throws HostPortError */
  async add({ podUid, pod, ips }: NetworkedPod): Promise<void> {
    const wanted = hostPortsOf(pod, ips)
    if (wanted.length === 0 || this.#ports.has(podUid)) return
    const taken = new Set([...this.#ports.values()].flat().map(hostPortKey))
    const conflict = wanted.find((port) => taken.has(hostPortKey(port)))
    if (conflict) throw new HostPortError(`host port ${conflict.port} of this node leads to another pod`)
    this.#ports.set(podUid, wanted)
    if (!this.#isInstalled) return
    await this.#change(() => this.#options.nft.apply(hostPortElements('add', wanted)))
    // a client that went on sending while nobody had the port would go on being refused
    this.#forget(
      wanted
        .filter(isUdp)
        .flatMap((port) => this.#addressesOf(port).map((originalDestination) => ({ originalDestination, port: port.port }))),
    )
  }

  async remove(podUid: string): Promise<void> {
    const ports = this.#ports.get(podUid)
    this.#ports.delete(podUid)
    if (!ports || !this.#isInstalled) return
    await this.#change(() => this.#options.nft.apply(hostPortElements('delete', ports)))
    this.#forget(ports.filter(isUdp).map(({ port, pod, podPort }) => ({ port, backend: { address: pod, port: podPort } })))
  }

  #isPutRight(): Promise<boolean> {
    return this.install().then(
      () => true,
      (error: unknown) => {
        this.#options.log.error('a table of the pod network is not put right', { error: messageOf(error) })
        return false
      },
    )
  }

  /** Brings a change into the tables; where they are not as they were thought to be, they are made anew with it. */
  async #change(work: () => Promise<void>): Promise<void> {
    if (!this.#isInstalled) return
    await work().catch(() => this.install())
  }

  #forget(flows: readonly StaleFlows[]): void {
    if (flows.length > 0) this.#options.forget(flows)
  }

  /** The addresses under which the node has a port. */
  #addressesOf({ address, family }: HostPort): readonly IpBytes[] {
    if (address) return [address]
    return this.#options.nodeAddresses.flatMap((text) => parseIp(text) ?? []).filter((own) => own.length === (family === 4 ? 4 : 16))
  }
}

/** What takes both tables away: the node is taken down. Tables that are not there are no error. */
export const REMOVE_POD_NAT: string = ['ip', 'ip6']
  .map((family) => `table ${family} ${POD_TABLE}\ndelete table ${family} ${POD_TABLE}\n`)
  .join('')
