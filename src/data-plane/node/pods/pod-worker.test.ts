import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { Pod, PodStatus } from '../../../api/generated/types.ts'
import { Prober } from '../probes/prober.ts'
import type { ExecResult, Runtime } from '../runtime.ts'
import { RuntimeError } from '../runtime.ts'
import { createFakeRuntime, type FakeRuntime, type FakeRuntimeOptions } from '../runtimes/fake/index.ts'
import { ContainerConfigError, VolumeError } from './container-config-error.ts'
import { HookRunner } from './lifecycle-hook.ts'
import { PodWorker } from './pod-worker.ts'
import { container, podOf, sidecar, type PodParts } from './view-fixture.ts'

const ok: ExecResult = { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
const bad = (text: string): ExecResult => ({ ...ok, exitCode: 1, stderr: Buffer.from(text) })

const open: AbortController[] = []
afterEach(() => {
  for (const stop of open.splice(0)) stop.abort()
})

/** One pod, one worker, a runtime of timers, and everything that was done, with its second. */
class Bench {
  readonly clock = new FakeClock()
  readonly log: string[] = []
  readonly published: PodStatus[] = []
  exec: (command: readonly string[]) => ExecResult = () => ok
  /** Asked at each start; throw to fail it. */
  resolve: () => void = () => {}
  volumes: () => void = () => {}
  readonly runtime: FakeRuntime
  released = false
  stop = new AbortController()
  worker: PodWorker

  constructor(parts: PodParts, options: Pick<FakeRuntimeOptions, 'stopDelayMs' | 'plan'> = {}) {
    this.runtime = createFakeRuntime({
      clock: this.clock,
      exec: (_id, command) => this.#told(`exec ${command.join(' ')}`, this.exec(command)),
      ...options,
    })
    this.worker = this.#start(podOf(parts))
  }

  #told<T>(text: string, value: T): T {
    this.log.push(`${(this.clock.monotonic() / 1000).toString()}s ${text}`)
    return value
  }

  #start(pod: Pod, adopted?: ConstructorParameters<typeof PodWorker>[2]): PodWorker {
    open.push(this.stop)
    const { clock } = this
    const record = (_pod: Pod, _type: string, reason: string, message: string): void => this.#told(`${reason}: ${message}`, undefined)
    const runtime: Runtime = Object.assign(Object.create(this.runtime) as Runtime, {
      name: 'fake',
      stopContainer: (id: string, how: { graceMs: number }) =>
        this.runtime.stopContainer(id, this.#told(`stop ${id} ${how.graceMs / 1000}s`, how)),
      createContainer: this.runtime.createContainer.bind(this.runtime),
      startContainer: this.runtime.startContainer.bind(this.runtime),
      status: this.runtime.status.bind(this.runtime),
      ensureSandbox: this.runtime.ensureSandbox.bind(this.runtime),
      removeContainer: this.runtime.removeContainer.bind(this.runtime),
      removeSandbox: this.runtime.removeSandbox.bind(this.runtime),
      execSync: this.runtime.execSync.bind(this.runtime),
      logs: this.runtime.logs.bind(this.runtime),
    })
    const hooks = new HookRunner(runtime, clock)
    const worker = new PodWorker(
      {
        runtime,
        clock,
        log: silentLogger,
        hostIPs: ['10.0.0.1'],
        prepareVolumes: async () => this.volumes(),
        removeVolumes: async () => {},
        resolveContainer: async (resolved, _sandbox, name, restartCount) => {
          this.resolve()
          const spec = [...(resolved.spec?.initContainers ?? []), ...(resolved.spec?.containers ?? [])].find((one) => one.name === name)
          return { name, image: spec?.image ?? '', restartCount, command: ['x'], env: {}, mounts: [], limits: {} }
        },
        probes: new Prober({ runtime, clock, random: () => 0, record }),
        runHook: (hooked, call) => hooks.run(hooked, call),
        record,
        publish: (_pod, status) => void this.published.push(status),
        released: () => {
          this.released = true
        },
      },
      pod,
      adopted,
    )
    worker.start(this.stop.signal)
    void this.#follow(worker, this.stop.signal)
    return worker
  }

  async #follow(worker: PodWorker, signal: AbortSignal): Promise<void> {
    for await (const hint of this.runtime.events(signal)) if (hint.podUid !== '') worker.nudge()
  }

  /** Ends this agent without a word and starts the next one. */
  async restartAgent(whileAway: () => void | Promise<void> = () => {}): Promise<void> {
    this.stop.abort()
    await this.clock.advance(0)
    await whileAway()
    this.stop = new AbortController()
    const [found] = await this.runtime.listPods()
    if (!found) throw new Error('nothing to adopt')
    this.worker = this.#start(found.pod, found)
  }

  /** The API server's version of the pod, deleted with this grace. */
  delete(graceSeconds: number): void {
    const pod = this.worker.pod
    const deletionTimestamp = new Date(this.clock.now() + graceSeconds * 1000).toISOString()
    this.worker.update({ ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceSeconds } })
  }

  get status(): PodStatus {
    return this.published.at(-1) ?? {}
  }

  get main(): NonNullable<PodStatus['containerStatuses']>[number] | undefined {
    return this.status.containerStatuses?.[0]
  }

  /** What happened since the last call. */
  told(): string[] {
    return this.log.splice(0)
  }
}

