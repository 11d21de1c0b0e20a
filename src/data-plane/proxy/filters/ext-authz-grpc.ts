import { isUtf8 } from 'node:buffer'
import { decode, encode } from '../../../protocols/xds/index.ts'
import { enumShape } from '../../../protocols/xds/descriptor.ts'
import type { ExtAuthzFilter, HeaderValue, SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { Downstream, RequestHead } from '../contract.ts'
import type { AuthorityVerdict, ShownBody } from './authority-verdict.ts'

export const CHECK_METHOD = '/envoy.service.auth.v3.Authorization/Check'

/** Bytes of an `envoy.service.auth.v3.CheckRequest`. All headers are shown where the filter names none, as Envoy does. */
export function checkRequest(
  filter: ExtAuthzFilter,
  of: { readonly request: RequestHead; readonly connection: Downstream; readonly body: ShownBody | undefined; readonly nowMs: number },
): Uint8Array {
  const { request, connection, body } = of
  const length = request.headers.get('content-length')
  const size = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : request.endsWithHead ? 0 : -1
  return encode('envoy.service.auth.v3.CheckRequest', {
    attributes: {
      source: { address: addressOf(connection.remote), ...(connection.tls?.peer === undefined ? {} : { principal: connection.tls.peer }) },
      destination: { address: addressOf(connection.original ?? connection.local) },
      request: {
        time: new Date(of.nowMs).toISOString(),
        http: {
          id: request.headers.get('x-request-id') ?? '',
          method: request.method,
          headers: shownHeaders(filter, request, body),
          path: request.path,
          host: request.authority,
          scheme: request.scheme,
          size,
          protocol: connection.protocol === 'http2' ? 'HTTP/2' : 'HTTP/1.1',
          ...(body === undefined ? {} : isUtf8(body.bytes) ? { body: Buffer.from(body.bytes).toString() } : { raw_body: body.bytes }),
        },
      },
    },
  })
}

function addressOf({ address, port }: SocketAddress): unknown {
  return { socket_address: { address, port_value: port } }
}

function shownHeaders({ includeHeaders = [] }: ExtAuthzFilter, request: RequestHead, body: ShownBody | undefined): Record<string, string> {
  const { method, path, authority, scheme, headers } = request
  const shown: Record<string, string> = { ':method': method, ':path': path, ':authority': authority, ':scheme': scheme }
  const names = includeHeaders.length > 0 ? new Set([...includeHeaders, 'authorization']) : undefined
  headers.forEach((name, value) => {
    if (names && !names.has(name)) return
    const known = Object.hasOwn(shown, name) ? shown[name] : undefined
    shown[name] = known === undefined ? value : `${known}${name === 'cookie' ? '; ' : ','}${value}`
  })
  if (body) shown['x-envoy-auth-partial-body'] = String(body.partial)
  return shown
}

interface HeaderValueOption {
  readonly header?: { readonly key?: string; readonly value?: string; readonly raw_value?: Uint8Array }
  readonly append?: boolean
}

interface CheckResponse {
  readonly status?: { readonly code?: number }
  readonly denied_response?: {
    readonly status?: { readonly code?: string | number }
    readonly headers?: readonly HeaderValueOption[]
    readonly body?: string
  }
  readonly ok_response?: {
    readonly headers?: readonly HeaderValueOption[]
    readonly headers_to_remove?: readonly string[]
    readonly response_headers_to_add?: readonly HeaderValueOption[]
    readonly query_parameters_to_set?: readonly { readonly key?: string; readonly value?: string }[]
    readonly query_parameters_to_remove?: readonly string[]
  }
}

/** Of the bytes of a CheckResponse: `status` decides. @throws {XdsError} where they are none */
export function grpcVerdict(filter: ExtAuthzFilter, bytes: Uint8Array): AuthorityVerdict {
  const { status, denied_response: denied, ok_response: ok } = decode('envoy.service.auth.v3.CheckResponse', bytes) as CheckResponse
  if ((status?.code ?? 0) !== 0) {
    const code = statusNumber(denied?.status?.code)
    return { allowed: false, status: code, headers: (denied?.headers ?? []).map(fieldOf), body: denied?.body ?? '' }
  }
  const { upstreamHeaders } = filter
  const mayGoOn = ({ header }: HeaderValueOption): boolean =>
    !upstreamHeaders || upstreamHeaders.length === 0 || upstreamHeaders.includes(header?.key?.toLowerCase() ?? '')
  const headers = (ok?.headers ?? []).filter(mayGoOn)
  return {
    allowed: true,
    set: headers.filter(({ append }) => append !== true).map(fieldOf),
    append: headers.filter(({ append }) => append === true).map(fieldOf),
    remove: (ok?.headers_to_remove ?? []).map((name) => name.toLowerCase()),
    responseHeaders: (ok?.response_headers_to_add ?? []).map(fieldOf),
    setQuery: (ok?.query_parameters_to_set ?? []).map(({ key = '', value = '' }) => ({ name: key, value })),
    removeQuery: ok?.query_parameters_to_remove ?? [],
  }
}

function fieldOf({ header: { key = '', value, raw_value: raw } = {} }: HeaderValueOption): HeaderValue {
  return { name: key.toLowerCase(), value: raw && raw.length > 0 ? Buffer.from(raw).toString('latin1') : (value ?? '') }
}

/** 403 where the authority names none. */
function statusNumber(code: string | number | undefined): number {
  const number = typeof code === 'string' ? (enumShape('envoy.type.v3.StatusCode').numbers.get(code) ?? 0) : (code ?? 0)
  return number >= 200 && number <= 599 ? number : 403
}
