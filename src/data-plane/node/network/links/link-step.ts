import type { IpBytes } from '../../../../base/ip.ts'

/** One change to the links of a network namespace. */
export type LinkStep =
  /** A pair of joined devices; the peer comes into being in the namespace at `peer.namespace`. Both are down. */
  | { readonly op: 'add-veth'; readonly device: string; readonly mac: string; readonly mtu: number; readonly peer: VethPeer }
  | { readonly op: 'add-vxlan'; readonly device: string; readonly mac: string; readonly mtu: number; readonly vxlan: VxlanParameters }
  | { readonly op: 'up'; readonly device: string }
  | { readonly op: 'mtu'; readonly device: string; readonly mtu: number }
  | { readonly op: 'delete-link'; readonly device: string }
  /** Without duplicate address detection. No error when it is there. */
  | { readonly op: 'address'; readonly device: string; readonly address: IpBytes; readonly length: number; readonly scope?: 'link' }
  /** A neighbour that is never asked for nor forgotten; replaces what is there. */
  | { readonly op: 'neighbour'; readonly device: string; readonly address: IpBytes; readonly mac: string }
  | { readonly op: 'delete-neighbour'; readonly device: string; readonly address: IpBytes }
  /** Behind which machine of the underlay a hardware address is; replaces what is there. */
  | { readonly op: 'forward'; readonly device: string; readonly mac: string; readonly to: IpBytes; readonly port: number }
  | { readonly op: 'delete-forward'; readonly device: string; readonly mac: string }
  /** The default route of the family of `gateway`, which is reachable over the device although no route says so. */
  | { readonly op: 'default-route'; readonly device: string; readonly gateway: IpBytes }

export interface VethPeer {
  readonly device: string
  readonly mac: string
  /** Path of its namespace. */
  readonly namespace: string
}

export interface VxlanParameters {
  readonly id: number
  readonly local: IpBytes
  readonly port: number
}

/** Changes the links of a network namespace. */
export interface LinkWriter {
  /** In order; stops at the first step that fails. @throws LinkError */
  apply(steps: readonly LinkStep[]): Promise<void>
}

/** A step that the kernel refused. `code` is its errno by name, such as `EEXIST`. */
export class LinkError extends Error {
  override readonly name = 'LinkError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
