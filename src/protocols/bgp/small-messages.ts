import { bgpFault, ERROR_CODE, ERROR_SUBCODE } from './faults.ts'
import { frameMessage } from './framing.ts'
import type { BgpFault, NotificationMessage, RouteRefreshMessage } from './message.ts'
import { MESSAGE_TYPE } from './message.ts'

/** The whole KEEPALIVE; shared, not to be changed. */
export const KEEPALIVE_BYTES: Uint8Array = frameMessage(MESSAGE_TYPE.keepalive, new Uint8Array(0))

/** Reads the body of a NOTIFICATION. It cannot be refused: a body that is too short has code 0. */
export function decodeNotification(body: Uint8Array): NotificationMessage {
  return { type: 'notification', code: body[0] ?? 0, subcode: body[1] ?? 0, data: body.slice(2) }
}

export function encodeNotification(notification: {
  readonly code: number
  readonly subcode: number
  readonly data?: Uint8Array
}): Uint8Array {
  const data = notification.data ?? new Uint8Array(0)
  const body = new Uint8Array(2 + Math.min(data.length, 4096 - 21))
  body[0] = notification.code
  body[1] = notification.subcode
  body.set(data.subarray(0, body.length - 2), 2)
  return frameMessage(MESSAGE_TYPE.notification, body)
}

/** Data of an administrative shutdown or reset that says why (RFC 9003): UTF-8, cut to 255 bytes at a character. */
export function encodeShutdownText(text: string): Uint8Array {
  const encoder = new TextEncoder()
  const out = new Uint8Array(256)
  const { written } = encoder.encodeInto(text, out.subarray(1))
  out[0] = written
  return out.slice(0, 1 + written)
}

/**
 * What the peer's operator said (RFC 9003): of Cease/2 and Cease/4, and of those inside a hard reset (RFC 8538). Control characters become `?`: the text
 * goes to logs.
 */
export function shutdownText(notification: NotificationMessage): string | undefined {
  const { code, subcode, data } = notification
  if (code !== ERROR_CODE.cease) return undefined
  if (subcode === ERROR_SUBCODE.cease.hardReset) return data.length < 2 ? undefined : shutdownText(decodeNotification(data))
  if (subcode !== ERROR_SUBCODE.cease.administrativeShutdown && subcode !== ERROR_SUBCODE.cease.administrativeReset) return undefined
  const length = data[0] ?? 0
  if (length === 0 || length > data.length - 1) return undefined
  const text = new TextDecoder().decode(data.subarray(1, 1 + length))
  return text.replace(/\p{Cc}/gu, '?')
}

/** Reads the body of a ROUTE-REFRESH (RFC 2918, RFC 7313). Other lengths than 4 are faults; families and subtypes are the caller's to judge. */
export function decodeRouteRefresh(body: Uint8Array): RouteRefreshMessage | BgpFault {
  if (body.length !== 4) {
    return bgpFault(
      ERROR_CODE.routeRefresh,
      ERROR_SUBCODE.routeRefresh.badLength,
      `ROUTE-REFRESH with ${body.length} bytes (RFC 7313 5)`,
      body.slice(),
    )
  }
  const [high, low, subtype, safi] = body as unknown as [number, number, number, number]
  return { type: 'route-refresh', afi: (high << 8) | low, subtype, safi }
}

export function encodeRouteRefresh(refresh: Omit<RouteRefreshMessage, 'type'>): Uint8Array {
  return frameMessage(MESSAGE_TYPE.routeRefresh, Uint8Array.of(refresh.afi >> 8, refresh.afi, refresh.subtype, refresh.safi))
}
