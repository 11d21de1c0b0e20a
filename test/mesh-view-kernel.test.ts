import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StrictAnswer } from '../src/protocols/mesh-view.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { kernelCluster, type MeshCluster } from './mesh-support/mesh-cluster.ts'
import { MeshTraffic, of, sum } from './mesh-support/mesh-traffic.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true })
const missing = [needed.missing, labProblem()].filter((text) => text !== '').join(', ')

const SERVER = "require('node:http').createServer((_, response) => response.end('cart')).listen(8080)"

describe.skipIf(missing !== '')(`who calls in plain text is known${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: MeshCluster
  let stranger: MeshTraffic

  beforeAll(async () => {
    cluster = await kernelCluster([])
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'kuma.io/sidecar-injection': 'enabled' } } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'outside' } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'cart', namespace: 'shop', labels: { app: 'cart' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image: 'node:22', args: ['-e', SERVER], ports: [{ containerPort: 8080 }] }],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'cart', namespace: 'shop' },
        spec: { selector: { app: 'cart' }, ports: [{ name: 'http', port: 80, targetPort: 8080, appProtocol: 'http' }] },
      },
    ])
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/cart', '--timeout=60s')
  }, 240_000)
  afterAll(() => cluster?.stop())

  const strict = async (): Promise<StrictAnswer> => {
    const { stdout, stderr } = await cluster.biplane('proxy', 'strict', '-o', 'json')
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as StrictAnswer
  }

  test('strict mode is safe before anybody has called, and is not once somebody without a proxy has', async () => {
    const safe = await poll('the proxy tells that nobody has called', async () => {
      const answer = await strict()
      return answer.basis === 'traffic' ? answer : undefined
    })
    expect(safe).toEqual({ safe: true, basis: 'traffic', plaintext: [] })
    stranger = await MeshTraffic.start(cluster, 'stranger', {
      namespace: 'outside',
      asks: [{ name: 'cart', url: 'http://cart.shop:80/', everyMs: 100 }],
    })
    await stranger.watch('the cart answers', (outcomes) => sum(of(outcomes, 'cart')) > 5)
    const unsafe = await poll('the proxy tells who has called', async () => {
      const answer = await strict()
      return answer.plaintext.length > 0 ? answer : undefined
    })
    expect([unsafe.safe, unsafe.basis]).toEqual([false, 'traffic'])
    expect(unsafe.plaintext.map(({ from, to }) => [from, to])).toEqual([['outside/stranger', 'shop/cart:80']])
  })

  test('and strict mode cuts off those that were named', async () => {
    await cluster.apply([
      {
        apiVersion: 'kuma.io/v1alpha1',
        kind: 'MeshTLS',
        metadata: { name: 'strict', namespace: 'shop' },
        spec: { rules: [{ default: { mode: 'Strict' } }] },
      },
    ])
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Programmed', 'meshtls/strict', '--timeout=30s')
    const after = await stranger.watch('calls in strict mode', (outcomes) => sum(of(outcomes, 'cart')) >= 20)
    expect(of(after, 'cart')['200'] ?? 0).toBeLessThanOrEqual(1)
  })
})
