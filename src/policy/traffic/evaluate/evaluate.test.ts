import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PathMatch, Rbac, Route, RouteConfiguration, StringMatch } from '../model/index.ts'
import {
  compileHash,
  compileHeaderMatch,
  compilePathMatch,
  compileRbac,
  compileRouteConfiguration,
  compileStringMatch,
  compileWeighted,
  cookieValue,
  hostOf,
  murmur2,
  normalPath,
  Peer,
  queryValue,
  redirectLocation,
  regexProblem,
  requestView,
  rewritePath,
  xxhash32,
} from './index.ts'

const forward = (name: string, match: Route['match']): Route => ({ name, match, action: { type: 'direct', status: 200 } })

describe('matching', () => {
  it.each<[StringMatch, string | undefined, boolean]>([
    [{ exact: 'a' }, 'a', true],
    [{ exact: 'a' }, 'A', false],
    [{ exact: 'a', ignoreCase: true }, 'A', true],
    [{ prefix: 'ab' }, 'abc', true],
    [{ suffix: 'bc' }, 'abc', true],
    [{ contains: 'B', ignoreCase: true }, 'abc', true],
    [{ regex: 'a.c' }, 'abc', true],
    [{ regex: 'a.c' }, 'xabc', false],
    [{ regex: 'a|b' }, 'ab', false],
    [{ present: true }, '', true],
    [{ present: true }, undefined, false],
    [{ prefix: '' }, undefined, false],
  ])('%j of %j is %s', (match, value, expected) => expect(compileStringMatch(match)(value)).toBe(expected))

  it('says what is wrong with a regular expression', () => {
    expect(regexProblem('a(?=b)')).toMatch(/look-around/)
    expect(regexProblem('(')).toMatch(/"\("/)
    expect(regexProblem('a'.repeat(2000))).toMatch(/2000 characters/)
    expect(() => compileRouteConfiguration(table([forward('ns/r/0', { path: { regex: '[' } })]))).toThrow(/route ns\/r\/0: /)
  })

  it('takes linear time for patterns that explode elsewhere', () => {
    const test = compileStringMatch({ regex: '(a+)+b' })
    expect(test('a'.repeat(20_000))).toBe(false)
  })

  it.each<[PathMatch, string, boolean]>([
    [{ pathPrefix: '/a' }, '/a', true],
    [{ pathPrefix: '/a' }, '/a/', true],
    [{ pathPrefix: '/a' }, '/a/b', true],
    [{ pathPrefix: '/a' }, '/ab', false],
    [{ pathPrefix: '/a/' }, '/a', true],
    [{ pathPrefix: '/' }, '/anything', true],
    [{ prefix: '/a' }, '/ab', true],
    [{ exact: '/a' }, '/a/', false],
    [{ regex: '/v[0-9]+' }, '/v12', true],
  ])('path %j of %s is %s', (match, path, expected) => expect(compilePathMatch(match)(path)).toBe(expected))

  it('reads headers, queries and cookies', () => {
    const request = requestView({ headers: { 'x-a': ['1', '2'] } })
    expect(compileHeaderMatch({ name: 'x-a', value: { exact: '1,2' } })(request)).toBe(true)
    expect(compileHeaderMatch({ name: 'x-a', value: { exact: '1' } })(request)).toBe(false)
    expect(compileHeaderMatch({ name: 'x-b', value: { exact: '1' }, invert: true })(request)).toBe(false)
    expect(compileHeaderMatch({ name: 'x-b', value: { present: true }, invert: true })(request)).toBe(true)
    expect(queryValue('/p?aa=1&a=2&a=3', 'a')).toBe('2')
    expect(queryValue('/p?b&a', 'a')).toBe('')
    expect(queryValue('/p', 'a')).toBeUndefined()
    expect(queryValue('/p?x=1#a=2', 'a')).toBeUndefined()
    expect(cookieValue('a=1; session="x y"; b', 'session')).toBe('x y')
    expect(['Foo.com:80', '[::1]:80', '[::1]', 'foo.com.', '10.0.0.1:9'].map(hostOf)).toEqual([
      'foo.com',
      '[::1]',
      '[::1]',
      'foo.com',
      '10.0.0.1',
    ])
  })
})

