/** Where calls are logged. Who calls is known only after the handshake: for all callers holds what the rule for all says. An empty list of backends logs nothing. */
import type { PolicyPlugin } from '../../input/index.ts'
import { DEFAULT_ACCESS_LOG_FORMAT, type AccessLog } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

interface Format {
  readonly type: 'Plain' | 'Json'
  readonly plain?: string
  readonly json?: readonly { readonly key: string; readonly value: string }[]
  readonly omitEmptyValues?: boolean
}

export interface AccessLogConf {
  readonly backends?: readonly {
    readonly type: 'Tcp' | 'File' | 'OpenTelemetry'
    readonly tcp?: { readonly address: string; readonly format?: Format }
    readonly file?: { readonly path: string; readonly format?: Format }
    readonly openTelemetry?: {
      readonly endpoint?: string
      readonly body?: unknown
      readonly attributes?: readonly { readonly key: string; readonly value: string }[]
    }
  }[]
}

export const meshAccessLog: PolicyPlugin<AccessLogConf> = {
  type: 'MeshAccessLog',
  merge: mergeConfs,
  outboundHttp: (conf, http) => ({ ...http, accessLogs: logs(conf) }),
  outboundTcp: (conf, tcp) => ({ ...tcp, accessLogs: logs(conf) }),
  inboundHttp: (rules, http) => ({ ...http, accessLogs: logs(rules.at(-1)?.conf ?? {}) }),
  inboundTcp: (rules, tcp) => ({ ...tcp, accessLogs: logs(rules.at(-1)?.conf ?? {}) }),
}

function logs({ backends = [] }: AccessLogConf): readonly AccessLog[] {
  return backends.flatMap(({ type, tcp, file, openTelemetry }, i): AccessLog[] => {
    const name = `mesh-access-log/${i}`
    if (type === 'Tcp' && tcp) return [{ name, sink: { type: 'tcp', address: tcp.address }, format: formatOf(tcp.format) }]
    if (type === 'File' && file) {
      return [
        { name, sink: file.path === '/dev/stdout' ? { type: 'stdout' } : { type: 'file', path: file.path }, format: formatOf(file.format) },
      ]
    }
    if (type !== 'OpenTelemetry' || openTelemetry?.endpoint === undefined) return []
    const attributes = Object.fromEntries((openTelemetry.attributes ?? []).map(({ key, value }) => [key, value]))
    const { body } = openTelemetry
    return [
      {
        name,
        sink: { type: 'otlp', endpoint: openTelemetry.endpoint, ...(Object.keys(attributes).length > 0 ? { attributes } : {}) },
        format: typeof body === 'string' ? { type: 'text', text: body } : formatOf(undefined),
      },
    ]
  })
}

function formatOf(format: Format | undefined): AccessLog['format'] {
  if (format?.type === 'Json' && format.json) {
    const fields = Object.fromEntries(format.json.map(({ key, value }) => [key, value]))
    return { type: 'json', fields, ...(format.omitEmptyValues === undefined ? {} : { omitEmpty: format.omitEmptyValues }) }
  }
  const text = format?.plain ?? DEFAULT_ACCESS_LOG_FORMAT
  return { type: 'text', text: text.endsWith('\n') ? text : `${text}\n` }
}
