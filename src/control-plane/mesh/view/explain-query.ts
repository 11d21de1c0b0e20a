import { StatusError } from '../../../base/errors.ts'
import type { ExplainedRequest } from '../../../policy/traffic/explain/index.ts'

/** A call that is asked about. */
export interface ExplainQuery {
  readonly from: { readonly namespace: string; readonly pod: string }
  readonly to: { readonly namespace: string; readonly name: string; readonly port: number }
  readonly request: ExplainedRequest
}

type Values = Readonly<Record<string, string | readonly string[] | undefined>>

const MAX_HEADERS = 64
const MAX_VALUE = 8_192

/** Reads the query of `explain`. @throws {StatusError} `BadRequest`, naming the parameter */
export function explainQuery(query: Values): ExplainQuery {
  const [, namespace, pod] = /^([^/\s]+)\/([^/\s]+)$/.exec(one(query, 'from')) ?? []
  if (namespace === undefined || pod === undefined) throw bad('from', one(query, 'from'), 'write it as NAMESPACE/POD')
  const [, toNamespace, name, digits] = /^([^/\s]+)\/([^/:\s]+):(\d{1,5})$/.exec(one(query, 'to')) ?? []
  const port = Number(digits)
  if (toNamespace === undefined || name === undefined || port < 1 || port > 65_535) {
    throw bad('to', one(query, 'to'), 'write it as NAMESPACE/SERVICE:PORT')
  }
  const method = one(query, 'method')
  if (method !== '' && !/^[!#$%&'*+.^_`|~\w-]+$/.test(method)) throw bad('method', method, 'write it as GET')
  const path = one(query, 'path')
  if (path !== '' && !path.startsWith('/') && path !== '*') throw bad('path', path, 'a path begins with /')
  const { host, ...headers } = headersOf(all(query, 'header'))
  return {
    from: { namespace, pod },
    to: { namespace: toNamespace, name, port },
    request: {
      ...(method === '' ? {} : { method }),
      ...(path === '' ? {} : { path }),
      ...(host?.[0] === undefined ? {} : { host: host[0] }),
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
    },
  }
}

function headersOf(lines: readonly string[]): Record<string, readonly string[]> {
  if (lines.length > MAX_HEADERS) throw new StatusError('BadRequest', `header: at most ${MAX_HEADERS} are taken, there are ${lines.length}`)
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(line) ?? []
    if (name === undefined) throw bad('header', line, 'write it as NAME:VALUE')
    const key = name.toLowerCase()
    headers.set(key, [...(headers.get(key) ?? []), value])
  }
  return Object.fromEntries(headers)
}

function all(query: Values, name: string): readonly string[] {
  const values = [query[name] ?? []].flat() as string[]
  const long = values.find(({ length }) => length > MAX_VALUE)
  if (long !== undefined) throw new StatusError('BadRequest', `${name}: has ${long.length} characters, at most ${MAX_VALUE} are taken`)
  return values
}

const one = (query: Values, name: string): string => all(query, name)[0] ?? ''

function bad(name: string, value: string, fix: string): StatusError {
  return new StatusError(
    'BadRequest',
    value === '' ? `${name}: is missing; ${fix}` : `${name}: ${JSON.stringify(value)} is not understood; ${fix}`,
  )
}
