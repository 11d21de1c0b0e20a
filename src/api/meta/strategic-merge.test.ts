import { describe, expect, test } from 'vitest'
import { isStatus, messageOf, type StatusReason } from '../../base/errors.ts'
import type { PatchSchema } from '../schema/patch-schema.ts'
import { applyStrategicMergePatch } from './strategic-merge.ts'

interface Shape {
  readonly key?: string
  readonly strategies?: PatchSchema['strategies']
  readonly fields?: Readonly<Record<string, Shape>>
}

/** A schema by example: `fields` of a list are those of its elements. */
function schemaOf(shape: Shape): PatchSchema {
  return {
    property: (name) =>
      Object.hasOwn(shape.fields ?? {}, name) ? schemaOf((shape.fields as Record<string, Shape>)[name] as Shape) : undefined,
    items: () => schemaOf({ fields: shape.fields ?? {} }),
    ...(shape.key === undefined ? {} : { mergeKey: shape.key }),
    strategies: shape.strategies ?? [],
  }
}

const POD = schemaOf({
  fields: {
    metadata: { fields: { labels: {}, finalizers: { strategies: ['merge'] } } },
    spec: {
      fields: {
        containers: {
          key: 'name',
          strategies: ['merge'],
          fields: { ports: { key: 'containerPort', strategies: ['merge'] }, env: { key: 'name', strategies: ['merge'] }, args: {} },
        },
        volumes: { key: 'name', strategies: ['merge', 'retainKeys'], fields: { emptyDir: {}, configMap: {} } },
        tolerations: {},
        strategy: { strategies: ['retainKeys'], fields: { rollingUpdate: {} } },
        whole: { strategies: ['replace'] },
        broken: { strategies: ['merge'] },
      },
    },
  },
})

const apply = (original: object, patch: unknown): unknown => {
  const before = JSON.stringify([original, patch])
  const result = applyStrategicMergePatch(original, patch, POD)
  expect(JSON.stringify([original, patch])).toBe(before)
  return result
}

const spec = (value: object): object => ({ spec: value })

describe('strategic merge patch', () => {
  test('merges objects, removes by null, replaces other values', () => {
    expect(apply({ metadata: { labels: { a: '1', b: '2' } }, kind: 'Pod' }, { metadata: { labels: { a: null, c: '3' } } })).toEqual({
      metadata: { labels: { b: '2', c: '3' } },
      kind: 'Pod',
    })
  })

  test('merges lists by key: changes one, adds one at the end, keeps the rest', () => {
    const original = spec({
      containers: [
        { name: 'a', image: 'a:1', args: ['x'] },
        { name: 'b', image: 'b:1' },
      ],
    })
    const patch = spec({
      containers: [
        { name: 'b', image: 'b:2' },
        { name: 'c', image: 'c:1' },
        { name: 'a', args: ['y'] },
      ],
    })
    expect(apply(original, patch)).toEqual(
      spec({
        containers: [
          { name: 'b', image: 'b:2' },
          { name: 'c', image: 'c:1' },
          { name: 'a', image: 'a:1', args: ['y'] },
        ],
      }),
    )
  })

  test('an element the patch does not name keeps its place before what follows it', () => {
    const original = spec({ containers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] })
    expect(apply(original, spec({ containers: [{ name: 'c', image: 'x' }] }))).toEqual(
      spec({ containers: [{ name: 'a' }, { name: 'b' }, { name: 'c', image: 'x' }] }),
    )
  })

  test('lists inside elements merge by their own key', () => {
    const original = spec({ containers: [{ name: 'a', ports: [{ containerPort: 80, name: 'http' }] }] })
    const patch = spec({ containers: [{ name: 'a', ports: [{ containerPort: 80, name: 'web' }, { containerPort: 443 }] }] })
    expect(apply(original, patch)).toEqual(
      spec({ containers: [{ name: 'a', ports: [{ containerPort: 80, name: 'web' }, { containerPort: 443 }] }] }),
    )
  })

  test('a list without strategy is replaced', () => {
    expect(apply(spec({ tolerations: [{ key: 'a' }] }), spec({ tolerations: [{ key: 'b' }] }))).toEqual(
      spec({ tolerations: [{ key: 'b' }] }),
    )
  })

  test('what the schema does not know: objects merge, lists are replaced', () => {
    expect(apply({ x: { a: 1, l: [1] } }, { x: { b: 2, l: [2] } })).toEqual({ x: { a: 1, b: 2, l: [2] } })
    expect(applyStrategicMergePatch({ a: { b: 1 } }, { a: { c: [1] } }, undefined)).toEqual({ a: { b: 1, c: [1] } })
  })

  test('primitive lists merge as sets, in the order of the patch, and lose what is told', () => {
    const original = { metadata: { finalizers: ['a', 'b', 'c'] } }
    expect(apply(original, { metadata: { finalizers: ['d', 'b'] } })).toEqual({ metadata: { finalizers: ['d', 'a', 'b', 'c'] } })
    expect(apply(original, { metadata: { '$deleteFromPrimitiveList/finalizers': ['b', 'x'] } })).toEqual({
      metadata: { finalizers: ['a', 'c'] },
    })
    expect(
      apply(original, {
        metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], '$setElementOrder/finalizers': ['c', 'b', 'd'], finalizers: ['d'] },
      }),
    ).toEqual({
      metadata: { finalizers: ['c', 'b', 'd'] },
    })
    expect(apply({ metadata: {} }, { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'] } })).toEqual({ metadata: {} })
  })

  test('an object with strategy replace is replaced', () => {
    expect(apply(spec({ whole: { a: 1 } }), spec({ whole: { b: 2 } }))).toEqual(spec({ whole: { b: 2 } }))
  })
})

