import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PeerView, RouteView } from '../../control-plane/routing/index.ts'
import type { PeersAnswer, RoutesAnswer } from '../../protocols/node-explain.ts'
import { startTestCluster } from '../../testing/index.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { packetPaths } from '../../data-plane/node/link/packet-paths.ts'
import { fakeContext } from '../fake-context.ts'
import { askNodes, namesOfNodes } from './ask-nodes.ts'
import { askSocket } from './ask-socket.ts'
import { linkNode } from './linked-node.ts'
import { peersTable } from './peers-report.ts'
import { reportSilence } from './report-silence.ts'
import { routeDetails, routesTable } from './routes-report.ts'

const peer: PeerView = {
  name: 'spine',
  dynamic: false,
  address: '192.0.2.1',
  asn: 64512,
  state: 'Established',
  since: '2026-01-01T00:00:00Z',
  prefixesReceived: 10,
  prefixesAccepted: 9,
  prefixesSent: 3,
  routerID: '192.0.2.1',
  holdSeconds: 90,
}
const route: RouteView = {
  prefix: '10.9.0.0/16',
  candidates: [
    { from: 'spine', stale: false, received: { nextHop: '192.0.2.1', asPath: '64512 65001' }, state: 'best', reason: 'best' },
    {
      from: 'leaf',
      stale: true,
      received: { nextHop: '192.0.2.2', med: 5, communities: ['65000:1'] },
      state: 'lost',
      reason: 'longer AS path',
    },
    { from: 'bad', stale: false, received: { nextHop: '192.0.2.3' }, state: 'rejected', reason: 'rejected by in/deny-all' },
  ],
  exports: [{ peer: 'leaf', reason: 'accepted by out/all', pending: false, advertised: {} }],
  fib: '10.9.0.0/16 via 192.0.2.1',
}
const nowMs = Date.parse('2026-01-01T00:01:30Z')

test('peers as a table', () => {
  const replies = [
    { node: 'n1', answer: { node: 'n1', peers: [peer, { name: 'any', dynamic: true, address: '192.0.2.7', state: 'Active' }] } },
  ]
  expect(peersTable(replies, { wide: false, nowMs })).toBe(
    [
      'NODE   PEER            ADDRESS     ASN     STATE         AGE         RECEIVED   ACCEPTED   SENT',
      'n1     spine           192.0.2.1   64512   Established   90s         10         9          3',
      'n1     any (dynamic)   192.0.2.7           Active        <unknown>                         ',
      '',
    ].join('\n'),
  )
  expect(peersTable(replies, { wide: true, nowMs })).toMatch(/ROUTER-ID .*\n.* 192\.0\.2\.1 .* 90s /)
})

test('routes in use, all candidates, and all about one', () => {
  const kernel = {
    destination: '10.9.0.0/16',
    type: 'unicast',
    nextHops: ['via 192.0.2.1 dev eth0'],
    owner: 'biplane router',
    metric: 20,
    table: 254,
  }
  const replies = [{ node: 'n1', answer: { node: 'n1', routes: [route], kernel } }]
  expect(routesTable(replies, { wide: false }).trimEnd().split('\n')).toHaveLength(2)
  expect(routesTable(replies, { wide: true })).toMatch(/lost \(stale\) +leaf +192\.0\.2\.2 +5 +longer AS path\n/)
  const text = routeDetails(replies)
  expect(text).toMatch(/^10\.9\.0\.0\/16 on n1\n {2}STATE /)
  for (const part of [
    /rejected +bad .*rejected by in\/deny-all/,
    /65000:1/,
    /leaf +yes +accepted by out\/all/,
    /wanted: {2}10\.9\.0\.0\/16 via 192\.0\.2\.1/,
  ])
    expect(text).toMatch(part)
  expect(text).toContain('  kernel:  10.9.0.0/16 via 192.0.2.1 dev eth0 (biplane router, metric 20)\n')
  const broken = [{ node: 'n1', answer: { node: 'n1', routes: [{ ...route, fibProblem: 'no such device' }] } }]
  expect(routesTable(broken, { wide: false })).toContain('missing: no such device')
  expect(routeDetails([{ node: 'n2', answer: { node: 'n2', routes: [], kernelProblem: 'the kernel has no route there' } }])).toBe(
    'the router of n2 has no such route\n  kernel:  the kernel has no route there\n',
  )
})

test('nodes are asked through the API; who says nothing is named', async () => {
  await using cluster = await startTestCluster()
  for (const name of ['n1', 'n2', 'n3']) await cluster.client.of(nodes).create({ metadata: { name } })
  const router = (): Promise<unknown> => Promise.resolve({ peers: [peer], problems: [] })
  const first = await linkNode(cluster, 'n1', packetPaths({ node: 'n1', router }))
  const second = await linkNode(cluster, 'n2', packetPaths({ node: 'n2' }))
  const names = await namesOfNodes(cluster.client, [])
  const replies = await askNodes<PeersAnswer<PeerView>>(cluster.client, names, { path: '/peers' })
  expect(replies.map(({ node, answer, problem }) => [node, answer?.peers.length, problem ?? answer?.routerProblem])).toEqual([
    ['n1', 1, undefined],
    ['n2', 0, 'this node has no router'],
    ['n3', undefined, 'Get "https://n3/peers": node is not connected'],
  ])
  const context = fakeContext()
  expect(reportSilence(context, replies, [])).toBe(0)
  expect(context.stderr()).toBe('node n2: this node has no router\nnode n3: Get "https://n3/peers": node is not connected\n')
  expect(reportSilence(context, replies, ['n2'])).toBe(1)
  expect(reportSilence(context, replies.slice(1), [])).toBe(1)
  const bad = askNodes<RoutesAnswer<RouteView>>(cluster.client, ['n1'], { path: '/routes', query: { prefix: 'x' } })
  await expect(bad).rejects.toMatchObject({ reason: 'BadRequest' })
  first.close()
  second.close()
})

test('a socket of this machine', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-socket-'))
  const path = join(dir, 's')
  const server = createServer((request, response) => {
    if (request.url === '/bad') response.writeHead(503).end('{"error":"not yet"}')
    else response.end(request.url === '/text' ? 'x' : JSON.stringify({ asked: request.url }))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  expect(await askSocket(path, '/peers?a=1')).toEqual({ asked: '/peers?a=1' })
  await expect(askSocket(path, '/bad')).rejects.toMatchObject({ code: 'SocketRefused', message: 'not yet' })
  await expect(askSocket(path, '/text')).rejects.toMatchObject({ code: 'SocketUnreachable' })
  await new Promise((resolve) => server.close(resolve))
  await expect(askSocket(path, '/peers')).rejects.toMatchObject({ code: 'SocketUnreachable' })
  rmSync(dir, { recursive: true })
})
