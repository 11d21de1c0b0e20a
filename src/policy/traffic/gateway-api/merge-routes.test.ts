import { describe, expect, test } from 'vitest'
import type { TrafficRoute, TrafficRule } from '../input/route.ts'
import type { RouteMatch } from '../model/index.ts'
import { coversHostname, effectiveHostnames, intersectHostname } from './hostnames.ts'
import { mergeRoutes, sortRules } from './merge-routes.ts'

const route = (
  name: string,
  matches: RouteMatch[],
  more: { hostnames?: string[]; at?: number; kind?: 'http' | 'grpc' } = {},
): TrafficRoute => ({
  origin: { kind: 'HTTPRoute', group: 'gateway.networking.k8s.io', namespace: 'n', name, createdAtMs: more.at ?? 0 },
  kind: more.kind ?? 'http',
  parents: [],
  hostnames: more.hostnames ?? [],
  rules: matches.map((match): TrafficRule => ({ matches: [match], backends: [] })),
  unmatched: 'notFound',
})
const header = (name: string): NonNullable<RouteMatch['headers']>[number] => ({ name, value: { exact: '1' } })
const text = ({ match }: { match: RouteMatch }): string => JSON.stringify(match)

describe('the order of rules', () => {
  test('is by path, then method, headers and query parameters', () => {
    const ordered: RouteMatch[] = [
      { path: { exact: '/a' }, method: 'GET' },
      { path: { exact: '/a' }, headers: [header('x'), header('y')] },
      { path: { exact: '/a' } },
      { path: { regex: '/a.*' } },
      { path: { pathPrefix: '/aaaa' } },
      { path: { pathPrefix: '/aa' }, method: 'GET' },
      { path: { pathPrefix: '/aa' }, headers: [header('x')], query: [{ name: 'q', value: { exact: '1' } }] },
      { path: { pathPrefix: '/aa' }, headers: [header('x')] },
      { path: { pathPrefix: '/aa' }, query: [{ name: 'q', value: { exact: '1' } }] },
      { path: { pathPrefix: '/' } },
    ]
    for (const shuffled of [[...ordered].reverse(), [...ordered.slice(5), ...ordered.slice(0, 5)]]) {
      expect(sortRules([route('a', shuffled)]).map(text)).toEqual(ordered.map((match) => JSON.stringify(match)))
    }
  })

  test('of gRPC is by service, then method', () => {
    const ordered: RouteMatch[] = [
      { grpc: true, path: { exact: '/shop.Cart/Add' } },
      { grpc: true, path: { prefix: '/shop.Cart/' }, headers: [header('x')] },
      { grpc: true, path: { prefix: '/shop.Cart/' } },
      { grpc: true, path: { regex: '/[^/]+/Add' } },
      { grpc: true },
    ]
    expect(sortRules([route('a', [...ordered].reverse(), { kind: 'grpc' })]).map(text)).toEqual(
      ordered.map((match) => JSON.stringify(match)),
    )
  })

  test('between equals is by age, then namespace and name, then as written', () => {
    const match = { path: { exact: '/a' } }
    const routes = [route('b', [match]), route('young', [match], { at: 9 }), route('a', [match, match])]
    expect(sortRules(routes).map(({ route: { origin }, ruleIndex }) => `${origin.name} ${ruleIndex}`)).toEqual([
      'a 0',
      'a 1',
      'b 0',
      'young 0',
    ])
  })
})

