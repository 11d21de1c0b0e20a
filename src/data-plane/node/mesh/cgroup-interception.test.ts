import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { CgroupInterception, cgroupInterceptionProblem } from './cgroup-interception.ts'

const dir = mkdtempSync(join(tmpdir(), 'biplane-cgroup-'))
afterAll(() => rmSync(dir, { recursive: true }))
const cgroup = { path: dir, level: 3 }
const IP = '127.64.1.2'

const meshed = (uid: string): Pod => ({
  metadata: { name: uid, uid },
  spec: { containers: [], initContainers: [{ name: 'biplane-proxy' }] },
})
const plain = (uid: string): Pod => ({ metadata: { name: uid, uid }, spec: { containers: [] } })
const hosted = (uid: string): Pod => ({
  metadata: { name: uid, uid, annotations: { 'biplane.dev/sidecar': 'node' } },
  spec: { containers: [] },
})

/** Addresses that a transaction puts rules in force for; undefined: it is another table's. */
const addresses = (text: string): readonly string[] | undefined =>
  text.startsWith('table ip t\n') ? [...text.matchAll(/chain in-(\S+)/g)].map(([, ip]) => ip as string) : undefined

function lab(run: (text: string) => Promise<void> = () => Promise.resolve()): {
  interception: CgroupInterception
  clock: FakeClock
  done: (readonly string[])[]
} {
  const done: (readonly string[])[] = []
  const nft = {
    run: async (text: string) => {
      await run(text)
      const found = addresses(text)
      if (found) done.push(found)
    },
    foreignChanges: async function* (tables: readonly string[], signal: AbortSignal) {
      expect(tables).toEqual(['ip t'])
      yield { family: 'ip', table: 't', pid: 1, process: 'nft' }
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
    close: () => {},
  }
  const clock = new FakeClock()
  return { interception: new CgroupInterception({ table: 't', nft, clock, log: silentLogger }), clock, done }
}

test('an earlier table is replaced once, by the pods that were found: none is left without rules in between', async () => {
  const { interception, done } = lab()
  const first = [interception.protect(meshed('a'), [IP], cgroup), interception.protect(meshed('b'), ['127.64.1.3'], cgroup)]
  expect(done).toEqual([])
  await interception.begin()
  await Promise.all(first)
  expect(done).toEqual([[IP, '127.64.1.3']])
})

test('a table that was left without pods is removed', async () => {
  const { interception, done } = lab()
  await interception.begin()
  expect(done).toEqual([[]])
})

test.each([
  ['without a proxy', plain('a'), cgroup],
  ['that the proxy of the node serves', hosted('a'), cgroup],
  ['that the kernel cannot tell from others', meshed('a'), undefined],
])('a pod %s changes nothing', async (_what, pod, its) => {
  const { interception, done } = lab()
  await interception.begin()
  await interception.protect(pod, [IP], its)
  interception.release('a')
  await interception.begin()
  expect(done).toEqual([[], []])
})

test('who ask at the same time get one transaction, and rules go with their pod', async () => {
  const { interception, done } = lab()
  await interception.begin()
  await Promise.all(['2', '3', '4'].map((last) => interception.protect(meshed(last), [`127.64.1.${last}`], cgroup)))
  interception.release('3')
  interception.release('2')
  await interception.remove()
  expect(done).toEqual([[], [IP, '127.64.1.3', '127.64.1.4'], []])
})

test('an address that was given to another pod has no rules of the one before when that pod starts', async () => {
  const { interception, done } = lab()
  await interception.begin()
  await interception.protect(meshed('a'), [IP], cgroup)
  await interception.protect(plain('b'), [IP], cgroup)
  expect(done).toEqual([[], [IP], []])
})

test('a refusal keeps the pod from starting, and the next attempt is its own', async () => {
  let refusals = 1
  const { interception, done } = lab((text) =>
    text.includes(IP) && refusals-- > 0 ? Promise.reject(new Error('refused')) : Promise.resolve(),
  )
  await interception.begin()
  await expect(interception.protect(meshed('a'), [IP], cgroup)).rejects.toThrow('refused')
  await interception.protect(meshed('a'), [IP], cgroup)
  expect(done).toEqual([[], [IP]])
})

test('a pod whose cgroup has gone does not keep others from being protected', async () => {
  const texts: string[] = []
  const { interception } = lab((text) => (texts.push(text), Promise.resolve()))
  await interception.begin()
  await interception.protect(meshed('a'), [IP], { path: join(dir, 'gone'), level: 3 })
  expect(texts.at(-1)).toContain(`chain in-${IP}`)
  expect(texts.at(-1)).not.toContain('gone')
})

test('a pod whose cgroup goes while the kernel is told of it costs the others nothing', async () => {
  const going = join(dir, 'going')
  mkdirSync(going)
  const { interception, done } = lab((text) => {
    if (!text.includes(going)) return Promise.resolve()
    rmdirSync(going)
    return Promise.reject(new Error('cgroupv2 path fails: No such file or directory'))
  })
  await interception.begin()
  await interception.protect(meshed('a'), [IP], { path: going, level: 3 })
  expect(done).toEqual([[], [IP]])
})

test('what another program has changed is put right, however often that takes', async () => {
  let refusals = 2
  const { interception, clock, done } = lab(() =>
    done.length > 0 && refusals-- > 0 ? Promise.reject(new Error('busy')) : Promise.resolve(),
  )
  const first = interception.protect(meshed('a'), [IP], cgroup)
  await interception.begin()
  await first
  const stop = new AbortController()
  const running = interception.run(stop.signal)
  for (let i = 0; i < 3; i++) {
    await clock.advance(2_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(refusals).toBe(-1)
  expect(done).toEqual([[IP], [IP]])
  stop.abort()
  await running
})

test('a machine whose kernel refuses such rules cannot do it, and says why', async () => {
  const nft = { run: () => Promise.reject(new Error('no such expression')), close: () => {} }
  expect(await cgroupInterceptionProblem({ nft, table: 't' })).toMatch(/cgroup|no such expression/)
})
