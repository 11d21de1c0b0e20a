import fc from 'fast-check'
import { expect, it } from 'vitest'
import { OverlayMap, OverlaySet } from './overlay.ts'

const NAMES = Array.from({ length: 120 }, (_, i) => `n${i}`)
const name = fc.constantFrom(...NAMES)
const version = fc.constantFrom('1', '2', '3')
const step = fc.oneof(
  fc.record({ does: fc.constant('set' as const), name, version }),
  fc.record({ does: fc.constant('delete' as const), name }),
  fc.record({ does: fc.constant('fill' as const), version }),
  fc.record({ does: fc.constant('settle' as const), base: fc.dictionary(name, version, { minKeys: 0, maxKeys: 120 }), all: fc.boolean() }),
)

it('are what a plain map and a plain set are, whatever they are based on', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const [map, plainMap] = [new OverlayMap<{ version: string }>(), new Map<string, { version: string }>()]
      const [set, plainSet] = [new OverlaySet(), new Set<string>()]
      const put = (key: string, text: string): void => {
        map.set(key, { version: text })
        plainMap.set(key, { version: text })
        set.add(key)
        plainSet.add(key)
      }
      for (const one of steps) {
        if (one.does === 'set') put(one.name, one.version)
        else if (one.does === 'fill') for (const key of NAMES) put(key, one.version)
        else if (one.does === 'delete') {
          map.delete(one.name)
          plainMap.delete(one.name)
          expect(set.delete(one.name)).toBe(plainSet.delete(one.name))
        } else {
          const base = new Map(
            Object.entries(one.all ? Object.fromEntries(NAMES.map((key) => [key, '2'])) : one.base).map(([key, text]) => [
              key,
              { version: text },
            ]),
          )
          map.settle(base)
          set.settle(new Set(base.keys()))
        }
        expect(map.size).toBe(plainMap.size)
        expect(set.size).toBe(plainSet.size)
      }
      expect(Object.fromEntries(map)).toEqual(Object.fromEntries(plainMap))
      expect([...map.keys()].toSorted()).toEqual([...plainMap.keys()].toSorted())
      expect([...set].toSorted()).toEqual([...plainSet].toSorted())
      for (const key of NAMES) {
        expect(map.get(key)).toEqual(plainMap.get(key))
        expect(set.has(key)).toBe(plainSet.has(key))
      }
    }),
  )
})
