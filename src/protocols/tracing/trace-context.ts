/** Position in a trace, as `traceparent` carries it. Source: W3C Trace Context, level 1. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** 16 lower-case hex digits, not all zero: of the span that the message was sent by. */
  readonly spanId: string
  readonly sampled: boolean
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Reads a `traceparent`; undefined for what the recommendation tells to ignore. Later versions are read by the rules of version 00. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const match = text.length <= 512 ? TRACEPARENT.exec(text) : null
  if (!match) return undefined
  const [, version, traceId = '', spanId = '', flags = '', rest] = match
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** Reads B3 headers, single or several. Source: openzipkin/b3-propagation. */
export function parseB3(get: (name: string) => string | undefined): TraceContext | undefined {
  const [traceId = '', spanId = '', sampled] = get('b3')?.split('-') ?? [get('x-b3-traceid'), get('x-b3-spanid'), get('x-b3-sampled')]
  if (!/^(?:[0-9a-f]{16}|[0-9a-f]{32})$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId: traceId.padStart(32, '0'), spanId, sampled: sampled === '1' || sampled === 'd' || sampled === 'true' }
}

/** An id of `bytes` bytes in hex, never zero. @param random 0 <= x < 1 */
export function randomId(bytes: 8 | 16, random: () => number): string {
  for (;;) {
    let text = ''
    for (let i = 0; i < bytes / 4; i++)
      text += Math.floor(random() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0')
    if (!/^0+$/.test(text)) return text
  }
}
