import { parseIp, type IpPrefix } from '../../../../base/ip.ts'
import type { Nft } from '../../../forwarding/contract.ts'
import type { PodHostPorts } from '../kernel-pod-network.ts'
import type { NetworkedPod } from '../pod-network.ts'
import { compileHostPorts, compilePodNat, compileRanges } from './compile-pod-nat.ts'
import { hostPortKey, hostPortsOf, HostPortError, type HostPort } from './host-port.ts'

/** The tables `ip biplane-pods` and `ip6 biplane-pods`: what they should hold, and the changes that make it so. */
export class PodNatTable implements PodHostPorts {
  readonly #nft: Nft
  readonly #nodeAddresses: readonly string[]
  readonly #families: readonly (4 | 6)[]
  readonly #ports = new Map<string, readonly HostPort[]>()
  #localPods: readonly IpPrefix[] = []
  #clusterPods: readonly IpPrefix[] = []
  #isInstalled = false

  constructor(options: { readonly nft: Nft; readonly nodeAddresses: readonly string[]; readonly families: readonly (4 | 6)[] }) {
    this.#nft = options.nft
    this.#nodeAddresses = options.nodeAddresses
    this.#families = options.families
  }

  /** Replaces both tables in one transaction: at the start, and when somebody else has changed them. */
  async install(): Promise<void> {
    this.#isInstalled = true
    await this.#nft.run(
      this.#families
        .map((family) => {
          const own = this.#nodeAddresses.map((text) => parseIp(text)).find((address) => address?.length === (family === 4 ? 4 : 16))
          const hostPorts = [...this.#ports.values()].flat()
          return compilePodNat(family, { nodeAddress: own, localPods: this.#localPods, clusterPods: this.#clusterPods, hostPorts })
        })
        .join(''),
    )
  }

  /** Pod ranges of this node, and of all nodes with this one: what is between them keeps its addresses. */
  async setRanges(localPods: readonly IpPrefix[], clusterPods: readonly IpPrefix[]): Promise<void> {
    this.#localPods = localPods
    this.#clusterPods = clusterPods
    if (!this.#isInstalled) return
    await this.#nft.run(this.#families.map((family) => compileRanges(family, { localPods, clusterPods })).join(''))
  }

  /** @throws HostPortError */
  async add({ podUid, pod, ips }: NetworkedPod): Promise<void> {
    const wanted = hostPortsOf(pod, ips)
    if (wanted.length === 0 || this.#ports.has(podUid)) return
    const taken = new Set([...this.#ports.values()].flat().map(hostPortKey))
    const conflict = wanted.find((port) => taken.has(hostPortKey(port)))
    if (conflict) throw new HostPortError(`host port ${conflict.port} of this node leads to another pod`)
    this.#ports.set(podUid, wanted)
    if (this.#isInstalled) await this.#nft.run(compileHostPorts('add', wanted))
  }

  async remove(podUid: string): Promise<void> {
    const ports = this.#ports.get(podUid)
    this.#ports.delete(podUid)
    if (ports && this.#isInstalled) await this.#nft.run(compileHostPorts('delete', ports))
  }
}

/** What takes both tables away: the node is taken down. Tables that are not there are no error. */
export const REMOVE_POD_NAT: string = ['ip', 'ip6']
  .map((family) => `table ${family} biplane-pods\ndelete table ${family} biplane-pods\n`)
  .join('')
