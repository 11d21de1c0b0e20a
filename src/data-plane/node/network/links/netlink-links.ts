import { closeSync, openSync } from 'node:fs'
import { NetlinkError, NetlinkSocket } from '../../../forwarding/netlink/index.ts'
import {
  AF_INET6,
  familyOf,
  IFA_NODAD,
  NETLINK_ROUTE,
  NUD_NOARP,
  NUD_PERMANENT,
  readLink,
  ROUTE_TYPES,
  RTM,
  TABLE_MAIN,
  writeDeleteLink,
  writeDeleteNeighbour,
  writeNewAddress,
  writeNewLink,
  writeNewNeighbour,
  writeRoute,
  writeSetLink,
} from '../../../../protocols/netlink/route/index.ts'
import { NetlinkWriter, NLM_ACK, NLM_REQUEST } from '../../../../protocols/netlink/index.ts'
import { LinkError, type LinkStep, type LinkWriter } from './link-step.ts'

const SCOPE_LINK = 253
const IFLA_NAME = 3
/** Of forwarding entries: a UDP port other than the device's own. */
const NDA_PORT = 6
const NEXT_HOP_ONLINK = 4
/** The loopback is the first device of every namespace. */
const LOOPBACK = 1
/** RTPROT_BOOT: what set the machine up. */
const PROTOCOL_BOOT = 3

/** Links over netlink. @param namespace path; absent: of this process */
export function netlinkWriter(namespace?: string): LinkWriter {
  return {
    async apply(steps) {
      if (steps.length === 0) return
      const socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, ...(namespace === undefined ? {} : { namespace }) })
      const batch = new Batch(socket)
      try {
        for (const step of steps) await batch.add(step)
        await batch.flush()
      } finally {
        batch.close()
        socket.close()
      }
    },
  }
}

/** Steps become messages; as many as possible are sent at once. */
class Batch {
  readonly #socket: NetlinkSocket
  readonly #indexes = new Map<string, number>([['lo', LOOPBACK]])
  readonly #files: number[] = []
  #writer = new NetlinkWriter()
  #steps: LinkStep[] = []
  #last = 0

  constructor(socket: NetlinkSocket) {
    this.#socket = socket
  }

  async add(step: LinkStep): Promise<void> {
    const makes = step.op === 'add-veth' || step.op === 'add-vxlan'
    const link = makes ? 0 : (this.#indexes.get(step.device) ?? (await this.#find(step.device)))
    this.#last = this.#socket.sequences(1)
    this.#steps.push(step)
    this.#write(step, link)
    if (step.op === 'delete-link') this.#indexes.delete(step.device)
  }

  /** @throws LinkError of the first step that was refused; those after it may have been taken */
  async flush(): Promise<void> {
    if (this.#steps.length === 0) return
    const bytes = this.#writer.finish()
    const steps = this.#steps
    const first = this.#last - steps.length + 1
    this.#writer = new NetlinkWriter()
    this.#steps = []
    const errors = await this.#socket.request({ bytes, lastSequence: this.#last, what: 'links' })
    for (const error of errors) {
      const step = steps[error.sequence - first]
      // gone already: that is what was wanted
      if (step?.op.startsWith('delete-') && ['ENOENT', 'ENODEV'].includes(NetlinkError.of('', error).code)) continue
      const what = step ? `${step.op} ${step.device}` : 'links'
      const { code, message } = NetlinkError.of(what, error)
      throw new LinkError(code, message)
    }
  }

  close(): void {
    for (const fd of this.#files) closeSync(fd)
  }

  async #find(device: string): Promise<number> {
    await this.flush()
    const sequence = this.#socket.sequences(1)
    const writer = new NetlinkWriter()
    writer.message(RTM.getLink, NLM_REQUEST | NLM_ACK, sequence)
    writer.head(new Uint8Array(16))
    writer.string(IFLA_NAME, device)
    let index = 0
    const errors = await this.#socket.request({ bytes: writer.finish(), lastSequence: sequence, what: `device ${device}` }, (message) => {
      if (message.type === RTM.newLink) index = readLink(message).index
    })
    if (errors[0] || index === 0) {
      const { code, message } = errors[0]
        ? NetlinkError.of(`device ${device}`, errors[0])
        : { code: 'ENODEV', message: `no device ${device}` }
      throw new LinkError(code, message)
    }
    this.#indexes.set(device, index)
    return index
  }

  #write(step: LinkStep, link: number): void {
    const writer = this.#writer
    const sequence = this.#last
    switch (step.op) {
      case 'add-veth': {
        const { device: name, mac, mtu } = step
        const namespaceFd = openSync(step.peer.namespace, 'r')
        this.#files.push(namespaceFd)
        const peer = { name: step.peer.device, address: macBytes(step.peer.mac), mtu, namespaceFd }
        return writeNewLink(writer, sequence, { kind: 'veth', name, address: macBytes(mac), mtu, peer })
      }
      case 'add-vxlan':
        return writeNewLink(writer, sequence, {
          kind: 'vxlan',
          name: step.device,
          address: macBytes(step.mac),
          mtu: step.mtu,
          vxlan: { ...step.vxlan, learning: false },
        })
      case 'up':
        return writeSetLink(writer, sequence, link, { isUp: true })
      case 'mtu':
        return writeSetLink(writer, sequence, link, { mtu: step.mtu })
      case 'delete-link':
        return writeDeleteLink(writer, sequence, link)
      case 'address': {
        const { bytes, length, family } = step.prefix
        const scope = step.scope === 'link' ? SCOPE_LINK : 0
        return writeNewAddress(writer, sequence, { bytes, length, link, scope, flags: family === 6 ? IFA_NODAD : 0 })
      }
      case 'neighbour':
        return writeNewNeighbour(writer, sequence, permanent(link, step.address, step.mac))
      case 'delete-neighbour':
        return writeDeleteNeighbour(writer, sequence, { kind: 'neighbour', link, ip: step.address, state: 0, protocol: 0 })
      case 'forward':
        writeNewNeighbour(writer, sequence, forwarding(link, step.mac, step.to))
        return writer.u16be(NDA_PORT, step.port)
      case 'delete-forward':
        return writeDeleteNeighbour(writer, sequence, forwarding(link, step.mac))
      case 'default-route': {
        const { gateway } = step
        const isIpv6 = familyOf(gateway) === AF_INET6
        const hop = { gateway, link, weight: 1, flags: NEXT_HOP_ONLINK }
        const destination = new Uint8Array(gateway.length)
        const route = {
          destination,
          length: 0,
          table: TABLE_MAIN,
          protocol: PROTOCOL_BOOT,
          type: ROUTE_TYPES.unicast,
          metric: isIpv6 ? 1024 : 0,
        }
        return writeRoute(writer, 'replace', sequence, { ...route, nextHops: [hop] }, true)
      }
    }
  }
}

function permanent(link: number, ip: Uint8Array, mac: string): Parameters<typeof writeNewNeighbour>[2] {
  return { kind: 'neighbour', link, ip, address: macBytes(mac), state: NUD_PERMANENT, protocol: 0 }
}

function forwarding(link: number, mac: string, ip?: Uint8Array): Parameters<typeof writeNewNeighbour>[2] {
  return { kind: 'forwarding', link, address: macBytes(mac), state: NUD_PERMANENT | NUD_NOARP, protocol: 0, ...(ip ? { ip } : {}) }
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16))
}
