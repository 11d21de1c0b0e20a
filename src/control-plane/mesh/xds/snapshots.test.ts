import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClusterLoadAssignment } from '../../../policy/traffic/model/index.ts'
import { TYPE_URL } from '../../../policy/traffic/model/index.ts'
import { biplaneGenerator } from './biplane-generator.ts'
import type { Generator, ResourceChange, SourceResource } from './contract.ts'
import { SnapshotStore } from './snapshots.ts'

const E = TYPE_URL.endpoints
const endpoints = (name: string, ...addresses: string[]): SourceResource<ClusterLoadAssignment> => ({
  type: 'endpoints',
  value: { name, endpoints: addresses.map((address) => ({ address: { address, port: 80 }, state: 'ready' as const })) },
  origins: [],
})

function counting(): { generator: Generator; made: string[] } {
  const made: string[] = []
  const generate: Generator['generate'] = (proxy, resources) => {
    made.push(...resources.map(({ value }) => value.name))
    return biplaneGenerator.generate(proxy, resources)
  }
  return { generator: { ...biplaneGenerator, generate }, made }
}

describe('the store of snapshots', () => {
  it('makes and compares what proxies have in common once, and tells all of them together', () => {
    const { generator, made } = counting()
    const store = new SnapshotStore([generator])
    const shared = [endpoints('a', '1'), endpoints('b', '1')]
    const proxies = Array.from({ length: 100 }, (_, i) => ({ proxy: `p${i}`, kind: 'biplane' as const, own: [endpoints(`own${i}`)] }))
    store.apply(proxies.map((one) => ({ ...one, shared })))
    expect(made.filter((name) => !name.startsWith('own'))).toEqual(['a', 'b'])
    made.length = 0
    const changes: ResourceChange[] = []
    store.onChange((change) => changes.push(change))
    const next = [shared[0] as SourceResource, endpoints('b', '1', '2')]
    store.apply(proxies.map((one) => ({ ...one, shared: next })))
    expect(made).toEqual(['b'])
    expect(changes).toEqual([{ proxies: new Set(proxies.map(({ proxy }) => proxy)), names: new Map([[E, new Set(['b'])]]), urgent: false }])
    store.apply(proxies.map((one) => ({ ...one, shared: next })))
    expect(changes).toHaveLength(1)
    store.apply(
      [],
      proxies.map(({ proxy }) => proxy),
    )
    expect(store.size).toBe(0)
  })

  it('says that an endpoint that is gone is urgent', () => {
    const store = new SnapshotStore([biplaneGenerator])
    const changes: ResourceChange[] = []
    store.onChange((change) => changes.push(change))
    store.set('p', 'biplane', [], [endpoints('a', '1', '2')])
    store.set('p', 'biplane', [], [endpoints('a', '1')])
    store.set('p', 'biplane', [], [endpoints('a', '1', '3')])
    expect(changes.map(({ urgent }) => urgent)).toEqual([false, true, false])
  })

  it('changes nothing when one of many cannot be made', () => {
    const store = new SnapshotStore([biplaneGenerator])
    store.set('p', 'biplane', [endpoints('a', '1')])
    const version = store.resource('p', E, 'a')?.version
    const twice = [endpoints('b', '1'), endpoints('b', '2')]
    const apply = (): void =>
      store.apply([
        { proxy: 'p', kind: 'biplane', own: [endpoints('a', '2')] },
        { proxy: 'q', kind: 'biplane', own: [], shared: twice },
      ])
    expect(apply).toThrow('two resources of')
    expect(store.resource('p', E, 'a')?.version).toBe(version)
    expect(store.size).toBe(1)
  })

  it('holds after any changes what one holds that got the last of them alone, and tells each difference', () => {
    const layer = fc.uniqueArray(fc.record({ name: fc.nat(5), address: fc.nat(3) }), { selector: ({ name }) => name, maxLength: 6 })
    const round = fc.record({
      shared: fc.array(layer, { minLength: 2, maxLength: 2 }),
      own: fc.array(fc.tuple(fc.nat(1), layer), { maxLength: 4 }),
    })
    const listed = (store: SnapshotStore, proxy: string): Map<string, string | undefined> =>
      new Map([...store.names(proxy, E)].toSorted().map((name) => [name, store.resource(proxy, E, name)?.version] as const))
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 6 }), (rounds) => {
        const store = new SnapshotStore([biplaneGenerator])
        const told = new Map<string, Set<string> | 'all'>()
        store.onChange(({ proxies = [], names }) => {
          for (const proxy of proxies) {
            const known = told.get(proxy) ?? new Set<string>()
            if (!names || known === 'all') told.set(proxy, 'all')
            else told.set(proxy, new Set([...known, ...(names.get(E) ?? [])]))
          }
        })
        let before = new Map<string, Map<string, string | undefined>>()
        for (const { shared, own } of rounds) {
          told.clear()
          const layers = shared.map((one) => one.map(({ name, address }) => endpoints(`s${name}`, `${address}`)))
          const wanted = own.map(([which, alone], i) => ({
            proxy: `p${i}`,
            kind: 'biplane' as const,
            own: alone.map(({ name, address }) => endpoints(`o${name}`, `${address}`)),
            shared: layers[which] ?? [],
          }))
          const names = new Set(wanted.map(({ proxy }) => proxy))
          store.apply(
            wanted,
            [...before.keys()].filter((proxy) => !names.has(proxy)),
          )
          const fresh = new SnapshotStore([biplaneGenerator])
          fresh.apply(wanted)
          const now = new Map([...names].map((proxy) => [proxy, listed(store, proxy)] as const))
          for (const proxy of names) expect(now.get(proxy)).toEqual(listed(fresh, proxy))
          expect(store.size).toBe(fresh.size)
          for (const [proxy, is] of now) {
            const was = before.get(proxy) ?? new Map<string, string>()
            const said = told.get(proxy)
            if (said === 'all') continue
            for (const name of new Set([...is.keys(), ...was.keys()])) if (is.get(name) !== was.get(name)) expect(said).toContain(name)
          }
          before = now
        }
      }),
    )
  })
})
