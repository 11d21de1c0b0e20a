import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { Pod } from '../../../api/generated/types.ts'
import type { PodProtection } from '../network/pod-protection.ts'
import { Prober } from '../probes/prober.ts'
import type { Runtime, RuntimePod, Sandbox } from '../runtime.ts'
import { createFakeRuntime } from '../runtimes/fake/index.ts'
import { PodWorker } from './pod-worker.ts'
import { container, podOf } from './view-fixture.ts'

const stops: AbortController[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
})

/** A worker whose pod has a network of its own, and the order in which network, protection and containers are asked for. */
class Bench {
  readonly clock = new FakeClock()
  readonly calls: string[] = []
  readonly fake = createFakeRuntime({ clock: this.clock })
  readonly runtime: Runtime
  /** What `protect` waits for. */
  judge: () => Promise<void> = () => Promise.resolve()
  /** What the node's proxy waits for; absent: pods are none of its business. */
  carry: (() => Promise<void>) | undefined
  readonly #isOwn: boolean

  constructor(options: { readonly hostNetwork?: boolean } = {}) {
    this.#isOwn = !options.hostNetwork
    this.runtime = new Proxy(this.fake, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => {
          if (name === 'createContainer' || name === 'startContainer' || name === 'removeSandbox') this.calls.push(name)
          if (name === 'ensureSandbox') return this.#sandbox(args[0] as Pod)
          return Reflect.apply(member, target, args)
        }
      },
    })
  }

  async #sandbox(pod: Pod): Promise<Sandbox> {
    // asked again for whatever is to be recorded
    if (!this.calls.includes('ensureSandbox')) this.calls.push('ensureSandbox')
    const sandbox = await this.fake.ensureSandbox(pod)
    return this.#isOwn ? { ...sandbox, networkNamespace: '/netns' } : sandbox
  }

  start(pod: Pod, adopted?: RuntimePod): PodWorker {
    const stop = new AbortController()
    stops.push(stop)
    const protection: PodProtection = {
      protect: async (_pod, ips) => {
        this.calls.push(`protect ${ips.length}`)
        await this.judge()
        this.calls.push('protected')
      },
      release: (uid) => void this.calls.push(`release ${uid}`),
    }
    const proxies = {
      attach: async (): Promise<void> => {
        if (!this.carry) return
        this.calls.push('attach')
        await this.carry()
      },
      detach: (uid: string): void => void (this.carry && this.calls.push(`detach ${uid}`)),
    }
    const record = (_pod: Pod, _type: string, reason: string, message: string): void => {
      if (reason.startsWith('Failed')) this.calls.push(`${reason}: ${message}`)
    }
    const worker = new PodWorker(
      {
        runtime: this.runtime,
        clock: this.clock,
        log: silentLogger,
        hostIPs: [],
        protection,
        proxies,
        prepareVolumes: () => Promise.resolve(),
        removeVolumes: () => Promise.resolve(),
        resolveContainer: (resolved, _sandbox, name, restartCount) =>
          Promise.resolve({
            name,
            image: resolved.spec?.containers[0]?.image ?? '',
            restartCount,
            command: ['x'],
            env: {},
            mounts: [],
            limits: {},
          }),
        probes: new Prober({ runtime: this.runtime, clock: this.clock, random: () => 0, record }),
        runHook: () => Promise.resolve(undefined),
        record,
        publish: () => {},
        released: () => {},
      },
      pod,
      adopted,
    )
    worker.start(stop.signal)
    return worker
  }
}

const web = (): Pod => podOf({ main: [container('web')] })

describe('the first process of a pod', () => {
  test('waits until the policies of the pod are in force', async () => {
    const bench = new Bench()
    let admit = (): void => {}
    bench.judge = () => new Promise((resolve) => (admit = resolve))
    bench.start(web())
    await bench.clock.advance(60_000)
    expect(bench.calls).toEqual(['ensureSandbox', 'protect 1'])
    admit()
    await bench.clock.advance(0)
    expect(bench.calls).toEqual(['ensureSandbox', 'protect 1', 'protected', 'createContainer', 'startContainer'])
  })

  test('never starts while they cannot be, and an event says so', async () => {
    const bench = new Bench()
    bench.judge = () => Promise.reject(new Error('nft: EPERM'))
    bench.start(web())
    await bench.clock.advance(3_000)
    expect(new Set(bench.calls)).toEqual(
      new Set([
        'ensureSandbox',
        'protect 1',
        'FailedCreatePodSandBox: Failed to create pod sandbox: network policies are not in force for it: nft: EPERM',
      ]),
    )
    bench.judge = () => Promise.resolve()
    await bench.clock.advance(3_000)
    expect(bench.calls.slice(-3)).toEqual(['protected', 'createContainer', 'startContainer'])
  })

  test('does not wait in the network of the node, which no policy judges', async () => {
    const bench = new Bench({ hostNetwork: true })
    bench.judge = () => Promise.reject(new Error('not asked'))
    bench.start(web())
    await bench.clock.advance(0)
    expect(bench.calls).toEqual(['ensureSandbox', 'createContainer', 'startContainer'])
  })
})

describe('the policies of a pod', () => {
  test('are asked for again by the next agent, while its containers run on', async () => {
    const bench = new Bench()
    bench.start(web())
    await bench.clock.advance(0)
    stops.pop()?.abort()
    bench.calls.length = 0
    const [found] = (await bench.fake.listPods()) as [RuntimePod]
    bench.start(found.pod, { ...found, sandbox: { ...found.sandbox, networkNamespace: '/netns' } })
    await bench.clock.advance(0)
    expect(bench.calls.filter((call) => call !== 'ensureSandbox')).toEqual(['protect 1', 'protected'])
  })

  test('are let go of after the network is gone', async () => {
    const bench = new Bench()
    const worker = bench.start(web())
    await bench.clock.advance(0)
    worker.remove()
    await bench.clock.advance(60_000)
    expect(bench.calls.slice(-2)).toEqual(['removeSandbox', `release ${web().metadata.uid}`])
  })
})

describe('a pod whose connections the proxy of its node carries', () => {
  test('starts once they are carried, and keeps them until its containers have ended', async () => {
    const bench = new Bench()
    bench.carry = () => Promise.reject(new Error('no certificate yet'))
    const worker = bench.start(web())
    await bench.clock.advance(2_500)
    expect(bench.calls.filter((call) => call !== 'attach')).toEqual([
      'ensureSandbox',
      'protect 1',
      'protected',
      'Failed: Error: no certificate yet',
    ])
    expect(worker.pod.status?.podIP).toBeDefined()
    bench.carry = () => Promise.resolve()
    await bench.clock.advance(2_500)
    expect(bench.calls.slice(-3)).toEqual(['attach', 'createContainer', 'startContainer'])
    bench.calls.length = 0
    worker.remove()
    await bench.clock.advance(60_000)
    const { uid } = web().metadata
    expect(bench.calls.slice(-3)).toEqual([`detach ${uid}`, 'removeSandbox', `release ${uid}`])
  })

  test('has them carried on by the next agent at once', async () => {
    const bench = new Bench()
    bench.start(web())
    await bench.clock.advance(0)
    stops.pop()?.abort()
    bench.calls.length = 0
    bench.carry = () => Promise.resolve()
    const [found] = (await bench.fake.listPods()) as [RuntimePod]
    bench.start(found.pod, { ...found, sandbox: { ...found.sandbox, networkNamespace: '/netns' } })
    expect(bench.calls).toContain('attach')
  })
})
