import { assert, bigInt, dictionary, jsonValue, property, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeJson } from '../../../base/json.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { decodeContinue, encodeContinue, ExpiredContinueError } from './continue-token.ts'
import { decodeObject, encodeObject, wireChunks } from './object-codec.ts'
import { resourceOf, splitKey, storageKey, storagePrefix } from './resource.ts'

const things = resourceOf({ group: 'x.io', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true })
const globals = resourceOf({ group: '', version: 'v1', kind: 'Global', plural: 'globals', namespaced: false })

const stored = (value: Uint8Array, revision: bigint): unknown =>
  JSON.parse(Buffer.concat([...wireChunks(things, value, revision)]).toString())

describe('objects', () => {
  test('are stored without resourceVersion, type and metadata first', () => {
    const object = { spec: { a: 1 }, metadata: { resourceVersion: '7', name: 'a', selfLink: '/x' }, kind: 'Thing', apiVersion: 'x.io/v1' }
    const text = Buffer.from(encodeObject(things, object as KubeObject)).toString()
    expect(text).toBe('{"apiVersion":"x.io/v1","kind":"Thing","metadata":{"name":"a"},"spec":{"a":1}}')
  })

  test('whatever is in them, the wire form is the decoded form', () => {
    const names = record({ name: string({ minLength: 1 }), labels: dictionary(string(), string()) })
    assert(
      property(names, jsonValue(), bigInt({ min: 1n, max: 2n ** 62n }), (metadata, spec, revision) => {
        const object = { apiVersion: 'x.io/v1', kind: 'Thing', metadata, spec } as unknown as KubeObject
        const value = encodeObject(things, object)
        const plain = JSON.parse(JSON.stringify(object)) as KubeObject
        plain.metadata.resourceVersion = String(revision)
        expect(stored(value, revision)).toEqual(plain)
        expect(JSON.parse(encodeJson(decodeObject(things, value, revision)))).toEqual(plain)
      }),
    )
  })

  test('integers beyond 2^53 stay exact, wherever they lie among the bytes', () => {
    for (let padding = 0; padding < 40; padding++) {
      for (const n of [2n ** 60n + 1n, -(2n ** 60n) - 1n, 10n ** 15n]) {
        const object = { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { name: 'a'.repeat(padding) }, n } as unknown as KubeObject
        const { n: found } = decodeObject(things, encodeObject(things, object), 5n) as unknown as { readonly n: number | bigint }
        expect(BigInt(found)).toBe(n)
      }
    }
  })

  test('stored in another order are read all the same', () => {
    const value = Buffer.from('{"kind":"Thing","apiVersion":"x.io/v1","metadata":{"name":"a"}}')
    expect(stored(value, 5n)).toEqual({ kind: 'Thing', apiVersion: 'x.io/v1', metadata: { name: 'a', resourceVersion: '5' } })
  })
})

describe('keys', () => {
  test('hold group, plural, namespace and name', () => {
    expect(storageKey(things, 'ns', 'a')).toBe('/registry/x.io/things/ns/a')
    expect(storageKey(globals, 'ns', 'a')).toBe('/registry/core/globals/a')
    expect([storagePrefix(things, ''), storagePrefix(things, 'ns')]).toEqual(['/registry/x.io/things/', '/registry/x.io/things/ns/'])
    expect(splitKey(things, '/registry/x.io/things/ns/a')).toEqual({ namespace: 'ns', name: 'a' })
    expect(splitKey(globals, '/registry/core/globals/a')).toEqual({ namespace: '', name: 'a' })
  })
})

describe('continue tokens', () => {
  test('come back as they were made', () => {
    const token = { revision: 123n, from: 'default/web\0' }
    expect(decodeContinue(encodeContinue(token))).toEqual(token)
  })

  test.each(['', 'x', 'e30', Buffer.from('{"v":"biplane/v1","rv":"0","from":"a"}').toString('base64url')])('%j is refused', (text) => {
    expect(() => decodeContinue(text)).toThrow('continue key is not valid')
  })

  test('an expired one brings its successor in the Status', () => {
    const body = new ExpiredContinueError('default/web').toBody() as unknown as { metadata: { continue: string }; code: number }
    expect(body.code).toBe(410)
    expect(decodeContinue(body.metadata.continue)).toEqual({ revision: -1n, from: 'default/web' })
  })
})