describe('$patch', () => {
  test('replace and delete in an object', () => {
    const original = { metadata: { labels: { a: '1' } } }
    expect(apply(original, { metadata: { labels: { $patch: 'replace', b: '2' } } })).toEqual({ metadata: { labels: { b: '2' } } })
    expect(apply(original, { metadata: { labels: { $patch: 'delete' } } })).toEqual({ metadata: { labels: {} } })
    expect(apply(original, { metadata: { labels: { $patch: 'merge', b: '2' } } })).toEqual({ metadata: { labels: { a: '1', b: '2' } } })
  })

  test('delete takes an element out, replace makes the others the whole list', () => {
    const original = spec({ containers: [{ name: 'a', image: 'x' }, { name: 'b' }] })
    expect(apply(original, spec({ containers: [{ $patch: 'delete', name: 'a' }] }))).toEqual(spec({ containers: [{ name: 'b' }] }))
    expect(apply(original, spec({ containers: [{ name: 'c' }, { $patch: 'replace' }] }))).toEqual(spec({ containers: [{ name: 'c' }] }))
    expect(apply(original, spec({ containers: [{ $patch: 'replace' }] }))).toEqual(spec({ containers: [] }))
    expect(apply(original, spec({ containers: [{ $patch: 'merge', name: 'a', image: 'y' }] }))).toEqual(
      spec({ containers: [{ name: 'a', image: 'y' }, { name: 'b' }] }),
    )
  })

  test('replace inside an element replaces that element', () => {
    const original = spec({ containers: [{ name: 'a', env: [{ name: 'A', value: '1', valueFrom: {} }] }] })
    const patch = spec({ containers: [{ name: 'a', env: [{ name: 'A', value: '2', valueFrom: null }] }] })
    expect(apply(original, patch)).toEqual(spec({ containers: [{ name: 'a', env: [{ name: 'A', value: '2' }] }] }))
  })

  test('no directive and no null is ever stored', () => {
    const patch = {
      metadata: { labels: { a: null, b: '1' }, '$setElementOrder/finalizers': ['x'], gone: { $patch: 'delete' } },
      spec: {
        $retainKeys: ['containers'],
        containers: [
          {
            name: 'a',
            image: null,
            env: [
              { name: 'A', $patch: 'delete' },
              { name: 'B', x: null },
            ],
          },
          { $patch: 'delete', name: 'z' },
        ],
      },
    }
    expect(apply({}, patch)).toEqual({ metadata: { labels: { b: '1' } }, spec: { containers: [{ name: 'a', env: [{ name: 'B' }] }] } })
    expect(apply({ spec: {}, metadata: {} }, patch)).toEqual({
      metadata: { labels: { b: '1' } },
      spec: { containers: [{ name: 'a', env: [{ name: 'B' }] }] },
    })
  })
})

