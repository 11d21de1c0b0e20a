/** What rules look at of a request; the proxy's own request heads are of this shape, so nothing is copied to judge one. */
export interface RequestView {
  readonly method: string
  /** With the query, as it came. */
  readonly path: string
  /** Host with its port. */
  readonly authority: string
  readonly headers: {
    get(name: string): string | undefined
    getAll(name: string): readonly string[]
  }
}

/** A view of plain values, for explanations and tests. Header names are lower-case. */
export function requestView(values: {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}): RequestView {
  const headers = values.headers ?? {}
  const getAll = (name: string): readonly string[] => [Object.hasOwn(headers, name) ? (headers[name] ?? []) : []].flat()
  return {
    method: values.method ?? 'GET',
    path: values.path ?? '/',
    authority: values.authority ?? '',
    headers: { get: (name) => getAll(name)[0], getAll },
  }
}

/** All values of a header as one text, as rules see them: a second field cannot hide behind the first. Source: RFC 9110 5.3. */
export function headerText(request: RequestView, name: string): string | undefined {
  switch (name) {
    case ':method':
      return request.method
    case ':path':
      return request.path
    case ':authority':
    case 'host':
      return request.authority
    default: {
      if (request.headers.get(name) === undefined) return undefined
      const values = request.headers.getAll(name)
      return values.length === 1 ? values[0] : values.join(',')
    }
  }
}

/** The path without its query. */
export function pathOf(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}

/** Host in lower case without port, brackets kept around IPv6, without the dot of the root. */
export function hostOf(authority: string): string {
  const end = authority.endsWith(']') ? -1 : authority.lastIndexOf(':')
  let host = end < 0 || (authority.indexOf(':') !== end && !authority.startsWith('[')) ? authority : authority.slice(0, end)
  if (host.endsWith('.')) host = host.slice(0, -1)
  return host.toLowerCase()
}
