import { createHash } from 'node:crypto'

/** Headers of an upgrade, names in lower case. */
export type UpgradeHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** What is answered, or why not. */
export type WebSocketAnswer =
  | { readonly protocol: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly problem: string }

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * Answers the handshake of a client with the first of our subprotocols that it offers. @param supported best first. Source: RFC 6455, section 4.2
 */
export function answerHandshake(headers: UpgradeHeaders, supported: readonly string[]): WebSocketAnswer {
  const key = textOf(headers['sec-websocket-key'])
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) return { problem: 'sec-websocket-key is missing or no 16 bytes in base64' }
  if (textOf(headers['sec-websocket-version']) !== '13') return { problem: 'the WebSocket version must be 13' }
  const offered = new Set(
    textOf(headers['sec-websocket-protocol'])
      .split(',')
      .map((name) => name.trim()),
  )
  const protocol = supported.find((name) => offered.has(name))
  if (protocol === undefined) return { problem: `one of the subprotocols ${supported.join(', ')} must be offered` }
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  return {
    protocol,
    headers: { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': accept, 'sec-websocket-protocol': protocol },
  }
}

function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(',')
}
