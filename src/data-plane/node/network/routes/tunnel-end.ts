import type { IpPrefix } from '../../../../base/ip.ts'
import { messageOf } from '../../../../base/errors.ts'
import type { Logger } from '../../../../base/log.ts'
import { applySettings } from '../links/device-settings.ts'
import { LinkError, type LinkWriter } from '../links/link-step.ts'
import { readJsonFile, writeJsonFile } from '../state-file.ts'
import { TUNNEL_DEVICE, type Tunnel } from './plan-node-routes.ts'
import { planTunnelAddresses, planTunnelDevice, planTunnels, TUNNEL_SETTINGS, tunnelMac } from './tunnel-device.ts'

/** 4789 is VXLAN's own; the others are for machines where somebody has it. */
const PORTS = [4789, 8472, 14_789, 24_789]

export interface TunnelEndOptions {
  readonly nodeName: string
  /** The node's primary address. */
  readonly address: string
  readonly links: LinkWriter
  /** Of the link to other nodes. */
  readonly mtu: number
  /** Where is kept how the device was made. */
  readonly file: string
  readonly hasDevice: () => boolean
  /** What the device knows of far ends. */
  readonly known: () => Promise<readonly Tunnel[]>
  readonly log: Logger
}

/** This node's end of the tunnels to all others: one device. It stays when the agent ends. */
export class TunnelEnd {
  readonly #options: TunnelEndOptions
  #port = 0
  #addresses = ''
  #known: readonly Tunnel[] = []

  constructor(options: TunnelEndOptions) {
    this.#options = options
  }

  get mac(): string {
    return tunnelMac(this.#options.nodeName)
  }

  /** 0: there is no device. */
  get port(): number {
    return this.#port
  }

  /** Makes the device, or finds that of an earlier agent right. @throws LinkError */
  async open(): Promise<void> {
    const { nodeName, address, mtu, file, hasDevice, links, known } = this.#options
    const made = readJsonFile<{ readonly name: string; readonly address: string; readonly port: number }>(file)
    const isThere = hasDevice()
    if (isThere && made?.name === nodeName && made.address === address) {
      this.#port = made.port
      this.#known = await known()
      return
    }
    if (isThere) await links.apply([{ op: 'delete-link', device: TUNNEL_DEVICE }])
    for (const [i, port] of PORTS.entries()) {
      try {
        await links.apply(planTunnelDevice({ name: nodeName, address, port, mtu }))
        applySettings(TUNNEL_SETTINGS)
        await links.apply([{ op: 'up', device: TUNNEL_DEVICE }])
        writeJsonFile(file, { name: nodeName, address, port })
        this.#port = port
        return
      } catch (error) {
        // made, but not up: its port is in use
        if (hasDevice()) await links.apply([{ op: 'delete-link', device: TUNNEL_DEVICE }])
        const isTaken = error instanceof LinkError && (error.code === 'EEXIST' || error.code === 'EADDRINUSE')
        if (!isTaken || i === PORTS.length - 1) throw error
        this.#options.log.warn('the port of the tunnel between nodes is in use, another is tried', { port, error: messageOf(error) })
      }
    }
  }

  /** Makes the device again when somebody has taken it away. @throws LinkError */
  async keep(): Promise<void> {
    if (!this.#port || this.#options.hasDevice()) return
    this.#options.log.warn('the device of the tunnels between nodes is gone, it is made again', { device: TUNNEL_DEVICE })
    this.#addresses = ''
    this.#known = []
    await this.open()
  }

  /** The node's addresses on the tunnel; no change when they are there. @throws LinkError */
  async setAddresses(podCidrs: readonly IpPrefix[]): Promise<void> {
    const steps = planTunnelAddresses(podCidrs)
    const text = JSON.stringify(podCidrs.map((cidr) => [...cidr.bytes]))
    if (text === this.#addresses || !this.#port) return
    await this.#options.links.apply(steps)
    this.#addresses = text
  }

  /** @throws LinkError */
  async setTunnels(tunnels: readonly Tunnel[]): Promise<void> {
    if (!this.#port || JSON.stringify(tunnels) === JSON.stringify(this.#known)) return
    await this.#options.links.apply(planTunnels(tunnels, this.#known))
    this.#known = tunnels
  }
}