const table = (routes: readonly Route[], domains: readonly string[] = ['*']): RouteConfiguration => ({
  name: 'r',
  virtualHosts: [{ name: 'v', domains, routes }],
})

describe('routes', () => {
  const hosts = compileRouteConfiguration({
    name: 'r',
    virtualHosts: ['*', '*.example.com', '*.b.example.com', 'a.example.com'].map((domain) => ({
      name: domain,
      domains: [domain],
      routes: [forward(domain, {})],
    })),
  })
  it.each([
    ['a.example.com', 'a.example.com'],
    ['A.example.com:8080', 'a.example.com'],
    ['c.example.com', '*.example.com'],
    ['x.b.example.com', '*.b.example.com'],
    ['example.com', '*'],
  ])('host %s is of %s', (authority, name) => expect(hosts.find(requestView({ authority }))?.route.name).toBe(name))

  it('answers nothing where nothing matches', () => {
    expect(compileRouteConfiguration(table([], ['a'])).find(requestView({ authority: 'b' }))).toBeUndefined()
  })

  it('remembers nothing that depends on more than was asked', () => {
    const path = fc.constantFrom('/a', '/a/b', '/b', '/c?x=1', '/a?x=2')
    const match = fc.record(
      {
        path: fc.constantFrom<PathMatch>({ pathPrefix: '/a' }, { exact: '/b' }, { prefix: '/' }, { regex: '/[ab]' }),
        method: fc.constantFrom('GET', 'POST'),
        headers: fc.constant([{ name: 'x', value: { exact: '1' } }]),
        query: fc.constant([{ name: 'x', value: { exact: '1' } }]),
      },
      { requiredKeys: [] },
    )
    const request = fc.record({ path, method: fc.constantFrom('GET', 'POST', 'PUT'), headers: fc.constantFrom({}, { x: '1' }) })
    fc.assert(
      fc.property(fc.array(match, { maxLength: 8 }), fc.array(request, { maxLength: 20 }), (matches, requests) => {
        const routes = matches.map((item, i) => forward(String(i), item))
        const compiled = compileRouteConfiguration(table(routes))
        for (const item of requests) {
          const view = requestView(item)
          const naive = routes.find(
            (route) => compileRouteConfiguration(table([{ ...route, match: route.match }])).find(view) !== undefined,
          )
          expect(compiled.find(view)?.route).toBe(naive)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('normalPath', () => {
  it.each([
    ['/a/b', '/a/b'],
    ['/a//b', '/a/b'],
    ['/a/./b/../c', '/a/c'],
    ['/a/%2e%2E/admin', '/admin'],
    ['/public%2f..%2fadmin', '/admin'],
    ['/%61dmin', '/admin'],
    ['/x\\..\\admin', '/admin'],
    ['/admin;v=1/x?y', '/admin/x'],
    ['/a%00', '/a%00'],
    ['/a%252e', '/a%252e'],
    ['/a/..', '/'],
    ['/a/b/', '/a/b/'],
  ])('%s reads %s', (path, expected) => expect(normalPath(path)).toBe(expected))

  it('is idempotent and has no dot segments', () => {
    const part = fc.constantFrom('a', '.', '..', '/', '%2e', '%2F', '\\', ';', '%25', '%', '%5c', '%2e%2e')
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const once = normalPath(`/${parts.join('')}`)
        expect(normalPath(once)).toBe(once)
        expect(once).not.toMatch(/\/\/|\\|\/\.\.?(\/|$)/)
      }),
    )
  })
})

describe('rbac', () => {
  const peer = new Peer({ identity: 'spiffe://d/ns/a/sa/b', address: '10.0.0.1', port: 80 })
  const stranger = new Peer({ address: '::ffff:10.1.0.1', port: 80 })
  const none: Rbac = { deny: [], shadowDeny: [], allow: [], otherwise: 'deny' }
  const rule = (name: string, parts: Partial<Rbac['allow'][number]> = {}): Rbac['allow'][number] => ({
    name,
    principals: [],
    requests: [],
    ...parts,
  })

  it('judges deny, then trial, then allow, then otherwise', () => {
    expect(compileRbac(none).decide(peer)).toEqual({ verdict: 'deny', rule: 'none' })
    expect(compileRbac({ ...none, otherwise: 'allow' }).decide(peer)).toEqual({ verdict: 'allow', rule: 'none' })
    expect(compileRbac({ ...none, allow: [rule('x')], deny: [rule('y')] }).decide(peer)).toEqual({ verdict: 'deny', rule: 'y' })
    expect(compileRbac({ ...none, allow: [rule('x')], shadowDeny: [rule('y')] }).decide(peer)).toEqual({ verdict: 'shadowDeny', rule: 'y' })
    // on trial it decides nothing: who is allowed by no other rule stays out
    expect(compileRbac({ ...none, shadowDeny: [rule('y')] }).decide(peer)).toEqual({ verdict: 'deny', rule: 'none' })
    expect(compileRbac({ ...none, dryRun: true }).decide(peer)).toEqual({ verdict: 'shadowDeny', rule: 'none' })
  })

  it('knows principals', () => {
    const allow = (principal: Rbac['allow'][number]['principals'][number]) =>
      compileRbac({ ...none, allow: [rule('x', { principals: [principal] })] })
    const passes = (principal: Parameters<typeof allow>[0]): boolean[] =>
      [peer, stranger].map((who) => allow(principal).decide(who, requestView({}), { roles: ['dev'], realm: { n: 1 } }).verdict === 'allow')
    expect(passes({})).toEqual([true, true])
    expect(passes({ authenticated: true })).toEqual([true, false])
    expect(passes({ spiffeId: { prefix: 'spiffe://d/ns/a/' } })).toEqual([true, false])
    expect(passes({ notSpiffeId: { exact: 'spiffe://d/ns/a/sa/b' } })).toEqual([false, true])
    expect(passes({ sourceIps: ['10.0.0.0/16'] })).toEqual([true, false])
    expect(passes({ notSourceIps: ['10.0.0.0/16'] })).toEqual([false, true])
    expect(passes({ claims: [{ name: 'roles', value: { exact: 'dev' } }] })).toEqual([true, true])
    expect(passes({ claims: [{ name: 'realm.n', value: { exact: '1' } }] })).toEqual([true, true])
    expect(passes({ claims: [{ name: 'constructor', value: { present: true } }] })).toEqual([false, false])
    expect(() => allow({ sourceIps: ['10'] })).toThrow(/rule x: "10" is not an IP/)
  })

  it('never matches HTTP conditions on bare connections, but ports', () => {
    const compiled = compileRbac({ ...none, otherwise: 'allow', deny: [rule('x', { requests: [{ paths: [{ prefix: '/' }] }] })] })
    expect(compiled.decide(peer).verdict).toBe('allow')
    expect(compiled.decide(peer, requestView({})).verdict).toBe('deny')
    expect(compileRbac({ ...none, allow: [rule('x', { requests: [{ ports: [80] }] })] }).decide(peer).verdict).toBe('allow')
  })

  it('lets no encoding slip by a denial or borrow a permission', () => {
    const encodings = ['/admin', '//admin', '/%61dmin', '/x/../admin', '/x%2f..%2fadmin', '/\\admin', '/admin;x', '/./admin', '/admin?q']
    const deny = compileRbac({ ...none, otherwise: 'allow', deny: [rule('d', { requests: [{ paths: [{ exact: '/admin' }] }] })] })
    const allow = compileRbac({ ...none, allow: [rule('a', { requests: [{ paths: [{ prefix: '/public/' }] }] })] })
    for (const path of encodings) expect(deny.decide(peer, requestView({ path })).verdict, path).toBe('deny')
    for (const path of [
      '/public/../admin',
      '/public/%2e%2e/admin',
      '/public%2f..%2fadmin',
      '/admin%2f..%2fpublic/',
      '/admin/../public/x',
    ]) {
      expect(allow.decide(peer, requestView({ path })).verdict, path).toBe('deny')
    }
    expect(allow.decide(peer, requestView({ path: '/public/%20x' })).verdict).toBe('allow')
  })
})

describe('rewrites', () => {
  it.each([
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/foo/a?b=/c', '/foo', '/x', '/x/a?b=/c'],
  ])('%s with prefix %s replaced by %s is %s', (path, pathPrefix, value, expected) =>
    expect(rewritePath(path, { pathPrefix }, { type: 'prefix', value })).toBe(expected),
  )

  it('redirects', () => {
    const request = { ...requestView({ path: '/a?b=1', authority: 'x.org:8080' }), scheme: 'http' }
    const to = (parts: object, port = 80) =>
      redirectLocation(request, port, { pathPrefix: '/a' }, { type: 'redirect', status: 302, ...parts })
    expect(to({})).toBe('http://x.org/a?b=1')
    expect(to({}, 8080)).toBe('http://x.org:8080/a?b=1')
    expect(to({ scheme: 'https' }, 8080)).toBe('https://x.org/a?b=1')
    expect(to({ scheme: 'https', port: 8443, host: 'y' })).toBe('https://y:8443/a?b=1')
    expect(to({ port: 80 }, 8080)).toBe('http://x.org/a?b=1')
    expect(to({ path: { type: 'prefix', value: '/n' } })).toBe('http://x.org/n?b=1')
    expect(to({ path: { type: 'full', value: '/n' } })).toBe('http://x.org/n?b=1')
  })
})

describe('choice and hash', () => {
  it('chooses by weight', () => {
    const choose = compileWeighted([
      { value: 'a', weight: 9 },
      { value: 'z', weight: 0 },
      { value: 'b', weight: 1 },
    ])
    const counts = { a: 0, b: 0, z: 0 }
    for (let i = 0; i < 1000; i++) counts[choose(i / 1000) as 'a']++
    expect(counts).toEqual({ a: 900, b: 100, z: 0 })
    expect(() => compileWeighted([{ value: 'a', weight: 0 }])).toThrow(RangeError)
  })

  it('hashes as the definitions say', () => {
    // published test values
    expect([xxhash32(''), xxhash32('abc'), xxhash32('Nobody inspects the spammish repetition')]).toEqual([
      0x02cc5d05, 0x32d153ff, 0xe2293b2f,
    ])
    expect(murmur2('')).toBe(0)
    expect(new Set(Array.from({ length: 1000 }, (_, i) => murmur2(`key-${i}`))).size).toBe(1000)
  })

  it('takes the first terminal value, and makes cookies', () => {
    const hash = compileHash([
      { type: 'header', name: 'x-user', terminal: true },
      { type: 'cookie', name: 's', ttlMs: 0 },
    ])
    const cookie = () => 'new'
    const both = requestView({ headers: { 'x-user': 'u', cookie: 's=1' } })
    expect(hash(both, '', cookie)).toBe(xxhash32('u'))
    expect(hash(requestView({ headers: { cookie: 's=1' } }), '', cookie)).toBe(xxhash32('1'))
    expect(hash(requestView({}), '', cookie)).toBe(xxhash32('new'))
    expect(compileHash([{ type: 'query', name: 'q' }])(requestView({}), '', cookie)).toBeUndefined()
  })
})
