import { decodeCapabilities, encodeCapabilities } from './capabilities.ts'
import { bgpFault, ERROR_CODE, ERROR_SUBCODE } from './faults.ts'
import { frameMessage } from './framing.ts'
import type { BgpFault, Capability, OpenMessage } from './message.ts'
import { MESSAGE_TYPE } from './message.ts'

const VERSION = 4
const CAPABILITIES_PARAMETER = 2
const EXTENDED_LENGTH = 255

/** Reads the body of an OPEN (RFC 4271 4.2, RFC 9072). Checks what RFC 4271 section 6.2 says about form; the AS is the caller's to judge. */
export function decodeOpen(body: Uint8Array): OpenMessage | BgpFault {
  if (body.length < 10) return parameterFault('the OPEN is cut off')
  const version = body[0] as number
  if (version !== VERSION) {
    return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.version, `version ${version} is not 4`, Uint8Array.of(0, VERSION))
  }
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const as = view.getUint16(1)
  const holdTimeSeconds = view.getUint16(3)
  const routerId = view.getUint32(5)
  if (as === 0) return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.badPeerAs, 'AS 0 is reserved (RFC 7607)')
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2) {
    return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.holdTime, `a hold time of ${holdTimeSeconds} s is not allowed (RFC 4271 6.2)`)
  }
  if (routerId === 0) return bgpFault(ERROR_CODE.open, ERROR_SUBCODE.open.badIdentifier, 'the BGP identifier is 0 (RFC 6286)')
  const capabilities = decodeParameters(body, view)
  return 'reason' in capabilities ? capabilities : { type: 'open', version, as, holdTimeSeconds, routerId, capabilities }
}

function decodeParameters(body: Uint8Array, view: DataView): Capability[] | BgpFault {
  const extended = body.length >= 13 && body[9] === EXTENDED_LENGTH && body[10] === EXTENDED_LENGTH
  const length = extended ? view.getUint16(11) : (body[9] as number)
  let at = extended ? 13 : 10
  if (at + length !== body.length) return parameterFault('the length of the optional parameters does not fit the message')
  const capabilities: Capability[] = []
  const head = extended ? 3 : 2
  while (at < body.length) {
    if (at + head > body.length) return parameterFault('an optional parameter is cut off')
    const type = body[at] as number
    const end = at + head + (extended ? view.getUint16(at + 1) : (body[at + 1] as number))
    if (end > body.length) return parameterFault('an optional parameter is cut off')
    if (type !== CAPABILITIES_PARAMETER) return parameterFault(`optional parameter ${type} is not known`)
    const some = decodeCapabilities(body.subarray(at + head, end))
    if (!some) return parameterFault('a capability is cut off (RFC 5492)')
    capabilities.push(...some)
    at = end
  }
  return capabilities
}

function parameterFault(reason: string): BgpFault {
  // RFC 4271 section 6.2: a recognized but malformed parameter has subcode 0, an unknown one 4
  const subcode = reason.endsWith('is not known') ? ERROR_SUBCODE.open.optionalParameter : 0
  return bgpFault(ERROR_CODE.open, subcode, reason)
}

/** The whole message. All capabilities go into one parameter; beyond 255 bytes the lengths are extended (RFC 9072). */
export function encodeOpen(open: Omit<OpenMessage, 'type' | 'version'>): Uint8Array {
  const capabilities = encodeCapabilities(open.capabilities)
  const extended = capabilities.length > 253
  const parameters =
    capabilities.length === 0
      ? []
      : extended
        ? [CAPABILITIES_PARAMETER, capabilities.length >> 8, capabilities.length & 0xff, ...capabilities]
        : [CAPABILITIES_PARAMETER, capabilities.length, ...capabilities]
  const head = new DataView(new ArrayBuffer(9))
  head.setUint8(0, VERSION)
  head.setUint16(1, open.as)
  head.setUint16(3, open.holdTimeSeconds)
  head.setUint32(5, open.routerId)
  const lengths = extended ? [255, 255, parameters.length >> 8, parameters.length & 0xff] : [parameters.length]
  return frameMessage(MESSAGE_TYPE.open, Uint8Array.from([...new Uint8Array(head.buffer), ...lengths, ...parameters]))
}
