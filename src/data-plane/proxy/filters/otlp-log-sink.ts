import type { Clock } from '../../../base/clock.ts'
import type { AccessLog } from '../../../policy/traffic/model/index.ts'
import { encodeLogs, type LogRecord } from '../../../protocols/tracing/index.ts'
import type { PostJson } from './span-exporter.ts'

type OtlpLog = AccessLog['sink'] & { readonly type: 'otlp' }

export interface OtlpLogSinkOptions {
  /** `host:port`, or a URL; logs go to `/v1/logs` of it. */
  readonly endpoint: string
  /** Of the proxy, such as `service.name`. */
  readonly resource: Readonly<Record<string, string>>
  readonly post: PostJson
  readonly clock: Clock
}

/** How a line carries attributes beside its text, on its way to the sink. */
const TEXT = ''
const FIELD = 'f:'
const ATTRIBUTE = 'a:'

/** The format that lines for an OTLP sink are written in: its records are made of them. Attributes are formats themselves. */
export function otlpLogFormat({ attributes = {} }: OtlpLog, format: AccessLog['format']): AccessLog['format'] {
  const prefixed = (prefix: string, fields: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(fields).map(([name, text]) => [`${prefix}${name}`, text]))
  const body = format.type === 'text' ? { [TEXT]: format.text.replace(/\n$/, '') } : prefixed(FIELD, format.fields)
  return {
    type: 'json',
    fields: { ...body, ...prefixed(ATTRIBUTE, attributes) },
    ...(format.type === 'json' && format.omitEmpty === true ? { omitEmpty: true } : {}),
  }
}

/** Takes lines of {@link otlpLogFormat} and posts them, all that waited in one request: a sink for LogWriter. */
export function openOtlpLogSink({ endpoint, resource, post, clock }: OtlpLogSinkOptions): {
  write(lines: string | Buffer, done: (error?: Error) => void): void
  close(): void
} {
  const base = (/^https?:\/\//.test(endpoint) ? endpoint : `http://${endpoint}`).replace(/\/$/, '')
  const url = base.endsWith('/v1/logs') ? base : `${base}/v1/logs`
  return {
    write(lines, done) {
      const timeMs = clock.now()
      const records = lines
        .toString()
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [recordOf(line, timeMs)]))
      post(url, encodeLogs(resource, records)).then(
        () => done(),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      )
    },
    close() {},
  }
}

function recordOf(line: string, timeMs: number): LogRecord {
  const attributes: Record<string, string> = {}
  const fields: Record<string, unknown> = {}
  let text: string | undefined
  for (const [name, value] of Object.entries(JSON.parse(line) as Record<string, unknown>)) {
    const shown = typeof value === 'string' ? value : JSON.stringify(value)
    if (name === TEXT) text = shown
    else if (name.startsWith(FIELD)) fields[name.slice(FIELD.length)] = value
    else if (value !== null) attributes[name.slice(ATTRIBUTE.length)] = shown
  }
  return { timeMs, body: text ?? JSON.stringify(fields), attributes }
}
