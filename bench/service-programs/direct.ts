import type { EndpointSlice, Service } from '../../src/api/generated/types.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { openNft } from '../../src/data-plane/forwarding/nft/index.ts'
import { KernelServiceProxy } from '../../src/data-plane/service-proxy/kernel/index.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { Changing } from '../../test/service-proxy-support/objects.ts'
import { serviceObject, sliceObject } from './objects.ts'

export interface DirectResult {
  readonly loadMs: number
  readonly addMs: readonly number[]
}

/** Our proxy in this process: from the lists to the kernel, without an API. @returns milliseconds until all was in force */
export async function loadDirectly(host: LabHost, count: number): Promise<number> {
  const direct = new Direct(host)
  const ms = await direct.load(count)
  await direct.stop()
  return ms
}

/** @returns milliseconds for each of `added` services, one after another */
export async function addDirectly(host: LabHost, count: number, added: number): Promise<readonly number[]> {
  const direct = new Direct(host)
  await direct.load(count)
  const times: number[] = []
  for (let i = 0; i < added; i++) times.push(await direct.add(count + i))
  await direct.stop()
  return times
}

class Direct {
  readonly #services = new Changing<Service>()
  readonly #slices = new Changing<EndpointSlice>()
  readonly #host: LabHost
  readonly #nft: ReturnType<typeof openNft>
  readonly #abort = new AbortController()
  #proxy: KernelServiceProxy | undefined
  #run: Promise<void> = Promise.resolve()

  constructor(host: LabHost) {
    this.#host = host
    this.#nft = openNft({ namespace: host.path })
  }

  async load(count: number): Promise<number> {
    const indices = Array.from({ length: count }, (_, i) => i)
    this.#services.set(indices.map((index) => numbered(serviceObject(index), index)))
    this.#slices.set(indices.map((index) => numbered(sliceObject(index), index)))
    this.#proxy = new KernelServiceProxy({
      services: this.#services,
      endpointSlices: this.#slices,
      node: { name: 'node', addresses: ['192.0.2.1'] },
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      metrics: createMetrics(),
      nft: this.#nft,
    })
    const begin = performance.now()
    this.#run = this.#proxy.run(this.#abort.signal)
    await this.#reached(count - 1)
    return performance.now() - begin
  }

  async add(index: number): Promise<number> {
    const services = [...this.#services.list(), numbered(serviceObject(index), index)]
    const slices = [...this.#slices.list(), numbered(sliceObject(index), index)]
    const begin = performance.now()
    this.#slices.set(slices)
    this.#services.set(services)
    await this.#reached(index)
    return performance.now() - begin
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#run
    this.#nft.close()
    for (const family of ['ip', 'ip6']) await this.#host.run(['nft', 'delete', 'table', family, 'biplane-services'])
  }

  async #reached(index: number): Promise<void> {
    while ((this.#proxy as KernelServiceProxy).appliedRevision < BigInt(index + 1)) await new Promise((resolve) => setImmediate(resolve))
  }
}

function numbered<T extends Service | EndpointSlice>(object: T, index: number): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(index + 1) } }
}
