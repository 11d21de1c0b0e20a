import { expect, test } from 'vitest'
import { ROUTE_TYPES, type KernelRoute } from '../../../protocols/netlink/route/index.ts'
import { parseIp } from '../../../base/ip.ts'
import { kernelRoute, type RouteReader } from './kernel-route.ts'
import { answerPath } from './node-paths.ts'
import { packetPaths, type PacketPathParts } from './packet-paths.ts'

async function ask(target: string, parts: Partial<PacketPathParts> = {}): Promise<{ readonly status: number; readonly body: unknown }> {
  const { pathname: path, searchParams: query } = new URL(target, 'http://node')
  const handlers = new Map(Object.entries(packetPaths({ node: 'n1', ...parts })))
  const { status = 200, body } = await answerPath(handlers, { path, query, signal: new AbortController().signal })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  return { status, body: status === 200 ? (JSON.parse(text) as unknown) : text }
}

const route = {
  destination: '10.1.0.0/16',
  type: 'unicast',
  nextHops: ['via 192.0.2.1 dev eth0'],
  owner: 'biplane node',
  metric: 0,
  table: 254,
}

test.each([
  ['/verdict?to=10.0.0.1', 'say from=ADDRESS and to=ADDRESS'],
  ['/verdict?from=a&to=10.0.0.1', '"a" is no IP address'],
  ['/verdict?from=10.0.0.1&to=10.0.0.2&protocol=X', 'the protocol is one of TCP, UDP, SCTP, ICMP'],
  ['/verdict?from=10.0.0.1&to=10.0.0.2&port=70000', 'the port is a number up to 65535'],
  ['/routes?prefix=x', '"x" is no prefix such as 192.0.2.0/24'],
])('%s is refused: %s', async (target, text) => {
  expect(await ask(target)).toEqual({ status: 400, body: text })
})

test('a verdict has the route of every way, or why there is none', async () => {
  const target = '/verdict?from=10.0.0.1&to=10.1.0.2&port=80&protocol=udp'
  expect(await ask(target, { route: () => Promise.resolve(route) })).toMatchObject({
    body: { node: 'n1', question: { protocol: 'UDP', port: 80 }, ways: [{ address: '10.1.0.2', port: 80, route }] },
  })
  expect(await ask(target, { route: () => Promise.reject(new Error('boom')) })).toMatchObject({
    body: { ways: [{ routeProblem: 'boom' }] },
  })
  expect(await ask(target)).toMatchObject({ body: { ways: [{ routeProblem: 'this node does not read the routes of its kernel' }] } })
})

test('the router is asked for its routes and peers; when it is gone that is said', async () => {
  const asked: string[] = []
  const router = (target: string): Promise<unknown> => {
    asked.push(target)
    return Promise.resolve(target === '/peers' ? { peers: [{ name: 'a' }], problems: ['no'] } : { routes: [{ prefix: '10.1.0.0/16' }] })
  }
  expect((await ask('/peers', { router })).body).toEqual({ node: 'n1', peers: [{ name: 'a' }], problems: ['no'] })
  expect((await ask('/routes?limit=5&other=1', { router })).body).toEqual({ node: 'n1', routes: [{ prefix: '10.1.0.0/16' }] })
  expect((await ask('/routes?prefix=10.1.0.0%2F16', { router, route: () => Promise.resolve('no') })).body).toEqual({
    node: 'n1',
    routes: [{ prefix: '10.1.0.0/16' }],
    kernelProblem: 'no',
  })
  expect(asked).toEqual(['/peers', '/routes?limit=5', '/routes?prefix=10.1.0.0%2F16'])
  const gone = { router: () => Promise.reject(new Error('connect ENOENT')) }
  expect((await ask('/peers', gone)).body).toEqual({
    node: 'n1',
    peers: [],
    routerProblem: 'the router of this node does not answer: connect ENOENT',
  })
  expect((await ask('/peers')).body).toEqual({ node: 'n1', peers: [], routerProblem: 'this node has no router' })
})

test('a route of the kernel in words', async () => {
  const kernel: KernelRoute = {
    destination: parseIp('10.1.0.0')!,
    length: 16,
    table: 254,
    protocol: 190,
    type: ROUTE_TYPES.unicast,
    metric: 20,
    nextHops: [
      { gateway: parseIp('192.0.2.1')!, link: 2, weight: 1, flags: 0 },
      { link: 3, weight: 2, flags: 0 },
    ],
  }
  const links: RouteReader['links'] = () =>
    Promise.resolve([{ index: 2, name: 'eth0', isUp: true, hasCarrier: true, mtu: 1500, address: new Uint8Array(), kind: '' }])
  const reader = (matchRoute: RouteReader['matchRoute']): RouteReader => ({ matchRoute, links })
  expect(
    await kernelRoute(
      reader(() => Promise.resolve(kernel)),
      '10.1.2.3',
    ),
  ).toEqual({
    destination: '10.1.0.0/16',
    type: 'unicast',
    nextHops: ['via 192.0.2.1 dev eth0 weight 1', 'dev 3 weight 2'],
    owner: 'biplane router',
    metric: 20,
    table: 254,
  })
  expect(
    await kernelRoute(
      reader(() => Promise.resolve(undefined)),
      '10.1.2.3',
    ),
  ).toBe('the kernel has no route there')
  const refusing = reader(() => Promise.reject(Object.assign(new Error(), { code: 'EHOSTUNREACH' })))
  expect(await kernelRoute(refusing, '10.1.2.3')).toBe('a route of type unreachable refuses it')
})