describe('a pod', () => {
  test('starts and runs', async () => {
    const bench = new Bench({ init: [container('i')], main: [container('main')] })
    await bench.clock.advance(0)
    expect(bench.status.phase).toBe('Pending')
    bench.runtime.exit('u1/i/0', 0)
    await bench.clock.advance(0)
    expect(bench.status).toMatchObject({ phase: 'Running', podIP: expect.stringMatching(/^10\.244/), hostIP: '10.0.0.1' })
    expect(bench.told()).toEqual([
      '0s Created: Container created: i',
      '0s Started: Container started: i',
      '0s Created: Container created: main',
      '0s Started: Container started: main',
    ])
  })

  test('that crashes is restarted with back-off; its last crash is the last state', async () => {
    const bench = new Bench({})
    const starts: number[] = []
    for (let i = 0; i < 4; i++) {
      await bench.clock.advance(0)
      while (bench.main?.state?.running === undefined) await bench.clock.advance(1_000)
      starts.push(bench.clock.monotonic() / 1000)
      bench.runtime.exit(`u1/main/${i}`, 3)
      await bench.clock.advance(0)
    }
    expect(starts).toEqual([0, 0, 10, 30])
    expect(bench.status.phase).toBe('Running')
    expect(bench.main).toMatchObject({
      restartCount: 3,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container=main pod=web_default(u1)' } },
      lastState: { terminated: { exitCode: 3, reason: 'Error', containerID: 'fake://u1/main/3' } },
    })
    expect(bench.told().filter((line) => line.includes('BackOff'))).toEqual([
      '0s BackOff: Back-off restarting failed container main in pod web_default(u1)',
      '10s BackOff: Back-off restarting failed container main in pod web_default(u1)',
      '30s BackOff: Back-off restarting failed container main in pod web_default(u1)',
    ])
    // only the last two starts are kept
    expect((await bench.runtime.listPods())[0]?.containers.map(({ id }) => id)).toEqual(['u1/main/2', 'u1/main/3'])
  })

  test('that fails says the end of its log, where asked to', async () => {
    const bench = new Bench({ restartPolicy: 'Never', main: [container('main', { terminationMessagePolicy: 'FallbackToLogsOnError' })] })
    await bench.clock.advance(0)
    bench.runtime.print('u1/main/0', `${'x'.repeat(3000)}\nout of luck\n`)
    bench.runtime.exit('u1/main/0', 1)
    await bench.clock.advance(0)
    expect(bench.status.phase).toBe('Failed')
    const message = bench.main?.state?.terminated?.message ?? ''
    expect(message.length).toBe(2048)
    expect(message.endsWith('out of luck\n')).toBe(true)
  })

  test('past its deadline is stopped and failed', async () => {
    const bench = new Bench({ spec: { activeDeadlineSeconds: 60, terminationGracePeriodSeconds: 5 } })
    await bench.clock.advance(59_000)
    expect(bench.status.phase).toBe('Running')
    await bench.clock.advance(1_000)
    expect(bench.status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
    bench.told()
    await bench.restartAgent()
    bench.worker.update(bench.worker.pod)
    await bench.clock.advance(100_000)
    expect(bench.status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
    expect(bench.told()).toEqual([])
  })
})

const hooks = (preStop: string): PodParts => ({ main: [container('main', { lifecycle: { preStop: { exec: { command: [preStop] } } } })] })

describe('a deleted pod', () => {
  test('runs preStop, is told to end, and is gone', async () => {
    const bench = new Bench({ ...hooks('bye'), spec: { terminationGracePeriodSeconds: 20 } }, { stopDelayMs: 3_000 })
    await bench.clock.advance(1_000)
    bench.told()
    bench.delete(20)
    await bench.clock.advance(2_999)
    expect(bench.released).toBe(false)
    await bench.clock.advance(1)
    expect(bench.told()).toEqual(['1s Killing: Stopping container main', '1s exec bye', '1s stop u1/main/0 20s'])
    expect(bench.released).toBe(true)
    expect(bench.main?.state?.terminated).toMatchObject({ exitCode: 143 })
    expect(await bench.runtime.listPods()).toEqual([])
  })

  test('that does not end in time is killed', async () => {
    const bench = new Bench({}, { stopDelayMs: 60_000 })
    await bench.clock.advance(0)
    bench.delete(10)
    await bench.clock.advance(10_000)
    expect(bench.main?.state?.terminated).toMatchObject({ exitCode: 137 })
    expect(bench.released).toBe(true)
  })

  test('keeps its sidecars until the end', async () => {
    const bench = new Bench({ init: [sidecar('s1'), sidecar('s2')], main: [container('a')] }, { stopDelayMs: 1_000 })
    await bench.clock.advance(0)
    bench.told()
    bench.delete(30)
    await bench.clock.advance(5_000)
    expect(bench.told().filter((line) => line.includes('stop'))).toEqual([
      '0s stop u1/a/0 30s',
      '1s stop u1/s2/0 29s',
      '2s stop u1/s1/0 28s',
    ])
  })

  test('a hook spends the same budget', async () => {
    const bench = new Bench({ main: [container('main', { lifecycle: { preStop: { sleep: { seconds: 7 } } } })] })
    await bench.clock.advance(0)
    bench.told()
    bench.delete(10)
    await bench.clock.advance(7_000)
    expect(bench.told()).toContain('7s stop u1/main/0 3s')
  })

  test('deleted again with less grace, is not kept waiting', async () => {
    const bench = new Bench({ main: [container('main', { lifecycle: { preStop: { sleep: { seconds: 25 } } } })] }, { stopDelayMs: 60_000 })
    await bench.clock.advance(0)
    bench.delete(30)
    await bench.clock.advance(2_000)
    bench.delete(1)
    await bench.clock.advance(1_000)
    expect(bench.main?.state?.terminated).toMatchObject({ exitCode: 137 })
    expect(bench.released).toBe(true)
  })

  test('goes on dying under the next agent, with the grace that is left', async () => {
    const bench = new Bench({}, { stopDelayMs: 60_000 })
    await bench.clock.advance(0)
    bench.delete(20)
    await bench.clock.advance(5_000)
    bench.told()
    await bench.restartAgent()
    await bench.clock.advance(0)
    expect(bench.told()).toEqual(['5s Killing: Stopping container main', '5s stop u1/main/0 15s'])
    await bench.clock.advance(15_000)
    expect(bench.released).toBe(true)
  })

  test('whose API object is gone is stopped too, and not reported', async () => {
    const bench = new Bench({})
    await bench.clock.advance(0)
    const before = bench.published.length
    bench.worker.remove()
    await bench.clock.advance(0)
    expect([bench.released, bench.published.length]).toEqual([true, before])
  })
})

describe('a start', () => {
  test('waits for a ConfigMap, which then appears', async () => {
    const bench = new Bench({})
    bench.resolve = () => {
      throw new ContainerConfigError('CreateContainerConfigError', 'configmap "c" not found')
    }
    await bench.clock.advance(3_000)
    expect(bench.main?.state).toEqual({ waiting: { reason: 'CreateContainerConfigError', message: 'configmap "c" not found' } })
    expect(bench.told()).toEqual(['0s Failed: Error: configmap "c" not found'])
    bench.resolve = () => {}
    await bench.clock.advance(1_000)
    expect(bench.status.phase).toBe('Running')
  })

  test('waits for a volume: FailedMount, and ContainerCreating', async () => {
    const bench = new Bench({})
    bench.volumes = () => {
      throw new VolumeError('conf', 'configmap "c" not found')
    }
    await bench.clock.advance(0)
    expect(bench.main?.state?.waiting?.reason).toBe('ContainerCreating')
    expect(bench.told()).toEqual(['0s FailedMount: MountVolume.SetUp failed for volume "conf" : configmap "c" not found'])
  })

  test('waits for a recipe, and goes on as soon as there is one', async () => {
    const bench = new Bench({})
    bench.resolve = () => {
      throw new RuntimeError('ImageNotRunnableAsProcess', 'image "x" has no recipe')
    }
    await bench.clock.advance(1_000)
    expect(bench.main?.state).toEqual({ waiting: { reason: 'ImageNotRunnableAsProcess', message: 'image "x" has no recipe' } })
    expect(bench.status.phase).toBe('Pending')
    bench.resolve = () => {}
    bench.worker.nudge()
    await bench.clock.advance(1_000)
    expect(bench.status.phase).toBe('Pending')
    bench.worker.recipesChanged()
    await bench.clock.advance(0)
    expect(bench.status.phase).toBe('Running')
  })

  test('of a program that is not there fails, then backs off once per try', async () => {
    const bench = new Bench({}, { plan: () => ({ startError: 'no such program' }) })
    await bench.clock.advance(0)
    expect(bench.main).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 128, reason: 'StartError', message: 'no such program' } },
    })
    await bench.clock.advance(35_000)
    expect(bench.main?.state?.waiting?.reason).toBe('CrashLoopBackOff')
    const tries = bench
      .told()
      .filter((line) => line.includes('Created'))
      .map((line) => line.split(' ')[0])
    expect(tries).toEqual(['0s', '0s', '10s', '30s'])
  })

  test('that the machine refuses is tried again soon', async () => {
    const bench = new Bench({})
    bench.resolve = () => {
      throw new RuntimeError('InvalidArgument', 'bad')
    }
    await bench.clock.advance(0)
    expect(bench.main?.state?.waiting).toEqual({ reason: 'CreateContainerError', message: 'bad' })
    bench.resolve = () => {}
    await bench.clock.advance(2_000)
    expect(bench.status.phase).toBe('Running')
  })

  test('whose postStart hook fails ends the container', async () => {
    const bench = new Bench({ main: [container('main', { lifecycle: { postStart: { exec: { command: ['warm-up'] } } } })] })
    bench.exec = () => bad('no')
    await bench.clock.advance(0)
    expect(bench.told().slice(1, 5)).toEqual([
      '0s Started: Container started: main',
      '0s exec warm-up',
      '0s FailedPostStartHook: PostStartHook failed: command exited with 1: no',
      '0s stop u1/main/0 30s',
    ])
  })

  test('is not ready before its postStart hook ends, and may be deleted meanwhile', async () => {
    const bench = new Bench({ main: [container('main', { lifecycle: { postStart: { sleep: { seconds: 20 } } } })] })
    await bench.clock.advance(5_000)
    expect(bench.main).toMatchObject({ state: { running: {} }, ready: false, started: false })
    bench.delete(30)
    await bench.clock.advance(0)
    expect(bench.released).toBe(true)
  })

  test('of another image follows when the pod names one', async () => {
    const bench = new Bench({})
    await bench.clock.advance(0)
    const { pod } = bench.worker
    bench.worker.update({ ...pod, spec: { ...pod.spec, containers: [container('main', { image: 'next' })] } })
    await bench.clock.advance(0)
    expect(bench.told()).toContain('0s Killing: Container main definition changed, will be restarted')
    expect(bench.main).toMatchObject({ restartCount: 1, containerID: 'fake://u1/main/1', state: { running: {} } })
  })
})

