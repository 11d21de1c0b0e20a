import { closeSync, openSync } from 'node:fs'
import { inNetworkNamespace } from '../../../../base/linux/network-namespace.ts'
import { RouteSocket, type NetlinkError } from '../../../forwarding/netlink/index.ts'
import {
  AF_INET6,
  familyOf,
  IFA_NODAD,
  NUD_NOARP,
  NUD_PERMANENT,
  ROUTE_TYPES,
  TABLE_MAIN,
  writeDeleteLink,
  writeDeleteNeighbour,
  writeNewAddress,
  writeNewLink,
  writeNewNeighbour,
  writeRoute,
  writeSetLink,
} from '../../../../protocols/netlink/route/index.ts'
import type { NetlinkWriter } from '../../../../protocols/netlink/index.ts'
import { deviceIndex } from './device-settings.ts'
import { LinkError, type LinkStep, type LinkWriter } from './link-step.ts'

const SCOPE_LINK = 253
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV', 'ESRCH'])
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
      const socket = RouteSocket.open(namespace === undefined ? {} : { namespace })
      const batch = new Batch(socket, namespace)
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
  readonly #socket: RouteSocket
  readonly #namespace: string | undefined
  readonly #indexes = new Map<string, number>([['lo', LOOPBACK]])
  readonly #files: number[] = []
  #steps: { readonly step: LinkStep; readonly link: number }[] = []

  constructor(socket: RouteSocket, namespace: string | undefined) {
    this.#socket = socket
    this.#namespace = namespace
  }

  async add(step: LinkStep): Promise<void> {
    const makes = step.op === 'add-veth' || step.op === 'add-vxlan'
    if (step.op.startsWith('delete-')) return await this.#remove(step)
    const link = makes ? 0 : await this.#find(step.device)
    this.#steps.push({ step, link })
  }

  /** @throws LinkError of the first step that was refused; those after it may have been taken */
  async flush(): Promise<void> {
    const steps = this.#steps
    this.#steps = []
    const writes = steps.map(
      ({ step, link }) =>
        (writer: NetlinkWriter, sequence: number) =>
          this.#write(writer, sequence, step, link),
    )
    const what = [...new Set(steps.map(({ step }) => `${step.op} ${step.device}`))].join(', ')
    await this.#socket.many(what, writes).catch(asLinkError)
  }

  close(): void {
    for (const fd of this.#files) closeSync(fd)
  }

  /** What is gone already is as it was to be. */
  async #remove(step: LinkStep): Promise<void> {
    await this.flush()
    const link = this.#indexes.get(step.device) ?? (await this.#socket.link(step.device))?.index
    if (link === undefined) return
    const done = this.#socket.one(`${step.op} ${step.device}`, (writer, sequence) => this.#write(writer, sequence, step, link))
    await done.catch((error: unknown) => (GONE.has((error as NetlinkError).code) ? undefined : asLinkError(error)))
    if (step.op === 'delete-link') this.#indexes.delete(step.device)
  }

  async #find(device: string): Promise<number> {
    const known = this.#indexes.get(device)
    if (known !== undefined) return known
    await this.flush()
    const index = this.#look(device) ?? (await this.#socket.link(device))?.index
    if (index === undefined) throw new LinkError('ENODEV', `there is no device ${device}`)
    this.#indexes.set(device, index)
    return index
  }

  /** A file says it too, without waiting for the lock under which all of the machine's links change. */
  #look(device: string): number | undefined {
    return this.#namespace === undefined ? deviceIndex(device) : inNetworkNamespace(this.#namespace, () => deviceIndex(device))
  }

  #write(writer: NetlinkWriter, sequence: number, step: LinkStep, link: number): void {
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
        const { address: bytes, length } = step
        const scope = step.scope === 'link' ? SCOPE_LINK : 0
        return writeNewAddress(writer, sequence, { bytes, length, link, scope, flags: bytes.length === 16 ? IFA_NODAD : 0 })
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

function asLinkError(error: unknown): never {
  const { code, message } = error as NetlinkError
  throw new LinkError(code, message)
}
