import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ConfigAnswer, DryRunAnswer, ExplainAnswer, PoliciesAnswer, ProxiesAnswer, StrictAnswer } from '../src/protocols/mesh-view.ts'
import { loopbackCluster, loopbackIntercepts, type MeshCluster } from './mesh-support/mesh-cluster.ts'
import { MeshTraffic, of, sum } from './mesh-support/mesh-traffic.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing, suffix } = await requirements({ root: true })

const ID = 'spiffe://default.mesh.local/ns/shop/sa'
const SERVER = "require('node:http').createServer((_, response) => response.end('cart')).listen(8080, process.env.BIPLANE_POD_IP)"
const inShop = (name: string): object => ({ name, namespace: 'shop' })

const permission = (name: string, conf: object): object => ({
  apiVersion: 'kuma.io/v1alpha1',
  kind: 'MeshTrafficPermission',
  metadata: inShop(name),
  spec: { targetRef: { kind: 'Dataplane', labels: { app: 'cart' } }, rules: [{ default: conf }] },
})
const allowAll = permission('everybody', { allow: [{ spiffeID: { type: 'Prefix', value: 'spiffe://default.mesh.local/' } }] })
const denyWeb = permission('not-web', { deny: [{ spiffeID: { type: 'Exact', value: `${ID}/web` } }] })

