import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import type { LogOptions, ResolvedContainer, Runtime, RuntimeError, Sandbox } from '../runtime.ts'

/** A runtime under test, and hands to play the part of its containers. */
export interface RuntimeHarness {
  readonly runtime: Runtime
  /** A command, with its variables, that runs until `finish` and prints what `print` says. */
  program(name: string): Promise<Pick<ResolvedContainer, 'command' | 'env'>>
  print(id: string, line: string): Promise<void>
  finish(id: string, exitCode: number): Promise<void>
  /** Lets time pass until `work` settles. */
  during<T>(work: Promise<T>): Promise<T>
  /** Lets time pass until `test` holds. */
  until(test: () => Promise<boolean>): Promise<void>
  close(): Promise<void>
}

/** What every Runtime must do, whatever runs the containers. */
export function describeRuntime(name: string, open: () => Promise<RuntimeHarness>): void {
  describe(`runtime conformance: ${name}`, () => {
    let harness: RuntimeHarness
    let runtime: Runtime

    beforeEach(async () => {
      harness = await open()
      runtime = harness.runtime
    })
    afterEach(() => harness.close())

    async function create(sandbox: Sandbox, overrides: Partial<ResolvedContainer> = {}): Promise<string> {
      const program = await harness.program(`${sandbox.podUid}-${overrides.name ?? 'main'}-${overrides.restartCount ?? 0}`)
      const base = { name: 'main', image: 'host', restartCount: 0, mounts: [], limits: {} }
      return runtime.createContainer(sandbox, { ...base, ...program, ...overrides })
    }

    async function run(uid: string, overrides: Partial<ResolvedContainer> = {}): Promise<string> {
      const id = await create(await runtime.ensureSandbox(podOf(uid)), overrides)
      await harness.during(runtime.startContainer(id))
      return id
    }

    async function exited(id: string): Promise<void> {
      await harness.until(async () => (await runtime.status(id))?.state === 'exited')
    }

    async function logsOf(id: string, options: LogOptions): Promise<string> {
      const chunks: Uint8Array[] = []
      for await (const chunk of runtime.logs(id, options, new AbortController().signal)) chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    }

    test('a sandbox is made once, and records what changed in its pod', async () => {
      const first = await runtime.ensureSandbox(podOf('a'))
      const other = await runtime.ensureSandbox(podOf('b'))
      expect(await runtime.ensureSandbox(podOf('a', { changed: 'yes' }))).toEqual(first)
      expect(first.ips).not.toEqual(other.ips)
      const found = (await runtime.listPods()).find((pod) => pod.sandbox.podUid === 'a')
      expect(found?.pod.metadata.labels).toEqual({ changed: 'yes' })
      expect(found?.sandbox).toEqual(first)
    })

    test('a pod on the host network has the host’s address', async () => {
      const pod = podOf('a')
      expect((await runtime.ensureSandbox({ ...pod, spec: { ...pod.spec, containers: [], hostNetwork: true } })).ips).toEqual(['127.0.0.1'])
    })

    test('a container is created, then runs, then has ended with its code', async () => {
      const id = await create(await runtime.ensureSandbox(podOf('a')))
      expect(await runtime.status(id)).toMatchObject({ id, podUid: 'a', name: 'main', restartCount: 0, image: 'host', state: 'created' })
      await harness.during(runtime.startContainer(id))
      const running = await runtime.status(id)
      expect(running).toMatchObject({ state: 'running', startedAtMs: expect.any(Number) })
      await harness.finish(id, 42)
      await exited(id)
      const ended = await runtime.status(id)
      expect(ended).toMatchObject({ state: 'exited', exitCode: 42, reason: 'Error', startedAtMs: running?.startedAtMs })
      expect(ended?.finishedAtMs).toBeGreaterThanOrEqual(ended?.startedAtMs ?? Infinity)
      expect((await runtime.listPods())[0]?.containers).toEqual([ended])
    })

    test('exit code 0 is Completed', async () => {
      const id = await run('a')
      await harness.finish(id, 0)
      await exited(id)
      expect(await runtime.status(id)).toMatchObject({ exitCode: 0, reason: 'Completed' })
    })

    test('an end is announced', async () => {
      const id = await run('a')
      const stop = new AbortController()
      const events = runtime.events(stop.signal)[Symbol.asyncIterator]()
      const next = events.next()
      await runtime.listPods()
      await harness.finish(id, 1)
      expect(await harness.during(next)).toEqual({ done: false, value: { podUid: 'a' } })
      stop.abort()
      expect((await harness.during(events.next())).done).toBe(true)
    })

    test('stop ends a container by its signal, and may be repeated', async () => {
      const id = await run('a')
      await harness.during(runtime.stopContainer(id, { graceMs: 10_000 }))
      expect(await runtime.status(id)).toMatchObject({ state: 'exited', exitCode: 143, reason: 'Error' })
      await harness.during(runtime.stopContainer(id, { graceMs: 10_000 }))
      expect(await runtime.status(id)).toMatchObject({ exitCode: 143 })
      await runtime.stopContainer('gone/main/0', { graceMs: 1 })
    })

    test('stop without grace kills', async () => {
      const id = await run('a')
      await harness.during(runtime.stopContainer(id, { graceMs: 0 }))
      expect(await runtime.status(id)).toMatchObject({ state: 'exited', exitCode: 137, reason: 'Error' })
    })

    test('a container that was stopped before its start never starts', async () => {
      const id = await create(await runtime.ensureSandbox(podOf('a')))
      await harness.during(runtime.stopContainer(id, { graceMs: 1000 }))
      expect(await runtime.status(id)).toMatchObject({ state: 'exited', exitCode: 137 })
      await expect(runtime.startContainer(id)).rejects.toMatchObject({ code: 'InvalidArgument' } satisfies Partial<RuntimeError>)
    })

    test('every start has its own id; what started once cannot be created again', async () => {
      const sandbox = await runtime.ensureSandbox(podOf('a'))
      const first = await create(sandbox)
      expect(await create(sandbox)).toBe(first)
      await harness.during(runtime.startContainer(first))
      await harness.during(runtime.startContainer(first))
      await expect(create(sandbox)).rejects.toMatchObject({ code: 'InvalidArgument' })
      await harness.finish(first, 3)
      await exited(first)
      await expect(runtime.startContainer(first)).rejects.toMatchObject({ code: 'InvalidArgument' })
      const second = await create(sandbox, { restartCount: 1 })
      await harness.during(runtime.startContainer(second))
      const { containers } = (await runtime.listPods())[0] ?? { containers: [] }
      expect(containers.map(({ id, state, restartCount }) => [id, state, restartCount])).toEqual([
        [first, 'exited', 0],
        [second, 'running', 1],
      ])
    })

    test('what runs cannot be removed; what has ended can, with its pod', async () => {
      const id = await run('a')
      await expect(runtime.removeContainer(id)).rejects.toMatchObject({ code: 'InvalidArgument' })
      await expect(runtime.removeSandbox('a')).rejects.toMatchObject({ code: 'InvalidArgument' })
      await harness.during(runtime.stopContainer(id, { graceMs: 10_000 }))
      await runtime.removeContainer(id)
      await runtime.removeContainer(id)
      expect(await runtime.status(id)).toBeUndefined()
      await runtime.removeSandbox('a')
      await runtime.removeSandbox('a')
      expect(await runtime.listPods()).toEqual([])
    })

    test('unknown and impossible ids are told apart', async () => {
      expect(await runtime.status('gone/main/0')).toBeUndefined()
      await expect(runtime.startContainer('gone/main/0')).rejects.toMatchObject({ code: 'NotFound' })
      await expect(runtime.startContainer('nonsense')).rejects.toMatchObject({ code: 'InvalidArgument' })
      await expect(create({ podUid: 'gone', ips: [], dir: '/nonexistent' })).rejects.toMatchObject({ code: 'NotFound' })
      const sandbox = await runtime.ensureSandbox(podOf('a'))
      await expect(create(sandbox, { command: [] })).rejects.toMatchObject({ code: 'InvalidArgument' })
    })

    test('commands run only beside a running container', async () => {
      const id = await run('a')
      expect(await harness.during(runtime.execSync(id, ['true'], 10_000))).toMatchObject({ exitCode: 0 })
      await harness.finish(id, 0)
      await exited(id)
      await expect(runtime.execSync(id, ['true'], 10_000)).rejects.toMatchObject({ code: 'InvalidArgument' })
    })

    test('logs: all, the tail, a limit, and times', async () => {
      const id = await run('a')
      for (const line of ['one', 'two', 'three']) await harness.print(id, line)
      await harness.until(async () => (await logsOf(id, {})) === 'one\ntwo\nthree\n')
      expect(await logsOf(id, { tailLines: 2 })).toBe('two\nthree\n')
      expect(await logsOf(id, { tailLines: 0 })).toBe('')
      expect(await logsOf(id, { tailLines: 99 })).toBe('one\ntwo\nthree\n')
      expect(await logsOf(id, { limitBytes: 6 })).toBe('one\ntw')
      expect(await logsOf(id, { sinceMs: 0 })).toBe('one\ntwo\nthree\n')
      expect(await logsOf(id, { timestamps: true })).toMatch(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (one|two|three)\n){3}$/)
    })

    test('following a log ends with the container, or when asked to', async () => {
      const id = await run('a')
      await harness.print(id, 'before')
      const followed = logsOf(id, { follow: true })
      const stop = new AbortController()
      const aborted = (async () => {
        for await (const chunk of runtime.logs(id, { follow: true }, stop.signal)) if (chunk.length > 0) stop.abort()
      })()
      await harness.during(aborted)
      await harness.print(id, 'after')
      await harness.finish(id, 0)
      expect(await harness.during(followed)).toBe('before\nafter\n')
    })

    test('usage tells of running containers only', async () => {
      const id = await run('a')
      const idle = await create(await runtime.ensureSandbox(podOf('b')))
      const sample = await runtime.usage()
      expect(sample.get(id)).toMatchObject({ memoryBytes: expect.any(Number), cpuNanos: expect.any(BigInt) })
      expect(sample.has(idle)).toBe(false)
      await harness.during(runtime.stopContainer(id, { graceMs: 10_000 }))
      expect((await runtime.usage()).size).toBe(0)
    })
  })
}

function podOf(uid: string, labels: Record<string, string> = {}): Pod {
  return { metadata: { name: `pod-${uid}`, namespace: 'default', uid, labels }, spec: { containers: [{ name: 'main' }] } }
}
