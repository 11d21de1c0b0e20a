import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../../src/api/generated/types.ts'
import { MANIFESTS } from '../support/requirements.ts'
import { loopbackIntercepts, type MeshCluster } from './mesh-cluster.ts'
import { meshPolicy } from './mesh-objects.ts'
import { failed, MeshTraffic, of, sum } from './mesh-traffic.ts'

export interface MeshedCounter {
  readonly name: string
  readonly dataPlane: 'biplane' | 'envoy' | 'node'
  readonly start: () => Promise<MeshCluster>
  /** Why it cannot be run; empty: it can. */
  readonly missing: string
}

const APP = 'http://demo-app.kuma-demo:5050/api/counter'
const STORE = 'http://kv.kuma-demo:5050/api/key-value/counter'

/**
 * Kuma's counter demo, unmodified: its Mesh asks for mutual TLS everywhere and for permissions, and its one permission lets the application call the store. A
 * visitor in the mesh and, where the kernel leads connections to proxies, one outside of it ask both.
 */
export function counterMeshed({ name, dataPlane, start, missing }: MeshedCounter): void {
  describe.skipIf(missing !== '')(`Kuma's counter demo with mutual TLS, ${name}${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
    let cluster: MeshCluster
    let inside: MeshTraffic
    let outside: MeshTraffic | undefined

    beforeAll(async () => {
      cluster = await start()
      const labels = { 'kuma.io/sidecar-injection': 'enabled' }
      await cluster.apply([
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kuma-demo', labels } },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'visitors', labels } },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'outside' } },
      ])
      // what is applied with the demo's own namespace would be taken away again by it
      await cluster.kubectl('annotate', 'namespace', 'kuma-demo', 'visitors', `biplane.dev/data-plane=${dataPlane}`)
      await cluster.kubectl('apply', '-f', join(MANIFESTS, 'kuma-counter-with-mtls.yaml'))
      await cluster.kubectl('wait', '-n', 'kuma-demo', '--for=condition=Available', 'deployment', '--all', '--timeout=120s')
      const asks = [
        { name: 'app', url: APP, pattern: '"version":"(\\w+)"' },
        { name: 'store', url: STORE },
      ]
      inside = await MeshTraffic.start(cluster, 'inside', { namespace: 'visitors', asks })
      if (cluster.network !== 'kernel' && (dataPlane === 'node' || !loopbackIntercepts())) return
      const ip = async (app: string): Promise<string> =>
        await cluster.kubectl('get', 'pod', '-n', 'kuma-demo', '-l', `app=${app}`, '-o', 'jsonpath={.items[0].status.podIP}')
      const direct = [
        { name: 'app-pod', url: `http://${await ip('demo-app')}:5050/api/counter` },
        { name: 'store-pod', url: `http://${await ip('kv')}:5050/api/key-value/counter` },
        { name: 'store-sidecar', url: `http://${await ip('kv')}:15006/` },
      ]
      outside = await MeshTraffic.start(cluster, 'outside', { namespace: 'outside', asks: [...asks, ...direct] })
    }, 240_000)
    afterAll(() => cluster?.stop())

    test('the application reaches its store, and nobody else reaches either: the mesh asks for permissions', async () => {
      const { items } = JSON.parse(await cluster.kubectl('get', 'pods', '-n', 'kuma-demo', '-o', 'json')) as { items: readonly Pod[] }
      expect(items).toHaveLength(2)
      for (const { metadata, spec } of items) {
        const own = spec?.initContainers?.map((container) => container.name) ?? []
        expect(own.includes('biplane-proxy')).toBe(dataPlane !== 'node')
        expect(metadata.annotations?.['biplane.dev/sidecar']).toBe(dataPlane === 'node' ? 'node' : 'injected')
      }
      const seen = await inside.watch('100 answers', (outcomes) => sum(of(outcomes, 'app')) >= 50 && sum(of(outcomes, 'store')) >= 50)
      expect(Object.keys(seen).sort()).toEqual(['app 403', 'store 403'])
    })

    test('with a permission for the application, the counter counts', async () => {
      const permission = meshPolicy(
        'MeshTrafficPermission',
        'demo-app',
        { app: 'demo-app' },
        [{ default: { allow: [{ spiffeID: { type: 'Prefix', value: 'spiffe://default.mesh.local/ns/visitors/' } }] } }],
        'kuma-demo',
      )
      await cluster.apply([permission])
      await inside.watch('the application answers', (outcomes) => (of(outcomes, 'app')['200 v1'] ?? 0) > 0)
      const seen = await inside.watch('100 answers of each', (outcomes) => ['app', 'store'].every((ask) => sum(of(outcomes, ask)) >= 100))
      // what the application says is what the store says: the way between them is open
      expect(Object.keys(seen).sort()).toEqual(['app 200 v1', 'store 403'])
    })

    test('without mutual TLS nobody gets in, whatever address is asked', async ({ skip }) => {
      if (!outside) return skip('nothing is intercepted: every process of the machine reaches every port')
      const seen = await outside.watch('50 attempts at each', (outcomes) =>
        ['app', 'store', 'app-pod', 'store-pod', 'store-sidecar'].every((ask) => sum(of(outcomes, ask)) >= 50),
      )
      expect(Object.keys(failed(seen))).toEqual(Object.keys(seen))
      // closed, not answered: whoever speaks no TLS is told nothing
      for (const what of Object.keys(seen)) expect(what).toMatch(/ failed E(CONNRESET|CONNREFUSED|PIPE)$/)
    })

    test('while the proxy of a pod stands still nobody gets past it: strict needs no proxy to be strict', async ({ skip }) => {
      if (!outside || dataPlane === 'node') return skip('only where the kernel leads connections to a proxy of the pod')
      const pod = await cluster.kubectl('get', 'pods', '-n', 'kuma-demo', '-l', 'app=kv', '-o', 'jsonpath={.items[0].metadata.name}')
      const proxies = processesWith([`POD_NAME=${pod}`, 'BIPLANE_MESH_TOKEN='])
      expect(proxies.length).toBeGreaterThan(0)
      for (const pid of proxies) process.kill(pid, 'SIGSTOP')
      try {
        const seen = await outside.watch('50 more attempts elsewhere', (outcomes) => sum(of(outcomes, 'app')) >= 50)
        expect(Object.keys(seen).filter((what) => what.includes(' 200'))).toEqual([])
      } finally {
        for (const pid of proxies) process.kill(pid, 'SIGCONT')
      }
      await inside.watch('the application answers again', (outcomes) => (of(outcomes, 'app')['200 v1'] ?? 0) >= 20)
    })

    test('the permission of the demo is taken away and given back: the store follows', async () => {
      const file = join(MANIFESTS, 'kuma-counter-with-mtls.yaml')
      await cluster.kubectl('delete', '-n', 'kuma-demo', 'meshtrafficpermission', 'kv')
      await inside.watch('the store refuses the application', (outcomes) =>
        Object.keys(of(outcomes, 'app')).some((what) => !what.startsWith('200')),
      )
      await cluster.kubectl('apply', '-f', file)
      await inside.watch('the application answers', (outcomes) => (of(outcomes, 'app')['200 v1'] ?? 0) > 0)
      const seen = await inside.watch('50 answers of the application', (outcomes) => sum(of(outcomes, 'app')) >= 50)
      expect(failed(of(seen, 'app'))).toEqual({})
    })
  })
}

/** Processes that have all of these variables, each given as `NAME=value` or the beginning of it. */
function processesWith(variables: readonly string[]): readonly number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0')
      return variables.every((one) => environment.some((variable) => variable.startsWith(one))) ? [Number(entry)] : []
    } catch {
      // it has ended meanwhile
      return []
    }
  })
}
