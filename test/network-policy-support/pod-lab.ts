// A node and its pods as network namespaces, each pod on a routed link of its own as in the pod network, and a prober: raw sockets in every pod, held by
// this process, so that a table of hundreds of packets takes milliseconds.
import { setTimeout as delay } from 'node:timers/promises'
import { loadLibc } from '../../src/base/linux/libc.ts'
import { parseIp } from '../../src/base/ip.ts'
import { createNetworkLab, type LabHost, type NetworkLab } from '../../src/testing/network-lab/index.ts'
import { firstPacket, PROTOCOL_NUMBERS, tokenOf, tunnelled, type ProbeProtocol, type Tunnelling } from './raw-packets.ts'

export interface LabPod {
  readonly key: string
  readonly ips: readonly string[]
}

export interface ProbePacket {
  readonly source: string
  readonly destination: string
  readonly protocol: ProbeProtocol
  readonly port: number
  readonly stray?: boolean
  /** An address of the pod that sends it, where `source` is a lie. */
  readonly from?: string
}

interface PodEnd {
  readonly host: LabHost
  readonly senders: ReadonlyMap<4 | 6, number>
  readonly receivers: readonly { readonly fd: number; readonly family: 4 | 6; readonly protocol: ProbeProtocol }[]
}

const AF_INET = 2
const AF_INET6 = 10
const SOCK_RAW_NONBLOCK = 3 | 0o4000
const IPPROTO_RAW = 255
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const BUFFER_BYTES = 4 * 1024 * 1024
const SETTLE_MS = 10_000
/** Quiet reads in a row, with time for the kernel in between, after which what has not come will not. */
const QUIET_ROUNDS = 3

export class PodLab {
  readonly node: LabHost
  readonly #lab: NetworkLab
  readonly #ends = new Map<string, PodEnd>()
  readonly #all: PodEnd[] = []
  #token = 1

  static async create(pods: readonly LabPod[]): Promise<PodLab> {
    const lab = await createNetworkLab()
    try {
      const node = await lab.host('node')
      const made = new PodLab(lab, node)
      await node.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv4.conf.all.rp_filter=0'])
      for (const pod of pods) await made.addPod(pod)
      return made
    } catch (error) {
      await lab.remove()
      throw error
    }
  }

  private constructor(lab: NetworkLab, node: LabHost) {
    this.#lab = lab
    this.node = node
  }

  async addPod({ key, ips }: LabPod): Promise<LabHost> {
    const host = await this.#lab.host(key.replaceAll('/', '-'))
    const index = this.#all.length
    const device = `v${index}`
    const length = (ip: string): string => (ip.includes(':') ? `${ip}/128` : `${ip}/32`)
    await this.node.must(['ip', '-batch', '-'], {
      input: [
        `link add ${device} type veth peer name eth0 netns ${host.netns}`,
        `address add 169.254.1.1/32 dev ${device}`,
        `address add fe80::1/64 dev ${device} nodad`,
        `link set ${device} up`,
        ...ips.map((ip) => `route add ${length(ip)} dev ${device}`),
        '',
      ].join('\n'),
    })
    await host.must(['ip', '-batch', '-'], {
      input: [
        ...ips.map((ip) => `address add ${length(ip)} dev eth0${ip.includes(':') ? ' nodad' : ''}`),
        'link set eth0 up',
        'route add 169.254.1.1/32 dev eth0',
        'route add default via 169.254.1.1 dev eth0',
        ...(ips.some((ip) => ip.includes(':')) ? ['route add ::/0 via fe80::1 dev eth0'] : []),
        '',
      ].join('\n'),
    })
    const end = host.inside(() => openEnd(host))
    this.#all.push(end)
    for (const ip of ips) this.#ends.set(ip, end)
    return host
  }

  /** The pod's host, by an address. */
  pod(ip: string): LabHost {
    const end = this.#ends.get(ip)
    if (!end) throw new Error(`no pod has ${ip}`)
    return end.host
  }