describe('$setElementOrder', () => {
  const named = (...names: string[]): object[] => names.map((name) => ({ name }))

  test.each([
    ['reorders without a change', named('a', 'b', 'c'), undefined, ['c', 'a', 'b'], ['c', 'a', 'b']],
    ['puts an added element where the order says', named('a', 'b'), [{ name: 'n', image: 'x' }], ['a', 'n', 'b'], ['a', 'n', 'b']],
    ['keeps what only the server has before what it stood before', named('s', 'a', 'b'), undefined, ['b', 'a'], ['s', 'b', 'a']],
    ['keeps what only the server has at its end', named('a', 'b', 's'), undefined, ['b', 'a'], ['b', 'a', 's']],
    ['drops what the patch deletes', named('a', 'b', 'c'), [{ $patch: 'delete', name: 'b' }], ['c', 'a'], ['c', 'a']],
    ['works where there was no list', undefined, named('b', 'a'), ['b', 'a'], ['b', 'a']],
  ])('%s', (_, present, change, order, expected) => {
    const patch = { ...(change ? { containers: change } : {}), '$setElementOrder/containers': named(...order) }
    const result = apply(spec(present ? { containers: present } : {}), spec(patch)) as { spec: { containers: { name: string }[] } }
    expect(result.spec.containers.map(({ name }) => name)).toEqual(expected)
  })

  test('kubectl set image: order of names and one changed element', () => {
    const original = spec({
      containers: [
        { name: 'a', image: 'a:1' },
        { name: 'b', image: 'b:1' },
      ],
    })
    const patch = spec({ '$setElementOrder/containers': named('a', 'b'), containers: [{ name: 'b', image: 'b:2' }] })
    expect(apply(original, patch)).toEqual(
      spec({
        containers: [
          { name: 'a', image: 'a:1' },
          { name: 'b', image: 'b:2' },
        ],
      }),
    )
  })

  test('an order without any list stores nothing', () => {
    expect(apply(spec({}), spec({ '$setElementOrder/containers': named('a') }))).toEqual(spec({}))
  })
})

describe('$retainKeys', () => {
  test('drops the fields that are not listed', () => {
    const original = spec({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } })
    expect(apply(original, spec({ strategy: { $retainKeys: ['type'], type: 'Recreate' } }))).toEqual(
      spec({ strategy: { type: 'Recreate' } }),
    )
  })

  test('swaps the source of a volume in a keyed list', () => {
    const original = spec({ volumes: [{ name: 'v', emptyDir: {} }] })
    const patch = spec({ volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] })
    expect(apply(original, patch)).toEqual(spec({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }))
  })
})

describe('what does not fit is refused', () => {
  test.each<[string, unknown, StatusReason, string | RegExp]>([
    ['not an object', [1], 'BadRequest', 'a strategic merge patch must be an object'],
    [
      'element without its key',
      spec({ containers: [{ image: 'x' }] }),
      'Invalid',
      'map: map[image:x] does not contain declared merge key: name',
    ],
    ['deletion without key', spec({ containers: [{ $patch: 'delete' }] }), 'Invalid', /does not contain declared merge key: name/],
    ['unknown directive', { spec: { $patch: 'frob' } }, 'BadRequest', 'unknown patch type: frob in map: map[]'],
    ['unknown element directive', spec({ containers: [{ $patch: 'frob', name: 'a' }] }), 'BadRequest', /unknown patch type: frob/],
    ['retainKeys is no list', spec({ strategy: { $retainKeys: 'type' } }), 'BadRequest', 'invalid patch format of retainKeys'],
    [
      'field outside retainKeys',
      spec({ strategy: { $retainKeys: ['type'], rollingUpdate: {} } }),
      'Invalid',
      "patch content doesn't match retainKeys list",
    ],
    ['order is no list', spec({ '$setElementOrder/containers': {} }), 'BadRequest', 'invalid patch format of setElementOrder list'],
    [
      'order contradicts the patch',
      spec({ '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a' }, { name: 'b' }] }),
      'Invalid',
      /The order in patch list/,
    ],
    [
      'deletion list is no list',
      { metadata: { '$deleteFromPrimitiveList/finalizers': 'x' } },
      'BadRequest',
      'invalid patch format of primitive list',
    ],
    ['lists of lists', { metadata: { finalizers: [['a']] } }, 'Invalid', 'lists of lists are not supported'],
    ['mixed elements', spec({ containers: ['a'] }), 'Invalid', /element types are not identical/],
    ['merge without key in the schema', spec({ broken: [{ a: 1 }] }), 'Invalid', 'cannot merge lists without merge key for broken'],
  ])('%s', (_, patch, reason, message) => {
    expect.assertions(2)
    const original = { metadata: { finalizers: ['f'] }, spec: { containers: [{ name: 'a' }], strategy: { type: 'x' }, broken: [{ a: 2 }] } }
    try {
      applyStrategicMergePatch(original, patch, POD)
    } catch (error) {
      expect(isStatus(error) && error.reason).toBe(reason)
      if (typeof message === 'string') expect(messageOf(error)).toBe(message)
      else expect(messageOf(error)).toMatch(message)
    }
  })

  test('bad input case 4: __proto__ stays a property', () => {
    const patch = JSON.parse('{"__proto__":{"polluted":1},"spec":{"__proto__":{"polluted":1}}}') as unknown
    const result = applyStrategicMergePatch({ spec: {} }, patch, POD)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
  })
})
