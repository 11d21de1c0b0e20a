import type { BgpPeer, BgpPeerSpec } from '../../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import type { RoutePolicy } from '../../../api/routing.biplane.dev/v1alpha1/route-policy.ts'
import type { GracefulRestart } from '../../../api/routing.biplane.dev/v1alpha1/router.ts'
import { parseIp, parsePrefix } from '../../../base/ip.ts'
import type { Family } from '../../../protocols/bgp/message.ts'
import type { SessionOptions } from '../session/session.ts'
import { joinPolicies } from './join-policies.ts'
import type { BfdConfig, MaximumPrefixConfig, PeerConfig, RouterConfig, TransportConfig } from './routing-config.ts'

export interface PeerInput {
  readonly peer: BgpPeer
  readonly router: RouterConfig
  readonly gracefulRestart: GracefulRestart | undefined
  readonly policies: ReadonlyMap<string, RoutePolicy>
  /** The password that `passwordSecretRef` names. */
  readonly password: string | undefined
}

/** As long as the key of a TCP MD5 signature may be on Linux. */
const MAX_PASSWORD_BYTES = 80

/** @returns the peer, or only problems when it cannot be used */
export function compilePeer(input: PeerInput): { readonly peer?: PeerConfig; readonly problems: readonly string[] } {
  const { spec, metadata } = input.peer
  const problems: string[] = []
  const about = (text: string): string => `BGPPeer "${metadata.name}": ${text}`
  const remote = remoteOf(spec)
  if (!remote) return { problems: [about('has neither an address nor prefixes that can be read')] }
  if (spec.passwordSecretRef) {
    // a session without the password that was asked for must not come up
    if (input.password === undefined) return { problems: [about(`its password is not there: ${secretText(spec)}`)] }
    const bytes = Buffer.byteLength(input.password)
    if (bytes === 0 || bytes > MAX_PASSWORD_BYTES) {
      return { problems: [about(`its password has ${bytes} bytes, 1 to ${MAX_PASSWORD_BYTES} are possible`)] }
    }
  }
  const session = sessionOf(input, remote)
  const imports = joinPolicies(spec.importPolicies, input.policies)
  const exports = joinPolicies(spec.exportPolicies, input.policies)
  problems.push(...[...imports.problems, ...exports.problems].map(about))
  const bfd = bfdOf(spec)
  if (bfd && 'prefixes' in remote) problems.push(about('BFD is not started for neighbours of a range'))
  return {
    problems,
    peer: {
      name: metadata.name,
      remote,
      session,
      transport: transportOf(spec, session, input.password),
      ...(imports.policy ? { importPolicy: imports.policy } : {}),
      ...(exports.policy ? { exportPolicy: exports.policy } : {}),
      routeReflectorClient: spec.routeReflectorClient ?? false,
      nextHop: spec.nextHopSelf ? 'self' : 'auto',
      allowOwnAs: spec.allowASIn ?? 0,
      enforceFirstAs: spec.enforceFirstAS ?? true,
      gracefulShutdown: input.router.drain,
      maximumPrefixes: maximumPrefixesOf(spec),
      ...(bfd && !('prefixes' in remote) ? { bfd } : {}),
      ...(spec.shutdown ? { shutdown: { text: spec.shutdownMessage ?? '' } } : {}),
    },
  }
}

function remoteOf(spec: BgpPeerSpec): PeerConfig['remote'] | undefined {
  if (spec.address !== undefined) {
    const [text, device] = spec.address.split('%') as [string, string?]
    const address = parseIp(text)
    return address && { address, port: spec.port ?? 179, ...(device === undefined ? {} : { device }) }
  }
  const prefixes = (spec.prefixes ?? []).flatMap((text) => parsePrefix(text) ?? [])
  return prefixes.length === 0 ? undefined : { prefixes, limit: spec.dynamicLimit ?? 100 }
}

function sessionOf({ peer: { spec }, router, gracefulRestart }: PeerInput, remote: PeerConfig['remote']): SessionOptions {
  const isRange = 'prefixes' in remote
  const natural: Family = (isRange ? remote.prefixes[0]?.family : remote.address.length === 4 ? 4 : 6) ?? 4
  const families = (spec.families ?? []).map((family): Family => (family === 'ipv4' ? 4 : 6)).sort((a, b) => a - b)
  const restart = { ...gracefulRestart, ...spec.gracefulRestart }
  const { holdSeconds = 90, keepaliveSeconds, connectRetrySeconds = 15 } = spec.timers ?? {}
  const asn = spec.asn ?? 0
  return {
    localAs: spec.localASN ?? router.localAs,
    routerId: router.routerId,
    remoteAs:
      spec.peerType === undefined ? (spec.asnRange ?? { first: asn, last: asn }) : spec.peerType === 'External' ? 'external' : 'internal',
    families: families.length > 0 ? families : [natural],
    holdSeconds,
    ...(keepaliveSeconds === undefined ? {} : { keepaliveSeconds }),
    connectRetrySeconds,
    passive: isRange || (spec.passive ?? false),
    addPathReceive: spec.addPathReceive ?? false,
    extendedNextHop: natural === 6,
    ...((restart.enabled ?? true)
      ? {
          gracefulRestart: {
            restartTimeSeconds: restart.restartTimeSeconds ?? 120,
            stalePathsTimeSeconds: restart.stalePathsTimeSeconds ?? 360,
          },
        }
      : {}),
  }
}

function transportOf(spec: BgpPeerSpec, session: SessionOptions, password: string | undefined): TransportConfig {
  const { remoteAs, localAs } = session
  const isInternal = remoteAs === 'internal' || (remoteAs !== 'external' && remoteAs.first === localAs && remoteAs.last === localAs)
  const hops = spec.ttlSecurityHops
  const ttl = hops === undefined ? (spec.ebgpMultihopTTL ?? (isInternal ? undefined : 1)) : 255
  return {
    ...(spec.localAddress === undefined ? {} : { localAddress: spec.localAddress }),
    ...(spec.passwordSecretRef && password !== undefined ? { password } : {}),
    ...(ttl === undefined ? {} : { ttl }),
    ...(hops === undefined ? {} : { minTtl: 256 - hops }),
  }
}

function maximumPrefixesOf(spec: BgpPeerSpec): Partial<Record<Family, MaximumPrefixConfig>> {
  return Object.fromEntries(
    (spec.maximumPrefixes ?? []).map(({ family, limit, action = 'Restart', restartSeconds = 300 }) => [
      family === 'ipv4' ? 4 : 6,
      { limit, action, restartSeconds },
    ]),
  )
}

function bfdOf({ bfd, ebgpMultihopTTL, ttlSecurityHops }: BgpPeerSpec): BfdConfig | undefined {
  if (!bfd || bfd.enabled === false) return undefined
  return {
    minTxMs: bfd.minimumTransmitMilliseconds ?? 300,
    minRxMs: bfd.minimumReceiveMilliseconds ?? 300,
    detectMultiplier: bfd.detectMultiplier ?? 3,
    multihop: ebgpMultihopTTL !== undefined || (ttlSecurityHops ?? 1) > 1,
    graceful: bfd.graceful ?? false,
  }
}

/** `Secret kube-system/name, key password`. */
function secretText({ passwordSecretRef: ref }: BgpPeerSpec): string {
  return `Secret ${ref?.namespace ?? 'kube-system'}/${ref?.name}, key ${ref?.key ?? 'password'}`
}
