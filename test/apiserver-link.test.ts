import { performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { StatusError } from '../src/base/errors.ts'
import type { ServerRequest, ServerResponse } from '../src/control-plane/apiserver/contract.ts'
import { LOOPBACK_USER } from '../src/control-plane/apiserver/index.ts'
import { decodeContainerLogs, NODE_LINK_PATH, NODE_LINK_PROTOCOL } from '../src/protocols/node-link.ts'
import { ADMIN_TOKEN, NODE_TOKEN, readAll, startFixture, type Fixture } from './apiserver-fixture.ts'

const PODS: Record<string, Pod> = {
  web: { metadata: { name: 'web', namespace: 'd' }, spec: { nodeName: 'n1', containers: [{ name: 'main' }] } },
  lost: { metadata: { name: 'lost', namespace: 'd' }, spec: { nodeName: 'n2', containers: [{ name: 'main' }] } },
  fresh: { metadata: { name: 'fresh', namespace: 'd' }, spec: { containers: [{ name: 'main' }] } },
}

function resources(request: ServerRequest): Promise<ServerResponse> {
  const pod = PODS[request.info?.name ?? '']
  if (!pod) throw new StatusError('NotFound', `pods "${request.info?.name}" not found`)
  return Promise.resolve({ status: 200, body: { type: 'object', value: pod } })
}

let fixture: Fixture
let agents: { close(): void }[]
beforeEach(async () => {
  agents = []
  fixture = await startFixture(resources)
})
afterEach(async () => {
  for (const agent of agents) agent.close()
  await fixture.close()
})

/** An agent as src/protocols/node-link.ts describes it. */
async function startAgent(answer: (target: string, stream: ServerHttp2Stream) => void, token = NODE_TOKEN): Promise<TLSSocket> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const request = httpsRequest({
      host: '127.0.0.1',
      port: fixture.port,
      ca: fixture.pki.ca,
      path: NODE_LINK_PATH,
      headers: { connection: 'Upgrade', upgrade: NODE_LINK_PROTOCOL, authorization: `Bearer ${token}` },
    })
    request.on('upgrade', (_response, upgraded, head) => {
      upgraded.unshift(head)
      resolve(upgraded as TLSSocket)
    })
    request.on('error', reject)
    request.end()
  })
  socket.on('error', () => {})
  const session = performServerHandshake(socket)
  session.on('error', () => {})
  session.on('stream', (stream: ServerHttp2Stream, headers: { ':path'?: string }) => {
    stream.on('error', () => {})
    answer(String(headers[':path']), stream)
  })
  agents.push({ close: () => socket.destroy() })
  await expect.poll(() => fixture.server.links.connected('n1')).toBe(true)
  return socket
}

const admin = (): ReturnType<Fixture['server']['inProcess']> => fixture.server.inProcess(LOOPBACK_USER)

