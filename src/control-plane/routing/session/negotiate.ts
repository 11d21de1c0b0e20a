import { bgpFault, ERROR_CODE, ERROR_SUBCODE } from '../../../protocols/bgp/faults.ts'
import {
  afiOf,
  AS_TRANS,
  familyOf,
  MAX_EXTENDED_MESSAGE_BYTES,
  MAX_MESSAGE_BYTES,
  type BgpFault,
  type Capability,
  type Family,
  type OpenMessage,
  type WireOptions,
} from '../../../protocols/bgp/message.ts'
import type { SessionOptions } from './session.ts'

/** What two OPENs agreed on. */
export interface Negotiated {
  readonly remoteAs: number
  readonly remoteRouterId: number
  readonly holdSeconds: number
  readonly keepaliveSeconds: number
  readonly wire: WireOptions
  /** Absent unless both sides have the capability. */
  readonly gracefulRestart?: {
    /** The peer says that it has restarted. */
    readonly restarting: boolean
    /** Both keep routes over NOTIFICATIONs and an expired hold timer too (RFC 8538). */
    readonly notification: boolean
    readonly restartTimeSeconds: number
    readonly families: readonly { readonly family: Family; readonly forwarding: boolean }[]
  }
  readonly refresh: boolean
  readonly enhancedRefresh: boolean
  /** For people: what both sides can. */
  readonly capabilities: readonly string[]
}

/** Our OPEN. `restarted`: see SessionState. */
export function openOf(
  options: SessionOptions,
  restarted?: { readonly forwarding: readonly Family[] },
): Omit<OpenMessage, 'type' | 'version'> {
  const { localAs, families, gracefulRestart } = options
  const unicast = families.map((family) => ({ afi: afiOf(family), safi: 1 }))
  const capabilities: Capability[] = [
    ...unicast.map((one): Capability => ({ kind: 'multiprotocol', ...one })),
    { kind: 'route-refresh' },
    { kind: 'enhanced-route-refresh' },
    { kind: 'extended-message' },
    { kind: 'four-octet-as', as: localAs },
  ]
  if (gracefulRestart) {
    capabilities.push({
      kind: 'graceful-restart',
      restarting: restarted !== undefined,
      notification: true,
      restartTimeSeconds: gracefulRestart.restartTimeSeconds,
      families: families.map((family) => ({
        afi: afiOf(family),
        safi: 1,
        forwarding: restarted?.forwarding.includes(family) ?? false,
      })),
    })
  }
  if (options.addPathReceive) capabilities.push({ kind: 'add-path', families: unicast.map((one) => ({ ...one, mode: 1 })) })
  if (options.extendedNextHop && families.includes(4)) {
    capabilities.push({ kind: 'extended-next-hop', entries: [{ afi: 1, safi: 1, nextHopAfi: 2 }] })
  }
  return {
    as: localAs > 65_535 ? AS_TRANS : localAs,
    holdTimeSeconds: options.holdSeconds,
    routerId: options.routerId,
    capabilities,
  }
}

