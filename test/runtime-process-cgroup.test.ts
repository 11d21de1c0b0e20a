import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ContainerConfig } from '../src/data-plane/node/runtimes/process/container-record.ts'
import { RuntimeFixture } from './runtime-process-fixture.ts'

const probed = new RuntimeFixture()
const { capabilities } = await probed.runtime().probe()
await probed.close()
const missing = capabilities.limits && / cgroup2 /.test(readFileSync('/proc/self/mounts', 'utf8')) ? '' : 'needs root and cgroup2'

describe.skipIf(missing !== '')(`the cgroup that the kernel knows a pod by${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let fixture: RuntimeFixture
  beforeEach(() => {
    fixture = new RuntimeFixture()
  })
  afterEach(() => fixture.close())

  /** What the pod's processes are in, of version 2. */
  const cgroupOf = (pid: number | undefined): string => /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? ''

  test('is there before its first container, holds all of them and what is run beside them, and goes with the pod', async () => {
    const runtime = fixture.runtime()
    const { cgroup } = await runtime.ensureSandbox({ metadata: { name: 'p', uid: 'p' } })
    expect(existsSync(cgroup?.path ?? '')).toBe(true)
    const below = `/${(cgroup?.path ?? '')
      .split('/')
      .slice(-(cgroup?.level ?? 0))
      .join('/')}`
    expect(below).toMatch(/^\/biplane\/test-[0-9a-f]{8}\/p$/)
    for (const restartCount of [0, 1]) {
      const id = await fixture.start(runtime, ['sleep', '1000'], { uid: 'p', restartCount })
      const { pid } = (await runtime.status(id)) ?? {}
      expect(cgroupOf(pid)).toBe(`${below}/main.${restartCount}`)
      const beside = await runtime.execSync(id, ['cat', '/proc/self/cgroup'], 5_000)
      expect(Buffer.from(beside.stdout).toString()).toContain(`0::${below}/main.${restartCount}`)
      await runtime.stopContainer(id, { graceMs: 0 })
      expect(existsSync(cgroup?.path ?? '')).toBe(true)
    }
    await runtime.removeSandbox('p')
    expect(existsSync(cgroup?.path ?? '')).toBe(false)
  })

  test('is none for a pod of the network of its node', async () => {
    const runtime = fixture.runtime()
    expect(
      (await runtime.ensureSandbox({ metadata: { name: 'h', uid: 'h' }, spec: { containers: [], hostNetwork: true } })).cgroup,
    ).toBeUndefined()
  })

  test('is none while a process runs that has never come into it', async () => {
    const before = fixture.runtime()
    const id = await fixture.start(before, ['sleep', '1000'], { uid: 'old' })
    const { sandbox } = (await before.listPods())[0] ?? {}
    await before.close()
    // as an earlier version of the agent has started it
    const path = join(fixture.rootDir, 'pods/old/containers/main/0/config.json')
    const config = JSON.parse(readFileSync(path, 'utf8')) as ContainerConfig
    const cgroups = config.surroundings.cgroups.filter((dir) => !dir.startsWith(`${sandbox?.cgroup?.path}/`))
    writeFileSync(path, JSON.stringify({ ...config, surroundings: { ...config.surroundings, cgroups } }))
    const after = fixture.runtime()
    expect((await after.listPods()).map((pod) => pod.sandbox.cgroup)).toEqual([undefined])
    await after.stopContainer(id, { graceMs: 0 })
    expect((await after.listPods()).map((pod) => pod.sandbox.cgroup)).toEqual([sandbox?.cgroup])
  })
})