const probed = (probe: object): PodParts => ({ main: [container('main', { ...probe })] })
const exec = { exec: { command: ['check'] }, periodSeconds: 1 }

describe('probes', () => {
  test('liveness kills after its threshold, with the grace of the pod', async () => {
    const bench = new Bench({ ...probed({ livenessProbe: { ...exec, failureThreshold: 2 } }), spec: { terminationGracePeriodSeconds: 4 } })
    await bench.clock.advance(1_500)
    bench.told()
    bench.exec = () => bad('dead')
    await bench.clock.advance(1_500)
    expect(bench.told().slice(0, 5)).toEqual([
      '2s exec check',
      '2s Unhealthy: Liveness probe failed: dead',
      '3s exec check',
      '3s Unhealthy: Liveness probe failed: dead',
      '3s Killing: Container main failed liveness probe, will be restarted',
    ])
    expect(bench.main?.restartCount).toBe(1)
  })

  test('readiness and startup gate Ready', async () => {
    const bench = new Bench(probed({ startupProbe: { ...exec, failureThreshold: 30 }, readinessProbe: exec }))
    bench.exec = () => bad('starting')
    await bench.clock.advance(3_000)
    expect(bench.main).toMatchObject({ started: false, ready: false })
    bench.exec = () => ok
    await bench.clock.advance(2_000)
    expect(bench.main).toMatchObject({ started: true, ready: true })
  })

  test('a pod stays ready while it ends', async () => {
    const bench = new Bench(probed({ readinessProbe: exec }), { stopDelayMs: 5_000 })
    await bench.clock.advance(1_000)
    bench.delete(30)
    await bench.clock.advance(2_000)
    expect(bench.main).toMatchObject({ ready: true })
    bench.exec = () => bad('going')
    await bench.clock.advance(2_000)
    // failureThreshold is 3
    expect(bench.main).toMatchObject({ ready: true })
    await bench.clock.advance(1_000)
    expect(bench.released).toBe(true)
  })
})

