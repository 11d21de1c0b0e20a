import type { Route, RouteConfiguration, RouteMatch, VirtualHost } from '../model/index.ts'
import { hostOf, pathOf, type RequestView } from './request-view.ts'
import { compileHeaderMatch, compilePathMatch, compileQueryMatch, MatchError } from './string-match.ts'

/** A route that was found, always the same object for the same route. */
export interface FoundRoute<T> {
  readonly route: Route
  readonly virtualHost: VirtualHost
  /** What `attach` made of it. */
  readonly attached: T
}

export interface RouteTable<T> {
  /** Undefined: no virtual host, or none of its routes. */
  find(request: RequestView): FoundRoute<T> | undefined
  findVirtualHost(authority: string): VirtualHost | undefined
  readonly routes: readonly FoundRoute<T>[]
}

interface CompiledHost<T> {
  readonly host: VirtualHost
  find(request: RequestView): FoundRoute<T> | undefined
}

type Test = (request: RequestView, path: string) => boolean

/** Answers kept of one kind of question. Clients choose the questions, so the memory is emptied when it is full, and long ones are never kept. */
const MEMO = 1_024
const MEMO_KEY = 256

/**
 * Makes a table of a configuration, once.
 * @param attach what the caller wants to have at hand with each route
 * @throws MatchError naming the route whose pattern is none
 */
export function compileRouteConfiguration<T = undefined>(
  config: RouteConfiguration,
  attach?: (route: Route, virtualHost: VirtualHost) => T,
): RouteTable<T> {
  const exact = new Map<string, CompiledHost<T>>()
  const suffixes = new Map<string, CompiledHost<T>>()
  let any: CompiledHost<T> | undefined
  const routes: FoundRoute<T>[] = []
  for (const host of config.virtualHosts) {
    const compiled = compileHost(host, attach, routes)
    for (const domain of host.domains) {
      if (domain === '*') any ??= compiled
      else if (domain.startsWith('*.')) suffixes.set(domain.slice(1), suffixes.get(domain.slice(1)) ?? compiled)
      else exact.set(domain, exact.get(domain) ?? compiled)
    }
  }
  const lookUp = (authority: string): CompiledHost<T> | undefined => {
    const host = hostOf(authority)
    const found = exact.get(host)
    if (found) return found
    // the longest suffix comes first
    for (let dot = suffixes.size > 0 ? host.indexOf('.', 1) : -1; dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const suffix = suffixes.get(host.slice(dot))
      if (suffix) return suffix
    }
    return any
  }
  const hostFor = exact.size + suffixes.size === 0 ? (): CompiledHost<T> | undefined => any : remember(lookUp)
  return {
    find: (request) => hostFor(request.authority)?.find(request),
    findVirtualHost: (authority) => hostFor(authority)?.host,
    routes,
  }
}

function compileHost<T>(
  host: VirtualHost,
  attach: ((route: Route, host: VirtualHost) => T) | undefined,
  all: FoundRoute<T>[],
): CompiledHost<T> {
  const entries = host.routes.map((route) => ({
    test: compileNamed(route),
    found: { route, virtualHost: host, attached: attach?.(route, host) as T } satisfies FoundRoute<T>,
  }))
  all.push(...entries.map(({ found }) => found))
  const search = (request: RequestView, path: string): FoundRoute<T> | undefined => {
    for (const { test, found } of entries) if (test(request, path)) return found
    return undefined
  }
  const isPlain = host.routes.every(({ match }) => !match.headers?.length && !match.query?.length && !match.grpc)
  const isDear = entries.length > 4 || host.routes.some(({ match }) => match.path !== undefined && 'regex' in match.path)
  if (!isPlain || !isDear) return { host, find: (request) => search(request, pathOf(request.path)) }

  const byMethod = new Map<string, Map<string, FoundRoute<T> | undefined>>()
  const usesMethod = host.routes.some(({ match }) => match.method !== undefined)
  return {
    host,
    find(request) {
      const method = usesMethod ? request.method : ''
      let memo = byMethod.get(method)
      if (!memo) {
        if (byMethod.size >= 16) byMethod.clear()
        byMethod.set(method, (memo = new Map()))
      }
      const path = pathOf(request.path)
      if (path.length > MEMO_KEY) return search(request, path)
      const known = memo.get(path)
      if (known !== undefined || memo.has(path)) return known
      const found = search(request, path)
      if (memo.size >= MEMO) memo.clear()
      memo.set(path, found)
      return found
    },
  }
}

function compileNamed(route: Route): Test {
  try {
    return compileRouteMatch(route.match)
  } catch (error) {
    if (error instanceof MatchError) throw new MatchError(`route ${route.name}: ${error.message}`)
    throw error
  }
}

/** @returns a test of a request and its path without query @throws MatchError */
export function compileRouteMatch(match: RouteMatch): Test {
  const tests: Test[] = []
  const { path, method, headers, query, grpc } = match
  if (method !== undefined) tests.push((request) => request.method === method)
  if (path) {
    const test = compilePathMatch(path)
    tests.push((_, text) => test(text))
  }
  if (grpc) tests.push((request) => isGrpc(request.headers.get('content-type')))
  for (const header of headers ?? []) tests.push(compileHeaderMatch(header))
  for (const parameter of query ?? []) tests.push(compileQueryMatch(parameter))
  const [a, b] = tests
  if (!a) return () => true
  if (!b) return a
  return tests.length === 2
    ? (request, text) => a(request, text) && b(request, text)
    : (request, text) => tests.every((test) => test(request, text))
}

/** `application/grpc`, alone or with a subtype (`+proto`). Source: gRPC over HTTP/2. */
export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/i.test(contentType)
}

function remember<T>(lookUp: (key: string) => T | undefined): (key: string) => T | undefined {
  const memo = new Map<string, T | undefined>()
  return (key) => {
    if (key.length > MEMO_KEY) return lookUp(key)
    const known = memo.get(key)
    if (known !== undefined || memo.has(key)) return known
    const found = lookUp(key)
    if (memo.size >= MEMO) memo.clear()
    memo.set(key, found)
    return found
  }
}
