import { formatPrefix, type IpPrefix, parseIp, parsePrefix } from '../../../base/ip.ts'
import {
  bodyOf,
  decodeUpdate,
  encodeUpdate,
  type Family,
  isFault,
  nextFrame,
  type Nlri,
  type PathAttributes,
  type UpdateMessage,
  type WireOptions,
} from '../../../protocols/bgp/index.ts'
import {
  createRib,
  type PeerHandle,
  type Rib,
  type RibOptions,
  type RibPeerOptions,
  type SessionParameters,
  type UpdateOutcome,
} from './index.ts'

/** A RIB under test, spoken to as its peers would. */
export const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array
export const prefixOf = (text: string): IpPrefix => parsePrefix(text) as IpPrefix

export const LOCAL_AS = 64500
export const ROUTER_ID = 0x0a000001

export function nlri(text: string, pathId?: number): Nlri {
  return { ...prefixOf(text), ...(pathId === undefined ? {} : { pathId }) }
}

/** Attributes with a path of these AS numbers. */
export function attributesOf(as: readonly number[], more: PathAttributes = {}): PathAttributes {
  return { origin: 0, asPath: as.length > 0 ? [{ kind: 'sequence', as }] : [], nextHop: ip('10.0.0.2'), ...more }
}

/** What a peer was told: prefixes with attributes, and the marks between. */
export interface Heard {
  readonly routes: Map<string, PathAttributes & { readonly linkLocal?: Uint8Array }>
  /** Every message in short: `+ prefixes`, `- prefixes`, `end`, `refresh 1`. */
  readonly log: string[]
}

export class TestRib {
  readonly rib: Rib
  readonly told: string[] = []
  readonly #sessions = new Map<PeerHandle, SessionParameters>()
  readonly heard: Map<PeerHandle, Heard> = new Map()

  constructor(options: Partial<RibOptions> = {}) {
    this.rib = createRib({
      localAs: LOCAL_AS,
      routerId: ROUTER_ID,
      resolver: { resolve: () => ({ metric: 0 }) },
      listener: {
        exportsPending: (peer) => this.told.push(`exports ${peer}`),
        workPending: () => this.told.push('work'),
        fibPending: () => this.told.push('fib'),
      },
      ...options,
    })
  }

  /** Adds a peer at 10.0.0.LAST and brings its session up. */
  peer(last: number, as: number, options: Partial<RibPeerOptions> = {}, session: Partial<SessionParameters> = {}): PeerHandle {
    const handle = this.rib.addPeer({ name: `peer-${last}`, address: ip(`10.0.0.${last}`), allowWithoutPolicy: true, ...options })
    this.up(handle, last, as, session)
    return handle
  }

  up(handle: PeerHandle, last: number, as: number, session: Partial<SessionParameters> = {}): void {
    const parameters: SessionParameters = {
      fourOctetAs: true,
      addPathReceive: [],
      families: [4, 6],
      extendedNextHop: false,
      internal: as === LOCAL_AS,
      maxMessageBytes: 4096,
      remoteAs: as,
      remoteRouterId: last,
      localAddresses: { 4: ip('10.0.0.1'), 6: ip('2001:db8::1') },
      ...session,
    }
    this.#sessions.set(handle, parameters)
    this.heard.set(handle, { routes: new Map(), log: [] })
    this.rib.peerUp(handle, parameters)
  }

  send(from: PeerHandle, message: Partial<UpdateMessage>): UpdateOutcome {
    const bytes = encodeUpdate(
      { withdrawn: [], announced: [], attributes: {}, ...message },
      { fourOctetAs: this.#sessions.get(from)?.fourOctetAs ?? true, addPath: this.#sessions.get(from)?.addPathReceive ?? [] },
    )
    return this.rib.update(from, bodyOf(bytes))
  }

  announce(from: PeerHandle, attributes: PathAttributes, ...prefixes: readonly string[]): UpdateOutcome {
    return this.send(from, { attributes, announced: prefixes.map((text) => nlri(text)) })
  }

  withdraw(from: PeerHandle, ...prefixes: readonly string[]): UpdateOutcome {
    return this.send(from, { withdrawn: prefixes.map((text) => nlri(text)) })
  }

  work(): void {
    while (this.rib.work(1000, () => 0)) {
      // until nothing is left
    }
  }

  /** Takes all that a peer is to be told. */
  take(to: PeerHandle, maxBytes = 65536): Heard {
    const heard = this.heard.get(to) as Heard
    for (let bytes = this.rib.takeExports(to, maxBytes); bytes; bytes = this.rib.takeExports(to, maxBytes)) {
      for (let at = 0; at < bytes.length;) {
        const frame = nextFrame(bytes, at, bytes.length, 4096)
        if (!frame || isFault(frame)) throw new Error('bad messages')
        const body = bytes.subarray(frame.start + 19, frame.end)
        if (frame.type === 5) heard.log.push(`refresh ${body[2]}`)
        else this.#hear(to, heard, body)
        at = frame.end
      }
    }
    return heard
  }

  #hear(to: PeerHandle, heard: Heard, body: Uint8Array): void {
    const options: WireOptions = { ...(this.#sessions.get(to) as SessionParameters), internal: true, addPathReceive: [] }
    const read = decodeUpdate(body, options)
    if (isFault(read) || read.errors.length > 0) throw new Error('a bad UPDATE')
    const { withdrawn, announced, attributes, mpReach, mpUnreach } = read.message
    const names = (list: readonly Nlri[]): string[] => list.map((one) => formatPrefix(one))
    if (read.endOfRib) heard.log.push(`end ${read.endOfRib}`)
    const gone = names([...withdrawn, ...(mpUnreach?.nlri ?? [])])
    if (gone.length > 0) heard.log.push(`- ${gone.join(' ')}`)
    for (const prefix of gone) heard.routes.delete(prefix)
    const reached = mpReach
      ? { ...attributes, nextHop: mpReach.nextHop, ...(mpReach.linkLocal ? { linkLocal: mpReach.linkLocal } : {}) }
      : attributes
    const come = names([...announced, ...(mpReach?.nlri ?? [])])
    if (come.length > 0) heard.log.push(`+ ${come.join(' ')}`)
    for (const prefix of come) heard.routes.set(prefix, reached)
  }

  /** `peer: state` of each candidate of a prefix, in the order of peers. */
  states(prefix: string): Record<string, string> {
    const { candidates = [] } = this.rib.explain(prefixOf(prefix)) ?? {}
    const text = (one: (typeof candidates)[number]): string => {
      const { state } = one
      switch (state.kind) {
        case 'best':
          return 'best'
        case 'multipath':
          return `multipath, ${state.step}`
        case 'lost':
          return `lost at ${state.step}`
        case 'rejected':
          return `rejected by ${state.rule} of ${state.policy}`
        case 'invalid':
          return state.reason
      }
    }
    return Object.fromEntries(candidates.map((one) => [one.pathId === undefined ? one.from : `${one.from}#${one.pathId}`, text(one)]))
  }

  received(peer: PeerHandle, family: Family = 4): number {
    return this.rib.peerCounters(peer).received[family]
  }
}
