import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta/object.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler } from './index.ts'
import { worldOfObjects } from './test-world.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const read = (folder: string): readonly KubeObject[] =>
  readdirSync(folder).flatMap((file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { objects: KubeObject[] }).objects)
const policies = join(import.meta.dirname, '../policies')
const OBJECTS = new Map(
  [
    ...read(join(import.meta.dirname, 'golden')),
    ...readdirSync(policies, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => read(join(policies, name, 'golden'))),
  ].map((object) => [`${object.kind} ${object.metadata.namespace} ${object.metadata.name} ${JSON.stringify(object).length}`, object]),
)
/** Objects of Kuma and of Gateway API, which people write; those of the cluster's own kinds stay as they are. */
const WRITTEN = [...OBJECTS.values()].filter(({ apiVersion = '' }) => apiVersion.includes('.'))
const REST = [...OBJECTS.values()].filter((object) => !WRITTEN.includes(object))

/** Replaces a value somewhere in a spec by another. `path`: which of the members, level by level. */
function changed(value: Json, path: readonly number[], by: Json): Json {
  const [first, ...others] = path
  if (first === undefined || typeof value !== 'object' || value === null) return by
  const keys = Object.keys(value)
  if (keys.length === 0) return by
  const key = keys[first % keys.length]!
  if (Array.isArray(value)) return value.map((item, i) => (String(i) === key ? changed(item, others, by) : item))
  return { ...value, [key]: changed(value[key] ?? null, others, by) }
}

const arbitraryChange = fc.record({
  at: fc.nat(WRITTEN.length - 1),
  path: fc.array(fc.nat(6), { minLength: 1, maxLength: 7 }),
  by: fc.oneof(
    fc.constantFrom<Json>(null, '', 'x', '(', -1, 0, 1e9, true, [], {}, [null], '1s', '*', 'a/b'),
    fc.jsonValue({ maxDepth: 2 }).map((value) => value as Json),
  ),
})

test('whatever objects say, all proxies are compiled, and what is whole has its effect', () => {
  fc.assert(
    fc.property(fc.array(arbitraryChange, { minLength: 1, maxLength: 6 }), fc.boolean(), (changes, isStatusToo) => {
      const written = [...WRITTEN]
      for (const { at, path, by } of changes) {
        const { spec, status, ...rest } = written[at] as KubeObject & { spec?: Json; status?: Json }
        const parts = isStatusToo ? { spec: spec ?? {}, status: status ?? {} } : { spec: spec ?? {} }
        written[at] = { ...rest, ...(changed(parts, path, by) as object) } as KubeObject
      }
      const { world, proxies } = worldOfObjects([...REST, ...written], { defaults: true })
      expect(proxies.length).toBeGreaterThan(0)
      const compiler = new Compiler(world, POLICY_PLUGINS)
      for (const proxy of proxies) {
        const { resources } = compiler.compile(proxy)
        expect(resources.filter(({ type }) => type === 'proxy')).toHaveLength(1)
        // whatever else is wrong: addresses of services of the cluster are known, and ports of the application
        const names = new Set(resources.map(({ value }) => value.name))
        for (const port of proxy.kind === 'sidecar' ? proxy.ports : []) {
          if (proxy.dataPlane !== 'grpc') expect(names).toContain(`inbound|${port.port}`)
        }
        const wantsAll = proxy.kind === 'sidecar' && proxy.dataPlane !== 'grpc' && !proxy.reachable
        for (const service of wantsAll ? world.services.values() : []) {
          if (service.kind !== 'Service') continue
          for (const vip of service.vips) for (const { port } of service.ports) expect(names).toContain(`outbound|${vip}|${port}`)
        }
      }
    }),
    { numRuns: 40 },
  )
}, 60_000)
