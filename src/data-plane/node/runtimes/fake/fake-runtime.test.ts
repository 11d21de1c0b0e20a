import { expect, test } from 'vitest'
import { FakeClock } from '../../../../base/fake-clock.ts'
import { describeRuntime } from '../conformance.ts'
import { createFakeRuntime } from './index.ts'

describeRuntime('fake', async () => {
  const clock = new FakeClock()
  const runtime = createFakeRuntime({ clock, startDelayMs: 20, stopDelayMs: 50 })
  return {
    runtime,
    program: async () => ({ command: ['program'], env: {} }),
    print: async (id, line) => {
      await clock.advance(1)
      runtime.print(id, `${line}\n`)
    },
    finish: async (id, exitCode) => {
      await clock.advance(1)
      runtime.exit(id, exitCode)
    },
    during: async (work) => {
      await clock.advance(100)
      return work
    },
    until: async (holds) => {
      await clock.advance(100)
      expect(await holds()).toBe(true)
    },
    close: () => runtime.close(),
  }
})

const container = { name: 'main', image: 'x', restartCount: 0, command: ['x'], env: {}, mounts: [], limits: {} }

test('a planned container ends by itself, and a planned start error fails the start', async () => {
  const clock = new FakeClock()
  const runtime = createFakeRuntime({
    clock,
    plan: (spec) => (spec.name === 'main' ? { exitAfterMs: 1000, exitCode: 7 } : { startError: 'no such program' }),
  })
  const sandbox = await runtime.ensureSandbox({ metadata: { name: 'p', uid: 'p' } })
  const id = await runtime.createContainer(sandbox, container)
  await runtime.startContainer(id)
  await clock.advance(999)
  expect((await runtime.status(id))?.state).toBe('running')
  await clock.advance(1)
  expect(await runtime.status(id)).toMatchObject({ state: 'exited', exitCode: 7, reason: 'Error' })
  const broken = await runtime.createContainer(sandbox, { ...container, name: 'broken' })
  await expect(runtime.startContainer(broken)).rejects.toMatchObject({ code: 'StartError', message: 'no such program' })
  expect(await runtime.status(broken)).toMatchObject({ state: 'exited', exitCode: 128, reason: 'StartError' })
})

test('ten thousand pods hold no timer once they run', async () => {
  const clock = new FakeClock()
  const runtime = createFakeRuntime({ clock, startDelayMs: 10 })
  const started = Array.from({ length: 10_000 }, async (_, index) => {
    const sandbox = await runtime.ensureSandbox({ metadata: { name: `p${index}`, uid: `p${index}` } })
    await runtime.startContainer(await runtime.createContainer(sandbox, container))
  })
  await clock.advance(10)
  await Promise.all(started)
  const pods = await runtime.listPods()
  expect(pods.every((pod) => pod.containers[0]?.state === 'running')).toBe(true)
  expect(new Set(pods.map((pod) => pod.sandbox.ips[0])).size).toBe(10_000)
  expect(clock.timers).toBe(0)
})
