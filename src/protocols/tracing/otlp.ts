/** One finished span. Times in milliseconds since 1970, with fractions. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: 'server' | 'client'
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  /** Set for answers that are the server's fault. */
  readonly error?: string
}

/** One log record: a line of an access log. */
export interface LogRecord {
  readonly timeMs: number
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
}

const KIND = { server: 2, client: 3 } as const
const ERROR = 2

/** Body of `POST /v1/traces`. Source: OTLP specification 1.3, JSON encoding (opentelemetry-proto trace.proto). */
export function encodeSpans(resource: Readonly<Record<string, string>>, spans: readonly Span[]): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributes(resource) },
        scopeSpans: [{ scope: { name: 'biplane' }, spans: spans.map(encodeSpan) }],
      },
    ],
  })
}

/** Body of `POST /v1/logs`. */
export function encodeLogs(resource: Readonly<Record<string, string>>, records: readonly LogRecord[]): string {
  return JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: attributes(resource) },
        scopeLogs: [
          {
            scope: { name: 'biplane' },
            logRecords: records.map((record) => ({
              timeUnixNano: nanos(record.timeMs),
              body: { stringValue: record.body },
              attributes: attributes(record.attributes),
            })),
          },
        ],
      },
    ],
  })
}

function encodeSpan(span: Span): unknown {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs, error } = span
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    kind: KIND[kind],
    startTimeUnixNano: nanos(startMs),
    endTimeUnixNano: nanos(endMs),
    attributes: attributes(span.attributes),
    ...(error === undefined ? {} : { status: { code: ERROR, message: error } }),
  }
}

function attributes(values: Readonly<Record<string, string | number | boolean>>): unknown[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }))
}

function valueOf(value: string | number | boolean): unknown {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  // 64-bit integers are strings in the JSON of protobuf
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

/** Nanoseconds as a decimal string: more digits than a number holds. */
function nanos(ms: number): string {
  const whole = Math.floor(ms)
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000)))
}