/** Judges the peer's OPEN. @returns what holds from now on, or why there can be no session */
export function negotiate(options: SessionOptions, open: OpenMessage): Negotiated | BgpFault {
  const find = <K extends Capability['kind']>(kind: K): Extract<Capability, { kind: K }> | undefined =>
    open.capabilities.find((one): one is Extract<Capability, { kind: K }> => one.kind === kind)
  const fourOctet = find('four-octet-as')
  const remoteAs = fourOctet?.as ?? open.as
  const internal = remoteAs === options.localAs
  if (remoteAs === 0 || !mayBe(options, remoteAs)) {
    return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.badPeerAs, `the peer is AS ${remoteAs}, expected ${expected(options)}`)
  }
  if (internal && open.routerId === options.routerId) {
    return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.badIdentifier, 'the peer has the same router ID (RFC 6286)')
  }
  const families = commonFamilies(options, open)
  if (families.length === 0) {
    return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.capability, 'no address family in common', wanted(options))
  }
  const extendedMessages = find('extended-message') !== undefined
  const addPathReceive = options.addPathReceive ? families.filter((family) => sendsPaths(find('add-path'), family)) : []
  const extendedNextHop =
    options.extendedNextHop &&
    (find('extended-next-hop')?.entries.some(({ afi, safi, nextHopAfi }) => afi === 1 && safi === 1 && nextHopAfi === 2) ?? false)
  const restart = options.gracefulRestart ? find('graceful-restart') : undefined
  const holdSeconds = Math.min(options.holdSeconds, open.holdTimeSeconds)
  const third = Math.max(1, Math.floor(holdSeconds / 3))
  const refresh = find('route-refresh') !== undefined
  const enhancedRefresh = refresh && find('enhanced-route-refresh') !== undefined
  return {
    remoteAs,
    remoteRouterId: open.routerId,
    holdSeconds,
    keepaliveSeconds: holdSeconds === 0 ? 0 : Math.min(options.keepaliveSeconds ?? third, third),
    wire: {
      fourOctetAs: fourOctet !== undefined,
      addPathReceive,
      families,
      extendedNextHop,
      internal,
      maxMessageBytes: extendedMessages ? MAX_EXTENDED_MESSAGE_BYTES : MAX_MESSAGE_BYTES,
    },
    ...(restart
      ? {
          gracefulRestart: {
            restarting: restart.restarting,
            notification: restart.notification,
            restartTimeSeconds: restart.restartTimeSeconds,
            families: restart.families.flatMap(({ afi, safi, forwarding }) => {
              const family = familyOf(afi, safi)
              return family !== undefined && families.includes(family) ? [{ family, forwarding }] : []
            }),
          },
        }
      : {}),
    refresh,
    enhancedRefresh,
    capabilities: [
      ...families.map((family) => `ipv${family}-unicast`),
      ...(fourOctet ? ['four-octet-as'] : []),
      ...(refresh ? ['route-refresh'] : []),
      ...(enhancedRefresh ? ['enhanced-route-refresh'] : []),
      ...(extendedMessages ? ['extended-message'] : []),
      ...(restart ? [restart.notification ? 'graceful-restart-notification' : 'graceful-restart'] : []),
      ...addPathReceive.map((family) => `add-path-receive-ipv${family}`),
      ...(extendedNextHop ? ['extended-next-hop'] : []),
    ],
  }
}

function mayBe({ remoteAs, localAs }: SessionOptions, as: number): boolean {
  if (remoteAs === 'internal') return as === localAs
  if (remoteAs === 'external') return as !== localAs
  return as >= remoteAs.first && as <= remoteAs.last
}

function expected({ remoteAs, localAs }: SessionOptions): string {
  if (remoteAs === 'internal') return String(localAs)
  if (remoteAs === 'external') return `any but ${localAs}`
  return remoteAs.first === remoteAs.last ? String(remoteAs.first) : `${remoteAs.first} to ${remoteAs.last}`
}

/** Without any multiprotocol capability a peer speaks IPv4 alone (RFC 4760 section 8). */
function commonFamilies(options: SessionOptions, open: OpenMessage): readonly Family[] {
  const offered = open.capabilities.flatMap((one) => (one.kind === 'multiprotocol' ? [familyOf(one.afi, one.safi)] : []))
  return offered.length === 0 ? options.families.filter((family) => family === 4) : options.families.filter((one) => offered.includes(one))
}

/** The capabilities that were missed, as the data of the NOTIFICATION (RFC 5492 section 3). */
function wanted({ families }: SessionOptions): Uint8Array {
  return Uint8Array.from(families.flatMap((family) => [1, 4, 0, afiOf(family), 0, 1]))
}

function sendsPaths(capability: Extract<Capability, { kind: 'add-path' }> | undefined, family: Family): boolean {
  return capability?.families.some(({ afi, safi, mode }) => familyOf(afi, safi) === family && (mode & 2) !== 0) ?? false
}