describe('routes of one parent', () => {
  test('are put together by host, exact ones first, wider wildcards behind', () => {
    const routes = [
      route('all', [{ path: { pathPrefix: '/all' } }]),
      route('wild', [{ path: { pathPrefix: '/wild' } }], { hostnames: ['*.example.com'] }),
      route('exact', [{ path: { pathPrefix: '/exact' } }], { hostnames: ['a.example.com'] }),
    ]
    const { hosts, findings } = mergeRoutes(routes)
    expect(hosts.map(({ hostname, matches }) => [hostname, ...matches.map(({ route: { origin } }) => origin.name)])).toEqual([
      ['a.example.com', 'exact', 'wild', 'all'],
      ['*.example.com', 'wild', 'all'],
      ['*', 'all'],
    ])
    expect(findings).toEqual([])
  })

  test('are cut down to the hosts of the listener', () => {
    const routes = [route('both', [{}], { hostnames: ['a.example.com', 'a.example.org'] }), route('any', [{ path: { exact: '/x' } }])]
    expect(mergeRoutes(routes, '*.example.com').hosts.map(({ hostname }) => hostname)).toEqual(['a.example.com', '*.example.com'])
  })

  test('conflict: the older wins, the younger is told', () => {
    const match = { path: { pathPrefix: '/a' } }
    const { hosts, findings } = mergeRoutes([route('young', [match], { at: 2 }), route('old', [match], { at: 1 })])
    expect(hosts[0]?.matches.map(({ route: { origin } }) => origin.name)).toEqual(['old'])
    expect(findings).toEqual([
      expect.objectContaining({
        type: 'Conflicted',
        reason: 'RuleConflict',
        origin: expect.objectContaining({ name: 'young' }) as unknown,
        message: 'Rule 0, match 0: rule 0 of HTTPRoute/n/old takes all its requests',
      }),
    ])
  })

  test('what a rule before takes whole is shadowed, within a route too', () => {
    const wide = { path: { exact: '/a' } }
    expect(mergeRoutes([route('one', [wide, wide])]).findings.map(({ type }) => type)).toEqual(['Shadowed'])
    // a pattern stands before prefixes, and nothing is known of what it takes
    expect(mergeRoutes([route('one', [{ path: { regex: '.*' } }, { path: { pathPrefix: '/a' } }])]).findings).toEqual([])
    // a narrower rule stands before a wider one: both have their requests
    expect(
      mergeRoutes([route('one', [{ path: { pathPrefix: '/' } }, { path: { pathPrefix: '/a' }, headers: [header('x')] }])]).findings,
    ).toEqual([])
  })
})

test.each([
  ['*.example.com', 'a.example.com', 'a.example.com'],
  ['*.example.com', 'a.b.example.com', 'a.b.example.com'],
  ['*.example.com', 'example.com', undefined],
  ['*.example.com', '*.b.example.com', '*.b.example.com'],
  ['a.example.com', '*.example.com', 'a.example.com'],
  ['a.example.com', 'b.example.com', undefined],
  ['*.example.com', 'badexample.com', undefined],
  [undefined, 'a.example.com', 'a.example.com'],
  ['a.example.com', undefined, 'a.example.com'],
  [undefined, undefined, '*'],
])('hosts of %j and %j: %j', (a, b, common) => {
  expect(intersectHostname(a, b)).toBe(common)
  expect(effectiveHostnames(a, b ? [b] : [])).toEqual(common ? [common] : [])
  if (a && b) expect(coversHostname(a, b)).toBe(common === b)
})

describe('routes that share the one host of a listener', () => {
  test('come in the order of what they name themselves, whatever their age and paths', () => {
    const match = (path: string): RouteMatch => ({ path: { pathPrefix: path } })
    const routes = [
      route('all', [match('/long/path')], { at: 1 }),
      route('wild', [match('/long')], { at: 2, hostnames: ['*.com', 'other.org'] }),
      route('wilder', [match('/')], { at: 3, hostnames: ['*.example.com'] }),
      route('exact', [match('/x')], { at: 4, hostnames: ['abc.example.com'] }),
    ]
    const { hosts } = mergeRoutes(routes, 'abc.example.com')
    expect(hosts.map(({ hostname, matches }) => [hostname, matches.map((one) => one.route.origin.name)])).toEqual([
      ['abc.example.com', ['exact', 'wilder']],
    ])
    const [, ...others] = mergeRoutes(routes.toReversed()).hosts
    expect(others.map(({ hostname }) => hostname)).toEqual(['other.org', '*.example.com', '*.com', '*'])
  })
})
