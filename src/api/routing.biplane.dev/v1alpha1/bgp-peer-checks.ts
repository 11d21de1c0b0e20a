import type { FieldErrors } from '../../validation/field-errors.ts'
import type { BgpPeerSpec } from './bgp-peer.ts'
import { checkGracefulRestart } from './router.ts'
import { checkAsn, checkBetween, checkPrefix, checkUnicast } from './routing-checks.ts'

/** What a BGPPeer may say, fields that exclude each other included. */
export function checkBgpPeer(errors: FieldErrors, spec: BgpPeerSpec): void {
  checkWhere(errors, spec)
  checkWho(errors, spec)
  checkTransport(errors, spec)
  checkTimers(errors, spec)
  if (spec.families?.length === 0) errors.required('spec.families', 'leave it out, or name ipv4, ipv6 or both')
  spec.maximumPrefixes?.forEach(({ family, limit, action, restartSeconds }, i) => {
    const field = `spec.maximumPrefixes[${i}]`
    errors.positive(`${field}.limit`, limit)
    checkBetween(errors, `${field}.restartSeconds`, restartSeconds, 1, 86_400)
    if (restartSeconds !== undefined && (action ?? 'Restart') !== 'Restart') {
      errors.forbidden(`${field}.restartSeconds`, 'may only be set when action is Restart')
    }
    if (spec.maximumPrefixes!.findIndex((other) => other.family === family) !== i) errors.duplicate(`${field}.family`, family)
  })
  const { bfd } = spec
  checkBetween(errors, 'spec.bfd.minimumTransmitMilliseconds', bfd?.minimumTransmitMilliseconds, 10, 60_000)
  checkBetween(errors, 'spec.bfd.minimumReceiveMilliseconds', bfd?.minimumReceiveMilliseconds, 10, 60_000)
  checkBetween(errors, 'spec.bfd.detectMultiplier', bfd?.detectMultiplier, 1, 255)
  checkBetween(errors, 'spec.allowASIn', spec.allowASIn, 0, 10)
  checkGracefulRestart(errors, 'spec.gracefulRestart', spec.gracefulRestart)
  if (Buffer.byteLength(spec.shutdownMessage ?? '') > 255) errors.tooLong('spec.shutdownMessage', 255)
  for (const list of ['importPolicies', 'exportPolicies'] as const) {
    spec[list]?.forEach((name, i) => {
      if (name === '') errors.required(`spec.${list}[${i}]`, 'the name of a RoutePolicy')
    })
  }
}

function checkWhere(errors: FieldErrors, spec: BgpPeerSpec): void {
  const isRange = spec.prefixes !== undefined && spec.prefixes.length > 0
  if (spec.address === undefined && !isRange) errors.required('spec.address', 'an address, or prefixes from which neighbours may come')
  if (spec.address !== undefined && isRange) errors.forbidden('spec.prefixes', 'may not be set together with address')
  if (spec.address !== undefined) checkUnicast(errors, 'spec.address', spec.address, { zone: true })
  spec.prefixes?.forEach((prefix, i) => {
    checkPrefix(errors, `spec.prefixes[${i}]`, prefix)
    if (spec.prefixes!.indexOf(prefix) !== i) errors.duplicate(`spec.prefixes[${i}]`, prefix)
  })
  checkBetween(errors, 'spec.dynamicLimit', spec.dynamicLimit, 1, 10_000)
  if (spec.dynamicLimit !== undefined && !isRange) errors.forbidden('spec.dynamicLimit', 'may only be set together with prefixes')
  checkBetween(errors, 'spec.port', spec.port, 1, 65_535)
  if (spec.localAddress === undefined) return
  checkUnicast(errors, 'spec.localAddress', spec.localAddress)
  if (spec.address !== undefined && spec.address.includes(':') !== spec.localAddress.includes(':')) {
    errors.invalid('spec.localAddress', spec.localAddress, 'must be of the same family as address')
  }
}

function checkWho(errors: FieldErrors, spec: BgpPeerSpec): void {
  const given = (['asn', 'asnRange', 'peerType'] as const).filter((field) => spec[field] !== undefined)
  if (given.length === 0) errors.required('spec.asn', 'the AS of the peer, asnRange or peerType')
  for (const field of given.slice(1)) errors.forbidden(`spec.${field}`, `may not be set together with ${given[0]}`)
  checkAsn(errors, 'spec.asn', spec.asn)
  checkAsn(errors, 'spec.localASN', spec.localASN)
  const range = spec.asnRange
  if (range && !(range.first >= 1 && range.first <= range.last && range.last <= 4_294_967_295)) {
    errors.invalid('spec.asnRange', range, 'first must be at least 1 and not above last')
  }
  if (spec.routeReflectorClient && spec.peerType === 'External') {
    errors.forbidden('spec.routeReflectorClient', 'only internal peers are clients of a route reflector')
  }
}

function checkTransport(errors: FieldErrors, spec: BgpPeerSpec): void {
  const secret = spec.passwordSecretRef
  if (secret && !secret.name) errors.required('spec.passwordSecretRef.name', 'the name of a Secret')
  checkBetween(errors, 'spec.ttlSecurityHops', spec.ttlSecurityHops, 1, 254)
  checkBetween(errors, 'spec.ebgpMultihopTTL', spec.ebgpMultihopTTL, 2, 255)
  if (spec.ttlSecurityHops !== undefined && spec.ebgpMultihopTTL !== undefined) {
    errors.forbidden('spec.ebgpMultihopTTL', 'may not be set together with ttlSecurityHops, which says it better')
  }
}

function checkTimers(errors: FieldErrors, { timers }: BgpPeerSpec): void {
  if (!timers) return
  const { holdSeconds, keepaliveSeconds, connectRetrySeconds } = timers
  if (holdSeconds !== undefined && holdSeconds !== 0) checkBetween(errors, 'spec.timers.holdSeconds', holdSeconds, 3, 65_535)
  checkBetween(errors, 'spec.timers.keepaliveSeconds', keepaliveSeconds, 1, 21_845)
  checkBetween(errors, 'spec.timers.connectRetrySeconds', connectRetrySeconds, 1, 65_535)
}