  /**
   * Sends the packets, every one the first of its flow, and tells which arrived. A packet from a pod to itself never leaves it and is reported as arrived.
   * @param expected what should arrive: waited for as long as it takes, up to ten seconds; what should not gets the same time and some quiet after it
   */
  async probe(packets: readonly ProbePacket[], expected: readonly boolean[]): Promise<boolean[]> {
    const first = this.#token
    this.#token += packets.length
    const arrived = packets.map(({ source, destination, from = source }) => from === destination)
    packets.forEach((packet, i) => {
      if (!arrived[i]) this.#send(packet, first + i)
    })
    const deadline = performance.now() + SETTLE_MS
    for (let quiet = 0; quiet < QUIET_ROUNDS && performance.now() < deadline;) {
      let found = 0
      for (const token of this.received()) {
        if (token < first || token - first >= arrived.length) continue
        arrived[token - first] = true
        found++
      }
      const complete = expected.every((wanted, i) => !wanted || arrived[i])
      if (found > 0 || !complete) quiet = 0
      else quiet++
      await delay(1)
    }
    return arrived
  }

  /** Sends one packet, the first of its flow. @returns the token that `received` knows it by */
  send(packet: ProbePacket): number {
    const token = this.#token++
    this.#send(packet, token)
    return token
  }

  /** Sends a packet within a packet of VXLAN. @returns the token that `received` knows the inner one by */
  sendTunnelled(packet: ProbePacket, outer: Tunnelling): number {
    const token = this.#token++
    this.#sendBytes(outer.source, tunnelled(firstPacket({ ...packet, token, sourcePort: 1024 }), outer), outer.destination)
    return token
  }

  async remove(): Promise<void> {
    const libc = loadLibc()
    for (const { senders, receivers } of this.#all) for (const fd of [...senders.values(), ...receivers.map(({ fd }) => fd)]) libc.close(fd)
    await this.#lab.remove()
  }

  #send(packet: ProbePacket, token: number): void {
    this.#sendBytes(
      packet.from ?? packet.source,
      firstPacket({ ...packet, token, sourcePort: 1024 + (token % 60_000) }),
      packet.destination,
    )
  }

  #sendBytes(from: string, bytes: Uint8Array, destination: string): void {
    const end = this.#ends.get(from)
    if (!end) throw new Error(`no pod has ${from}`)
    loadLibc().sendto(end.senders.get(destination.includes(':') ? 6 : 4) as number, bytes, 0, socketAddress(destination))
  }

  /** Tokens of the packets that have arrived, anywhere, since the last call. */
  received(): readonly number[] {
    const libc = loadLibc()
    const buffer = new Uint8Array(2048)
    const tokens: number[] = []
    for (const { receivers } of this.#all) {
      for (const { fd, family, protocol } of receivers) {
        for (;;) {
          let length = 0
          try {
            length = libc.recv(fd, buffer, 0)
          } catch (error) {
            if ((error as { code?: string }).code === 'EAGAIN') break
            throw error
          }
          // raw sockets give the header of IPv4, and not that of IPv6
          const start = family === 4 ? ((buffer[0] as number) & 15) * 4 : 0
          const token = tokenOf(protocol, buffer.subarray(start, length))
          if (token !== undefined) tokens.push(token)
        }
      }
    }
    return tokens
  }
}

function openEnd(host: LabHost): PodEnd {
  const libc = loadLibc()
  const size = new Uint8Array(new Int32Array([BUFFER_BYTES]).buffer)
  const families = [
    [4, AF_INET],
    [6, AF_INET6],
  ] as const
  return {
    host,
    senders: new Map(families.map(([family, number]) => [family, libc.socket(number, SOCK_RAW_NONBLOCK, IPPROTO_RAW)])),
    receivers: families.flatMap(([family, number]) =>
      (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => {
        const fd = libc.socket(number, SOCK_RAW_NONBLOCK, PROTOCOL_NUMBERS[protocol])
        libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size)
        return { fd, family, protocol }
      }),
    ),
  }
}

function socketAddress(ip: string): Uint8Array {
  const address = parseIp(ip) as Uint8Array
  const bytes = new Uint8Array(address.length === 4 ? 16 : 28)
  bytes[0] = address.length === 4 ? AF_INET : AF_INET6
  bytes.set(address, address.length === 4 ? 4 : 8)
  return bytes
}
