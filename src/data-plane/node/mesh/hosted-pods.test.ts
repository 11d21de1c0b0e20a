import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { askReady } from './ask-ready.ts'
import { hostedLayout } from './hosted-pod.ts'
import { HostedPods } from './hosted-pods.ts'

function pod(uid: string, annotations: Record<string, string> = {}): Pod {
  return {
    metadata: { uid, name: `web-${uid}`, namespace: 'shop', annotations: { 'biplane.dev/sidecar': 'node', ...annotations } },
    spec: { containers: [], nodeName: 'n1', serviceAccountName: 'web' },
  }
}
const SANDBOX = { podUid: 'u1', ips: ['10.0.0.1'], dir: '/pods/u1', networkNamespace: '/netns/u1' }

let dir: string
const clock = new FakeClock()
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'hosted-'))))
afterEach(() => rmSync(dir, { recursive: true }))

interface World {
  /** By pod; undefined: the control plane is away. */
  token: string | undefined
  problem: string | undefined
  readonly asked: { readonly pod: string; readonly account: string; readonly audience: string | undefined }[]
}

function open(more: Partial<World> = {}): { readonly world: World; readonly pods: HostedPods } {
  const world: World = { token: 't1', problem: undefined, asked: [], ...more }
  const pods = new HostedPods({
    dir,
    tokens: {
      get: async ({ metadata }, account, { audience }) => {
        world.asked.push({ pod: metadata.name, account, audience })
        if (world.token === undefined) throw new Error('ECONNREFUSED')
        return `${world.token} of ${metadata.name}`
      },
    },
    services: () => [],
    problemAt: async () => world.problem,
    clock,
    log: silentLogger,
  })
  return { world, pods }
}

const told = (): string[] => readdirSync(hostedLayout(dir).pods).toSorted()
const tokenOf = (uid: string): string => readFileSync(join(hostedLayout(dir).tokens, uid), 'utf8')

describe("pods that their node's proxy serves", () => {
  test('are told to it, each with its own token, before they start', async () => {
    const { world, pods } = open()
    const hosted = JSON.stringify({ drainToken: 'd', probes: { '/app-health/web/readyz': { tcpSocket: { port: 80 }, timeoutSeconds: 1 } } })
    await pods.attach(pod('u1', { 'biplane.dev/node-proxy': hosted }), SANDBOX)
    await pods.attach(pod('u2'), { ...SANDBOX, podUid: 'u2' })
    expect(told()).toEqual(['u1.json', 'u2.json'])
    expect(JSON.parse(readFileSync(join(hostedLayout(dir).pods, 'u1.json'), 'utf8'))).toEqual({
      uid: 'u1',
      namespace: 'shop',
      name: 'web-u1',
      ips: ['10.0.0.1'],
      node: 'n1',
      serviceAccount: 'web',
      podDir: '/pods/u1',
      networkNamespace: '/netns/u1',
      tokenPath: join(dir, 'tokens/u1'),
      drainToken: 'd',
      probes: { '/app-health/web/readyz': { tcpSocket: { port: 80 }, timeoutSeconds: 1 } },
    })
    expect([tokenOf('u1'), tokenOf('u2')]).toEqual(['t1 of web-u1', 't1 of web-u2'])
    expect(world.asked[0]).toEqual({ pod: 'web-u1', account: 'web', audience: 'biplane.dev/mesh' })
    expect(statSync(join(dir, 'tokens/u1')).mode & 0o007).toBe(0)
  })

  test('wait for it, and are told what is missing', async () => {
    const { world, pods } = open({ problem: 'no certificate yet' })
    const first = expect(pods.attach(pod('u1'), SANDBOX)).rejects.toThrow(
      'the proxy of the node does not carry its connections yet: no certificate yet',
    )
    await clock.advance(3_000)
    await first
    let isAttached = false
    const second = pods.attach(pod('u1'), SANDBOX).then(() => (isAttached = true))
    await clock.advance(500)
    expect(isAttached).toBe(false)
    world.problem = undefined
    await clock.advance(100)
    await second
  })

  test('start again while the control plane is away, but not for the first time', async () => {
    const { world, pods } = open({ token: undefined })
    await expect(pods.attach(pod('u1'), SANDBOX)).rejects.toThrow('no token for its proxy: ECONNREFUSED')
    expect(told()).toEqual([])
    world.token = 't1'
    await pods.attach(pod('u1'), SANDBOX)
    world.token = undefined
    await pods.attach(pod('u1'), SANDBOX)
    expect(tokenOf('u1')).toBe('t1 of web-u1')
  })

  test('get fresh tokens for as long as they are there', async () => {
    const { world, pods } = open()
    await pods.attach(pod('u1'), SANDBOX)
    const stop = new AbortController()
    const running = pods.run(stop.signal)
    world.token = 't2'
    await clock.advance(30_000)
    expect(tokenOf('u1')).toBe('t2 of web-u1')
    pods.detach('u1')
    await clock.advance(30_000)
    expect([told(), existsSync(join(dir, 'tokens/u1')), pods.count]).toEqual([[], false, 0])
    stop.abort()
    await running
  })

  test('are not told of any more when they have ended meanwhile', async () => {
    const { pods } = open()
    const attached = pods.attach(pod('u1'), SANDBOX)
    pods.detach('u1')
    await expect(attached).rejects.toThrow('the pod has ended')
    expect([told(), readdirSync(hostedLayout(dir).tokens)]).toEqual([[], []])
  })

  test('of an earlier agent stay if they are pods still', async () => {
    const before = open().pods
    for (const uid of ['u1', 'u2']) await before.attach(pod(uid), { ...SANDBOX, podUid: uid })
    const { pods } = open({ token: undefined })
    await pods.attach(pod('u2'), { ...SANDBOX, podUid: 'u2' })
    pods.sweep()
    expect(told()).toEqual(['u2.json'])
  })

  test('with spoilt annotations lose their probes, not their connections; others are none of its business', async () => {
    const { pods } = open()
    await pods.attach(pod('u1', { 'biplane.dev/node-proxy': '{' }), SANDBOX)
    expect(JSON.parse(readFileSync(join(dir, 'pods/u1.json'), 'utf8'))).toMatchObject({ probes: {} })
    await pods.attach({ ...pod('u3'), metadata: { name: 'plain', uid: 'u3' } }, SANDBOX)
    pods.detach('u3')
    expect(told()).toEqual(['u1.json'])
  })
})

test('a proxy says at its health port what is missing', async () => {
  let answer = [503, 'no configuration yet\n'] as const as readonly [number, string]
  const server = createServer((_, response) => response.writeHead(answer[0]).end(answer[1]))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  expect(await askReady('127.0.0.1', port)).toBe('no configuration yet')
  answer = [200, 'LIVE\n']
  expect(await askReady('127.0.0.1', port)).toBeUndefined()
  await new Promise((resolve) => server.close(resolve))
  expect(await askReady('127.0.0.1', port)).toMatch(/ECONNREFUSED/)
})
