import { pods } from '../../src/api/core/v1/pod.ts'
import type { Pod } from '../../src/api/generated/types.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import { createInformer } from '../../src/client/informer.ts'

/** Pods that are being created at any time. */
export const PARALLEL = 8
export const here = { namespace: 'default' } as const

/** Knows when a pod gets to a state: one watch for all. */
export class Pods {
  readonly #waiting = new Map<string, { readonly test: (pod: Pod | undefined) => boolean; readonly resolve: () => void }>()
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  readonly #informer

  constructor(client: Client) {
    this.#informer = createInformer(pods, { client, clock: systemClock, random: Math.random, log: silentLogger }, here)
    this.#informer.addHandler({
      add: (pod) => this.#look(pod.metadata.name, pod),
      update: (pod) => this.#look(pod.metadata.name, pod),
      delete: (pod) => this.#look(pod.metadata.name, undefined),
    })
    this.#done = this.#informer.run(this.#stop.signal)
  }

  get list(): readonly Pod[] {
    return this.#informer.lister.list()
  }

  until(name: string, test: (pod: Pod | undefined) => boolean): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(name, { test, resolve }))
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  #look(name: string, pod: Pod | undefined): void {
    const waiting = this.#waiting.get(name)
    if (!waiting?.test(pod)) return
    this.#waiting.delete(name)
    waiting.resolve()
  }
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: PARALLEL }, lane))
}

/** A quantile. */
export const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN

/** Creates pods of one sleeping container. @returns milliseconds from create to Running, sorted */
export async function createAll(
  client: Client,
  seen: Pods,
  options: { readonly count: number; readonly nodeName: string },
): Promise<number[]> {
  const took: number[] = []
  await inParallel(options.count, async (index) => {
    const name = `pod-${index}`
    const running = seen.until(name, (pod) => pod?.status?.phase === 'Running')
    const begin = performance.now()
    const main = { name: 'main', image: 'host', command: ['sleep', '3600'] }
    await client
      .of(pods)
      .create({ metadata: { name, ...here }, spec: { nodeName: options.nodeName, containers: [main], terminationGracePeriodSeconds: 1 } })
    await running
    took.push(performance.now() - begin)
  })
  return took.sort((a, b) => a - b)
}