describe.skipIf(missing !== '')(`what the control plane says of the mesh is what is so${suffix}`, () => {
  let cluster: MeshCluster
  let web: MeshTraffic

  beforeAll(async () => {
    cluster = await loopbackCluster(kubectl, [])
    const labels = { 'kuma.io/sidecar-injection': 'enabled' }
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'outside' } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inShop('cart') },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...inShop('cart'), labels: { app: 'cart' } },
        spec: {
          serviceAccountName: 'cart',
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image: 'node:22', args: ['-e', SERVER], ports: [{ containerPort: 8080 }] }],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: inShop('cart'),
        spec: { selector: { app: 'cart' }, ports: [{ name: 'http', port: 80, targetPort: 8080, appProtocol: 'http' }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'stranger', namespace: 'outside' },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image: 'node:22', args: ['-e', 'setInterval(() => {}, 60_000)'] }],
        },
      },
      allowAll,
    ])
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/cart', '--timeout=60s')
    await cluster.kubectl('wait', '-n', 'outside', '--for=condition=Ready', 'pod/stranger', '--timeout=60s')
    web = await MeshTraffic.start(cluster, 'web', { namespace: 'shop', asks: [{ name: 'cart', url: 'http://cart.shop:80/', everyMs: 20 }] })
    await web.watch('the cart answers', (outcomes) => (of(outcomes, 'cart')['200'] ?? 0) > 0)
  }, 180_000)
  afterAll(() => cluster?.stop())

  /** An answer of a command, and what it ended with. */
  async function ask<T>(...args: readonly string[]): Promise<{ readonly answer: T; readonly code: number }> {
    const { stdout, stderr, code } = await cluster.biplane(...args)
    if (stdout === '') throw new Error(`biplane ${args.join(' ')} said: ${stderr}`)
    return { answer: JSON.parse(stdout) as T, code: code ?? -1 }
  }
  const explain = async (): Promise<{ readonly answer: ExplainAnswer; readonly code: number }> =>
    await ask<ExplainAnswer>('proxy', 'explain', 'web', 'cart:80', '-n', 'shop', '-o', 'json')
  const manifest = (object: object): string => {
    const path = join(cluster.dir, 'policy.json')
    writeFileSync(path, JSON.stringify(object))
    return path
  }
  const dryRun = async (object: object): Promise<DryRunAnswer> =>
    (await ask<DryRunAnswer>('proxy', 'dry-run', '-f', manifest(object), '-o', 'json')).answer

  test('proxies have confirmed what they were told, and it can be looked at', async () => {
    const { proxies } = await poll('all is confirmed', async () => {
      const { answer, code } = await ask<ProxiesAnswer>('proxies', '-o', 'json')
      const settled = answer.proxies.every(({ connected, types }) => connected && types.every(({ pending }) => pending === undefined))
      return settled && code === 0 ? answer : undefined
    })
    expect(proxies.map(({ namespace, pod, kind, dataPlane }) => [namespace, pod, kind, dataPlane])).toEqual([
      ['shop', 'cart', 'sidecar', 'biplane'],
      ['shop', 'web', 'sidecar', 'biplane'],
    ])
    for (const { pod, types } of proxies) {
      // who calls nobody asks for nobody's endpoints
      for (const type of ['cluster', 'listener', 'proxy', 'route', ...(pod === 'web' ? ['endpoints'] : [])]) {
        const found = types.find((one) => one.type === type)
        expect([type, found?.acked !== undefined, (found?.resources ?? 0) > 0]).toEqual([type, true, true])
      }
    }
    expect((await cluster.biplane('proxies')).stdout).toMatch(/shop\s+web\s+sidecar\s+biplane\s+\S+\s+Synced/)
    const { answer } = await ask<ConfigAnswer>('proxy', 'config', 'cart', '-n', 'shop', '--type', 'listener')
    expect(Object.keys(answer.resources)).toEqual(['listener'])
    expect(Object.keys(answer.resources['listener'] ?? {})).toContain('inbound|8080')
    expect((await cluster.biplane('proxy', 'config', 'nobody', '-n', 'shop')).stderr).toContain('there is no proxy "nobody.shop"')
  })

  test('a permission is in force once it says so, and explained as what refuses the call', async () => {
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Programmed', 'meshtrafficpermission/everybody', '--timeout=30s')
    expect(await explain()).toMatchObject({ code: 0, answer: { verdict: 'allowed' } })
    const possible = await dryRun(denyWeb)
    expect(possible.changes.map(({ from, to, now, then, because }) => [from, to, now, then, because])).toEqual([
      [`${ID}/web`, 'shop/cart:80', 'allow', 'deny', 'MeshTrafficPermission/shop/not-web'],
    ])
    // nothing has changed
    expect(await cluster.kubectl('get', '-n', 'shop', 'meshtrafficpermissions', '-o', 'name')).not.toContain('not-web')
    await cluster.apply([denyWeb])
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Programmed', 'meshtrafficpermission/not-web', '--timeout=30s')
    const since = await web.watch('answers after it is in force', (outcomes) => sum(of(outcomes, 'cart')) >= 20)
    // one may have been under way
    expect(of(since, 'cart')['200'] ?? 0).toBeLessThanOrEqual(1)
    expect(of(since, 'cart')['403'] ?? 0).toBeGreaterThan(10)
    const { answer, code } = await explain()
    expect([answer.verdict, code]).toEqual(['denied', 1])
    expect(answer.steps.at(-1)).toMatchObject({ step: 'permission', origin: 'MeshTrafficPermission/shop/not-web' })
    expect(await dryRun(permission('not-web', { allow: [] }))).toMatchObject({ changes: [{ now: 'deny' }] })
  })

  test('conditions are of the generation that they are about, and policies are listed with them', async () => {
    const conditionOf = async (path: string): Promise<string> =>
      await cluster.kubectl('get', '-n', 'shop', 'meshtrafficpermission/not-web', '-o', `jsonpath={${path}}`)
    const observed = `.status.conditions[?(@.type=="Programmed")].observedGeneration`
    expect(await conditionOf(observed)).toBe(await conditionOf('.metadata.generation'))
    await cluster.apply([permission('not-web', { deny: [{ spiffeID: { type: 'Exact', value: `${ID}/nobody` } }] })])
    await poll('the new generation is in force', async () => ((await conditionOf(observed)) === '2' ? true : undefined))
    await web.watch('the cart answers again', (outcomes) => (of(outcomes, 'cart')['200'] ?? 0) > 0)
    const { answer } = await ask<PoliciesAnswer>('proxy', 'policies', '-o', 'json')
    const found = answer.policies.filter(({ policy }) => policy.startsWith('MeshTrafficPermission/shop/'))
    expect(found.map(({ policy, proxies, programmed, refused }) => [policy, proxies, programmed, refused])).toEqual([
      ['MeshTrafficPermission/shop/everybody', 1, 1, []],
      ['MeshTrafficPermission/shop/not-web', 1, 1, []],
    ])
    await expect(cluster.kubectl('apply', '-f', manifest(permission('bad', { deny: 'all' })))).rejects.toThrow('deny')
    expect((await cluster.biplane('proxy', 'dry-run', '-f', manifest(permission('bad', { deny: 'all' })))).stderr).toContain('deny')
  })

  /** Where the kernel leads connections to proxies: they tell who speaks plain text, here this process. */
  async function expectPlaintextSeen(): Promise<void> {
    const ip = await cluster.kubectl('get', 'pod', '-n', 'shop', 'cart', '-o', 'jsonpath={.status.podIP}')
    expect(await (await fetch(`http://${ip}:8080/`)).text()).toBe('cart')
    const { answer, code } = await poll('the proxy of the cart tells of it', async () => {
      const said = await ask<StrictAnswer>('proxy', 'strict', '-o', 'json')
      return said.answer.plaintext.length > 0 ? said : undefined
    })
    expect([answer.safe, code, answer.basis]).toEqual([false, 1, 'traffic'])
    expect(answer.plaintext.map(({ from, to, count }) => [from, to, count])).toEqual([['127.0.0.1', 'shop/cart:80', 1]])
    expect((await cluster.biplane('proxies', '-o', 'wide')).stdout).toMatch(/cart .* kernel/)
  }

  test('strict mode is not safe while somebody has no proxy', async () => {
    if (loopbackIntercepts()) return await expectPlaintextSeen()
    const { answer, code } = await ask<StrictAnswer>('proxy', 'strict', '-o', 'json')
    expect([answer.safe, code]).toEqual([false, 1])
    expect(answer.plaintext.map(({ from }) => from)).toEqual(['outside/stranger'])
    expect((await cluster.biplane('proxy', 'strict')).stdout).toContain('outside/stranger')
  })

  test('calls that were seen are counted in a dry run', async () => {
    const seen = await poll('the proxy tells who has called', async () => {
      const answer = await dryRun(denyWeb)
      return answer.basis === 'traffic' && (answer.changes[0]?.count ?? 0) > 0 ? answer : undefined
    })
    expect(seen.changes.map(({ from, to }) => [from, to])).toEqual([[`${ID}/web`, 'shop/cart:80']])
  })

  test('is for administrators', async () => {
    for (const path of ['/mesh/v1/proxies', '/mesh/v1/policies']) {
      await expect(cluster.kubectl('get', '--raw', path, '--as', 'somebody')).rejects.toThrow(/[Ff]orbidden/)
      expect(await cluster.kubectl('get', '--raw', path)).toContain('{')
    }
  })
})