describe('the next agent', () => {
  test('adopts what runs: no start, no stop, ready all the while, transition times kept', async () => {
    const bench = new Bench(probed({ readinessProbe: exec, startupProbe: exec }))
    await bench.clock.advance(60_000)
    const before = bench.status
    bench.told()
    await bench.restartAgent()
    await bench.clock.advance(60_000)
    expect(bench.published.at(-1)).toBe(before)
    bench.worker.update(bench.worker.pod)
    await bench.clock.advance(2_000)
    expect(bench.status).toEqual(before)
    expect(new Set(bench.told().map((line) => line.replace(/^\S+ /, '')))).toEqual(new Set(['exec check']))
  })

  test('reports what ended meanwhile, and starts it again', async () => {
    const bench = new Bench({})
    await bench.clock.advance(30_000)
    bench.told()
    await bench.restartAgent(async () => {
      bench.runtime.exit('u1/main/0', 9)
      await bench.clock.advance(5_000)
    })
    bench.worker.update(bench.worker.pod)
    await bench.clock.advance(0)
    expect(bench.main).toMatchObject({
      restartCount: 1,
      state: { running: {} },
      lastState: { terminated: { exitCode: 9, containerID: 'fake://u1/main/0' } },
    })
  })

  test('says nothing of a pod before the API server does', async () => {
    const bench = new Bench({})
    await bench.clock.advance(0)
    const before = bench.published.length
    await bench.restartAgent()
    await bench.clock.advance(20_000)
    expect(bench.published.length).toBe(before)
  })
})
