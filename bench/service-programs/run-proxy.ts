// Our kernel service proxy as a process of its own, fed by an API server as a node agent is. Prints a line for each revision that the kernel has.
import { services } from '../../src/api/core/v1/service.ts'
import { endpointSlices } from '../../src/api/discovery/v1/endpoint-slice.ts'
import { systemClock } from '../../src/base/clock.ts'
import { jsonLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { createClient, createHttpsTransport, createInformer } from '../../src/client/index.ts'
import { openNft } from '../../src/data-plane/forwarding/nft/index.ts'
import { LastGoodList } from '../../src/data-plane/node/api-sync/last-good.ts'
import { KernelServiceProxy } from '../../src/data-plane/service-proxy/kernel/index.ts'
import type { ServiceNode } from '../../src/policy/packet/services/index.ts'

export interface ApiAccess {
  readonly server: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export async function runProxy(access: ApiAccess, node: ServiceNode): Promise<void> {
  const [clock, random, metrics] = [systemClock, Math.random, createMetrics()]
  const log = jsonLogger({ write: (line) => process.stderr.write(line), clock, level: 'warn' })
  const client = createClient(createHttpsTransport({ ...access, clock, random }))
  const [serviceInformer, sliceInformer] = [
    createInformer(services, { client, clock, random, log }),
    createInformer(endpointSlices, { client, clock, random, log }),
  ]
  const proxy = new KernelServiceProxy({
    services: new LastGoodList(serviceInformer, { clock, log }),
    endpointSlices: new LastGoodList(sliceInformer, { clock, log }),
    node,
    clock,
    random,
    log,
    metrics,
    nft: openNft(),
    ready: () => Promise.all([serviceInformer.whenSynced(), sliceInformer.whenSynced()]),
  })
  const abort = new AbortController()
  process.on('SIGTERM', () => abort.abort())
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(0))
  // asked by the bench: the same series as kube-proxy's
  process.stdin.on('data', () => process.stdout.write(`${JSON.stringify({ metrics: metrics.render() })}\n`))
  await Promise.all([serviceInformer.run(abort.signal), sliceInformer.run(abort.signal), proxy.run(abort.signal)])
}
