import { expect, test } from 'vitest'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { services } from '../../../api/core/v1/service.ts'
import { isConditionTrue } from '../../../api/conditions.ts'
import { gatewayClasses, gateways, httpRoutes, httpRoutesV1beta1 } from '../../../api/gateway.networking.k8s.io/v1/index.ts'
import { ingresses } from '../../../api/networking/v1/ingress.ts'
import { addressPools } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import type { Client } from '../../../client/client.ts'
import { createInformerFactory } from '../../../client/informer-factory.ts'
import { createManager } from '../../../controller/create-manager.ts'
import { FakeClock, startTestCluster } from '../../../testing/index.ts'
import { addGatewayController } from './gateway-controller.ts'
import type { ProgrammedAnswer } from './plan-status.ts'

const inDefault = { namespace: 'default' }

function run(client: Client, clock: FakeClock, programmed: () => ProgrammedAnswer): () => Promise<void> {
  const informers = createInformerFactory({ client, clock, random: () => 0, log: silentLogger })
  const manager = createManager({ client, informers, clock, random: () => 0, log: silentLogger, metrics: createMetrics() })
  addGatewayController(manager, { programmed })
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  return async () => {
    stop.abort()
    await done
  }
}

test('a gateway gets what runs it, an address and a status; its route too; nothing is written twice', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  let ok = false
  const stop = run(client, clock, () => ({ ok, message: ok ? 'all' : '0 of 1 proxies' }))
  const addressing = await client.of(addressPools).create({ metadata: { name: 'outside' }, spec: { addresses: ['192.0.2.0/28'] } })
  await client.of(services).create({ metadata: { name: 'web', ...inDefault }, spec: { ports: [{ port: 80 }] } })
  await client.of(gateways).create({
    metadata: { name: 'edge', ...inDefault },
    spec: { gatewayClassName: 'biplane', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
  })
  const spec = { parentRefs: [{ name: 'edge' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] }
  await client.of(httpRoutes).create({ metadata: { name: 'web', ...inDefault }, spec })
  await clock.advance(2_000)
  expect(isConditionTrue((await client.of(gatewayClasses).get('biplane')).status?.conditions, 'Accepted')).toBe(true)
  const service = await client.of(services).get('edge-biplane', inDefault)
  expect(service.spec).toMatchObject({ type: 'LoadBalancer', ports: [{ port: 80, targetPort: 10_080 }] })
  const { metadata } = await client.of(deployments).get('edge-biplane', inDefault)
  const gateway = await client.of(gateways).get('edge', inDefault)
  expect(metadata.ownerReferences).toMatchObject([{ kind: 'Gateway', uid: gateway.metadata.uid }])
  const programmed = async (): Promise<string[]> =>
    ((await client.of(gateways).get('edge', inDefault)).status?.conditions ?? []).map(
      ({ type, status, reason }) => `${type}=${status} ${reason}`,
    )
  expect(await programmed()).toEqual(['Accepted=True Accepted', 'Programmed=False AddressNotAssigned'])
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }
  await client.of(services).patch('edge-biplane', { status }, { ...inDefault, type: 'merge', subresource: 'status' })
  await clock.advance(2_000)
  expect(await programmed()).toEqual(['Accepted=True Accepted', 'Programmed=False Pending'])
  ok = true
  await clock.advance(2_000)
  // what proxies of before have confirmed is worth nothing while none of them runs
  expect(await programmed()).toEqual(['Accepted=True Accepted', 'Programmed=False Pending'])
  const scale = { status: { replicas: 1, readyReplicas: 1, availableReplicas: 1 } }
  await client.of(deployments).patch('edge-biplane', scale, { ...inDefault, type: 'merge', subresource: 'status' })
  await clock.advance(2_000)
  expect(await programmed()).toEqual(['Accepted=True Accepted', 'Programmed=True Programmed'])
  const route = await client.of(httpRoutesV1beta1).get('web', inDefault)
  expect(route.apiVersion).toBe('gateway.networking.k8s.io/v1beta1')
  expect(isConditionTrue(route.status?.parents[0]?.conditions, 'Programmed')).toBe(true)
  const before = (await client.of(gateways).list()).metadata.resourceVersion
  await clock.advance(60_000)
  expect((await client.of(gateways).list()).metadata.resourceVersion).toBe(before)
  // what somebody changes by hand is put back
  await client.of(services).patch('edge-biplane', { spec: { type: 'ClusterIP' } }, { ...inDefault, type: 'merge' })
  await clock.advance(2_000)
  expect((await client.of(services).get('edge-biplane', inDefault)).spec?.type).toBe('LoadBalancer')
  await client
    .of(services)
    .patch('edge-biplane', { spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] } }, { ...inDefault, type: 'merge' })
  // nobody gives out addresses: nodes serve the Service at the one that it has anyway
  await client.of(addressPools).delete(addressing.metadata.name)
  await client
    .of(services)
    .patch('edge-biplane', { status: { loadBalancer: { ingress: null } } }, { ...inDefault, type: 'merge', subresource: 'status' })
  await clock.advance(2_000)
  expect((await client.of(gateways).get('edge', inDefault)).status?.addresses).toEqual([{ type: 'IPAddress', value: '10.96.0.9' }])
  await stop()
})

test('Ingresses share a gateway, which goes with the last of them', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock })
  const { client } = cluster
  const stop = run(client, clock, () => ({ ok: true, message: 'all' }))
  await client.of(services).create({ metadata: { name: 'web', ...inDefault }, spec: { ports: [{ port: 80 }] } })
  const defaultBackend = { service: { name: 'web', port: { number: 80 } } }
  await client.of(ingresses).create({ metadata: { name: 'web', ...inDefault }, spec: { ingressClassName: 'biplane', defaultBackend } })
  await clock.advance(2_000)
  expect((await client.of(namespaces).get('biplane-system')).metadata.name).toBe('biplane-system')
  const shared = { namespace: 'biplane-system' }
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }
  await client.of(services).patch('ingress-biplane', { status }, { ...shared, type: 'merge', subresource: 'status' })
  await clock.advance(2_000)
  expect((await client.of(ingresses).get('web', inDefault)).status).toEqual(status)
  await client.of(ingresses).delete('web', inDefault)
  await clock.advance(2_000)
  expect((await client.of(services).list(shared)).items).toEqual([])
  expect((await client.of(deployments).list(shared)).items).toEqual([])
  await stop()
})