async function logs(pod: string, query: Record<string, string> = {}): Promise<string> {
  const answer = await admin().send({ method: 'GET', path: `/api/v1/namespaces/d/pods/${pod}/log`, query })
  const chunks = []
  for await (const chunk of answer.stream()) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test('logs come over the link, with their options', async () => {
  await startAgent((target, stream) => {
    stream.respond({ ':status': 200 })
    stream.end(JSON.stringify(decodeContainerLogs(target)))
  })
  expect(JSON.parse(await logs('web', { tailLines: '3', timestamps: 'true' }))).toEqual({
    target: { namespace: 'd', pod: 'web', container: 'main' },
    query: { tailLines: 3, timestamps: true },
  })
})

test('followed logs arrive as they are written and stop when the reader goes', async () => {
  let stream: ServerHttp2Stream | undefined
  await startAgent((_target, opened) => {
    stream = opened
    opened.respond({ ':status': 200 })
    opened.write('first\n')
  })
  const socket = await fixture.open()
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  socket.write(`GET /api/v1/namespaces/d/pods/web/log?follow=true HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`)
  await expect.poll(() => text).toContain('first\n')
  expect(text).toContain('content-type: text/plain')
  stream?.write('second\n')
  await expect.poll(() => text).toContain('second\n')
  socket.destroy()
  await expect.poll(() => stream?.destroyed).toBe(true)
})

test('a log of megabytes comes whole', async () => {
  const block = Buffer.alloc(1024 * 1024, 'x')
  await startAgent((_target, stream) => {
    stream.respond({ ':status': 200 })
    for (let i = 0; i < 20; i++) stream.write(block)
    stream.end()
  })
  expect((await logs('web')).length).toBe(20 * block.byteLength)
})

test('what the node refuses is refused with its words', async () => {
  await startAgent((_target, stream) => {
    stream.respond({ ':status': 400 })
    stream.end('previous terminated container "main" in pod "web" not found\n')
  })
  await expect(logs('web', { previous: 'true' })).rejects.toMatchObject({
    reason: 'BadRequest',
    message: 'previous terminated container "main" in pod "web" not found',
  })
})

test('without a link, without a node, without a pod', async () => {
  await expect(logs('lost')).rejects.toMatchObject({
    reason: 'ServiceUnavailable',
    message: 'Get "https://n2/containerLogs/d/lost/main": node is not connected',
  })
  expect(await logs('fresh')).toBe('')
  await expect(logs('gone')).rejects.toMatchObject({ reason: 'NotFound' })
})

const proxied = async (
  path: string,
  query: Record<string, string | string[]> = {},
): Promise<{ type: string | undefined; text: string }> => {
  const answer = await admin().send({ method: 'GET', path: `/api/v1/nodes/${path}`, query })
  const chunks = []
  for await (const chunk of answer.stream()) chunks.push(chunk)
  return { type: answer.headers['content-type'], text: Buffer.concat(chunks).toString() }
}

test('whatever a node says of itself is passed on as it is, with its query', async () => {
  await startAgent((target, stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/x-target' })
    stream.end(target)
  })
  expect(await proxied('n1/proxy/metrics')).toEqual({ type: 'text/x-target', text: '/metrics' })
  expect((await proxied('n1/proxy/routes', { prefix: '10.0.0.0/8', a: ['1', '2'] })).text).toBe('/routes?prefix=10.0.0.0%2F8&a=1&a=2')
  expect((await proxied('n1/proxy/a%20b/c')).text).toBe('/a%20b/c')
  expect((await proxied('n1/proxy')).text).toBe('/')
})

test('what a node refuses is refused with its words, and without a link it is said why', async () => {
  await startAgent((target, stream) => {
    stream.respond({ ':status': Number(target.slice(1)) })
    stream.end('so it is\n')
  })
  await expect(proxied('n1/proxy/404')).rejects.toMatchObject({ reason: 'NotFound', message: 'so it is' })
  await expect(proxied('n1/proxy/400')).rejects.toMatchObject({ reason: 'BadRequest' })
  await expect(proxied('n1/proxy/418')).rejects.toMatchObject({ reason: 'InternalError' })
  // the fixture has no such object
  await expect(proxied('n9/proxy/metrics')).rejects.toMatchObject({ reason: 'NotFound' })
  PODS['n2'] = { metadata: { name: 'n2' } }
  await expect(proxied('n2/proxy/metrics')).rejects.toMatchObject({
    reason: 'ServiceUnavailable',
    message: 'Get "https://n2/metrics": node is not connected',
  })
  await expect(admin().send({ method: 'POST', path: '/api/v1/nodes/n1/proxy/x' })).rejects.toMatchObject({ reason: 'MethodNotAllowed' })
  const node = fixture.server.inProcess({ name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] })
  await expect(node.send({ method: 'GET', path: '/api/v1/nodes/n1/proxy/metrics' })).rejects.toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining('cannot get resource "nodes/proxy"'),
  })
})

test('a link that breaks ends its requests, and a new one takes over', async () => {
  const first = await startAgent(() => {})
  const waiting = logs('web')
  await new Promise((resolve) => setTimeout(resolve, 50))
  first.destroy()
  await expect(waiting).rejects.toMatchObject({ reason: 'ServiceUnavailable' })
  await expect.poll(() => fixture.server.links.connected('n1')).toBe(false)
  await startAgent((_target, stream) => {
    stream.respond({ ':status': 200 })
    stream.end('second')
  })
  expect(await logs('web')).toBe('second')
})

test('the newest link of a node is the one that is used', async () => {
  const say = (text: string) => (_target: string, stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 })
    stream.end(text)
  }
  await startAgent(say('old'))
  await startAgent(say('new'))
  await expect.poll(() => logs('web')).toBe('new')
  expect(fixture.metrics.render()).toContain('biplane_node_links 1')
})

test.each([
  ['somebody who is not a node', ADMIN_TOKEN, NODE_LINK_PATH, NODE_LINK_PROTOCOL, '403'],
  ['nobody', 'nothing', NODE_LINK_PATH, NODE_LINK_PROTOCOL, '401'],
  ['another protocol', NODE_TOKEN, NODE_LINK_PATH, 'websocket', '400'],
  ['another path', NODE_TOKEN, '/api/v1/pods', NODE_LINK_PROTOCOL, '400'],
])('%s gets no link', async (_who, token, path, protocol, status) => {
  const socket = await fixture.open()
  const answer = readAll(socket)
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\nauthorization: Bearer ${token}\r\n\r\n`)
  expect(await answer).toMatch(new RegExp(`^HTTP/1.1 ${status} .*"kind":"Status"`, 's'))
})
