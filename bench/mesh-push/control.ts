// Our side of bench/mesh-push: an API server with a store in memory, informers, and the mesh's control plane on them, in one process.
import { createServer } from 'node:net'
import { once } from 'node:events'
import { endpointSlices } from '../../src/api/discovery/v1/endpoint-slice.ts'
import { pods } from '../../src/api/core/v1/pod.ts'
import { services } from '../../src/api/core/v1/service.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { createInformerFactory } from '../../src/client/informer-factory.ts'
import { MeshControl, SYSTEM_NAMESPACE } from '../../src/control-plane/mesh/control/index.ts'
import { PROXY_IMAGE, SIDECAR_CONTAINER } from '../../src/policy/traffic/model/index.ts'
import { startTestCluster } from '../../src/testing/test-cluster.ts'
import { addressOf, nodeOf, type Scale } from './scale.ts'

/** Runs until the parent goes. Messages in: a service whose last endpoint is to be toggled; out: `ready` with the uids of the pods, by number. */
export async function runControl(scale: Scale): Promise<void> {
  const { path, proxies, services: count, endpoints } = scale
  const clock = systemClock
  const cluster = await startTestCluster({ clock, namespaces: ['default', SYSTEM_NAMESPACE] })
  const { client } = cluster
  const slicesOf = (service: number, size: number): object => ({
    endpoints: Array.from({ length: size }, (_, i) => {
      const pod = (service * endpoints + i) % proxies
      const targetRef = { kind: 'Pod', namespace: 'default', name: `p${pod}` }
      return { addresses: [addressOf(service * endpoints + i)], conditions: { ready: true }, nodeName: nodeOf(pod), targetRef }
    }),
  })
  const uids: string[] = []
  for (let i = 0; i < proxies; i++) {
    const sidecar = { name: SIDECAR_CONTAINER, image: PROXY_IMAGE, restartPolicy: 'Always' as const }
    const metadata = { name: `p${i}`, namespace: 'default', labels: { app: `s${i % count}` } }
    const containers = [{ name: 'main', image: 'x', ports: [{ containerPort: 8080 }] }]
    const pod = await client.of(pods).create({ metadata, spec: { nodeName: nodeOf(i), containers, initContainers: [sidecar] } })
    uids.push(pod.metadata.uid ?? '')
    const ip = addressOf(i)
    const initContainerStatuses = [{ name: SIDECAR_CONTAINER, ready: true, image: '', imageID: '', restartCount: 0 }]
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], initContainerStatuses }
    await client.of(pods).patch(`p${i}`, { status }, { type: 'merge', namespace: 'default', subresource: 'status' })
  }
  for (let i = 0; i < count; i++) {
    const [name, app] = [`s${i}`, `s${i}`]
    await client.of(services).create({
      metadata: { name, namespace: 'default' },
      spec: { clusterIP: `10.96.${i >> 8}.${i & 255}`, selector: { app }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    })
    await client.of(endpointSlices).create({
      metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      ...slicesOf(i, endpoints),
    } as Parameters<ReturnType<typeof client.of<Awaited<ReturnType<typeof readSlice>>>>['create']>[0])
  }
  const stop = new AbortController()
  const informers = createInformerFactory({ client, clock, log: silentLogger, random: Math.random })
  const control = new MeshControl({
    client,
    informers,
    identify: (token) => {
      const [name = '', uid = ''] = token.split('/')
      const claims = { namespace: 'default', serviceAccount: { name: 'default', uid: 's' }, pod: { name, uid } }
      return Promise.resolve({ ...claims, subject: '', audiences: [], expiresAtMs: Number.POSITIVE_INFINITY, id: '' })
    },
    clock,
    metrics: createMetrics(),
    log: { ...silentLogger, error: (text, fields) => console.error(text, fields) },
  })
  void informers.run(stop.signal)
  void control.run(informers.whenSynced(stop.signal), stop.signal)
  while (control.authorities?.state === undefined || control.compiled('p0.default')?.shared.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  let nextNode = 0
  const server = createServer((socket) => control.attach(`n${nextNode++}`, socket))
  server.listen(path)
  await once(server, 'listening')
  const fewer = new Set<number>()
  process.on('message', (service: number) => {
    const size = fewer.delete(service) ? endpoints : (fewer.add(service), endpoints - 1)
    client
      .of(endpointSlices)
      .patch(`s${service}`, slicesOf(service, size), { type: 'merge', namespace: 'default' })
      .catch((error: unknown) => console.error(error))
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.({ uids })

  function readSlice() {
    return client.of(endpointSlices).get('')
  }
}
