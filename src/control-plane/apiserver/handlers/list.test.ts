import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configMap, pod, testServer, type Json, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const PODS = '/api/v1/namespaces/default/pods'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

const names = (list: Json): string[] => list['items'].map((item: Json) => item['metadata'].name as string)

/** Sends a request that waits for the clock, and lets the clock run. */
async function refusedAfter(seconds: number, line: string): Promise<Json> {
  const refusal = server.refusal(line)
  await server.clock.advance(seconds * 1000)
  return (await refusal).toBody() as Json
}

describe('get', () => {
  test('a missing object is a 404', async () => {
    expect((await server.refusal(`GET ${MAPS}/a`)).toBody()).toMatchObject({
      reason: 'NotFound',
      details: { name: 'a', kind: 'configmaps' },
    })
  })

  test('waits three seconds for a revision that has not happened', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    expect(await refusedAfter(4, `GET ${MAPS}/a?resourceVersion=9000`)).toMatchObject({
      code: 504,
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 },
    })
  })
})

describe('list', () => {
  beforeEach(async () => {
    for (const name of ['c', 'a', 'b'])
      await server.send(`POST ${MAPS}`, configMap(name, {}, { app: name, tier: name === 'b' ? 'x' : 'y' }))
    await server.send('POST /api/v1/namespaces/kube-system/configmaps', configMap('a'))
  })

  test('is sorted by namespace and name, and tells the revision it shows', async () => {
    const all = await server.send('GET /api/v1/configmaps')
    expect(all).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' })
    expect(all['items'].map((item: Json) => `${item['metadata'].namespace}/${item['metadata'].name}`)).toEqual([
      'default/a',
      'default/b',
      'default/c',
      'kube-system/a',
    ])
    expect(all['metadata'].resourceVersion).toBe(String((await server.store.status()).revision))
    expect(names(await server.send(`GET ${MAPS}`))).toEqual(['a', 'b', 'c'])
  })

  test('every item is whole, resourceVersion included', async () => {
    const [item] = (await server.send(`GET ${MAPS}`))['items'] as Json[]
    expect(item).toEqual(await server.send(`GET ${MAPS}/a`))
  })

  test.each([
    ['labelSelector=app%3Db', ['b']],
    ['labelSelector=app%21%3Db', ['a', 'c']],
    ['labelSelector=app+in+(a,c),tier%3Dy', ['a', 'c']],
    ['labelSelector=!app', []],
    ['fieldSelector=metadata.name%3Da', ['a']],
    ['fieldSelector=metadata.name%3Da&labelSelector=app%3Db', []],
    ['fieldSelector=metadata.name%21%3Da', ['b', 'c']],
    ['fieldSelector=metadata.namespace%3Ddefault', ['a', 'b', 'c']],
    ['fieldSelector=metadata.name%3Dnope', []],
  ])('%s', async (query, expected) => {
    expect(names(await server.send(`GET ${MAPS}?${query}`))).toEqual(expected)
  })

  test('one name in all namespaces', async () => {
    expect(names(await server.send('GET /api/v1/configmaps?fieldSelector=metadata.name%3Da'))).toEqual(['a', 'a'])
  })

  test('an unknown field is a 400', async () => {
    const error = await server.refusal(`GET ${MAPS}?fieldSelector=spec.color%3Dred`)
    expect(error).toMatchObject({ reason: 'BadRequest', message: 'field label not supported: spec.color' })
    expect((await server.refusal(`GET ${MAPS}?labelSelector=a%3D%3D%3Db`)).reason).toBe('BadRequest')
  })

  test('fields of the kind', async () => {
    await server.send(`POST ${PODS}`, pod('p1', { nodeName: 'n1' }))
    await server.send(`POST ${PODS}`, pod('p2', { nodeName: 'n2' }))
    expect(names(await server.send('GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn2'))).toEqual(['p2'])
  })

  describe('pages', () => {
    test('all show the revision of the first', async () => {
      const first = await server.send(`GET ${MAPS}?limit=2`)
      expect([names(first), first['metadata'].remainingItemCount]).toEqual([['a', 'b'], 1])
      await server.send(`DELETE ${MAPS}/c`)
      await server.send(`POST ${MAPS}`, configMap('d'))
      const second = await server.send(`GET ${MAPS}?limit=2&continue=${first['metadata'].continue}`)
      expect(names(second)).toEqual(['c'])
      expect(second['metadata'].resourceVersion).toBe(first['metadata'].resourceVersion)
      expect(second['metadata']).not.toHaveProperty('continue')
    })

    test('a page that ends with the last object is the last', async () => {
      const page = await server.send(`GET ${MAPS}?limit=3`)
      expect(names(page)).toEqual(['a', 'b', 'c'])
      expect(page['metadata']).toEqual({ resourceVersion: page['metadata'].resourceVersion })
    })

    test('selectors fill the page, and the count of the rest is unknown', async () => {
      const first = await server.send(`GET ${MAPS}?limit=1&labelSelector=tier%3Dy`)
      expect(names(first)).toEqual(['a'])
      expect(first['metadata']).not.toHaveProperty('remainingItemCount')
      const second = await server.send(`GET ${MAPS}?limit=1&labelSelector=tier%3Dy&continue=${first['metadata'].continue}`)
      expect(names(second)).toEqual(['c'])
    })

    test('an expired token is a 410 with a token that goes on inconsistently', async () => {
      const first = await server.send(`GET ${MAPS}?limit=2`)
      await server.send(`DELETE ${MAPS}/c`)
      await server.send(`POST ${MAPS}`, configMap('d'))
      await server.store.compact((await server.store.status()).revision)
      const error = (await server.refusal(`GET ${MAPS}?limit=2&continue=${first['metadata'].continue}`)).toBody() as Json
      expect(error).toMatchObject({ code: 410, reason: 'Expired' })
      expect(error['message']).toMatch(/^The provided continue parameter is too old/)
      const rest = await server.send(`GET ${MAPS}?limit=2&continue=${error['metadata'].continue}`)
      expect(names(rest)).toEqual(['d'])
    })

    test('a token nobody made is a 400', async () => {
      expect((await server.refusal(`GET ${MAPS}?continue=bm90IGpzb24`)).message).toContain('continue key is not valid')
    })

    test('a token and a resourceVersion do not go together', async () => {
      const first = await server.send(`GET ${MAPS}?limit=2`)
      const error = await server.refusal(`GET ${MAPS}?continue=${first['metadata'].continue}&resourceVersion=3`)
      expect(error.message).toBe('specifying resource version is not allowed when using continue')
    })
  })

  describe('resourceVersion', () => {
    test('Exact shows the past', async () => {
      const before = await server.send(`GET ${MAPS}`)
      await server.send(`DELETE ${MAPS}/a`)
      const { resourceVersion } = before['metadata']
      const past = await server.send(`GET ${MAPS}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`)
      expect(past).toEqual(before)
      expect(names(await server.send(`GET ${MAPS}?resourceVersion=${resourceVersion}&limit=10`))).toEqual(['a', 'b', 'c'])
      const one = `fieldSelector=metadata.name%3Da&resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`
      expect(names(await server.send(`GET ${MAPS}?${one}`))).toEqual(['a'])
    })

    test.each(['resourceVersion=0', 'resourceVersion=1', 'resourceVersion=1&resourceVersionMatch=NotOlderThan'])(
      '%s shows the present',
      async (query) => {
        await server.send(`DELETE ${MAPS}/a`)
        expect(names(await server.send(`GET ${MAPS}?${query}`))).toEqual(['b', 'c'])
      },
    )

    test('Exact of a compacted revision is a 410', async () => {
      const { metadata } = await server.send(`GET ${MAPS}`)
      await server.send(`DELETE ${MAPS}/a`)
      await server.store.compact((await server.store.status()).revision)
      const error = await server.refusal(`GET ${MAPS}?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`)
      expect([error.code, error.reason]).toEqual([410, 'Expired'])
    })

    test('one that has not happened is waited for', async () => {
      const next = (await server.store.status()).revision + 1n
      const list = server.send(`GET ${MAPS}?resourceVersion=${next}`)
      await server.clock.advance(1000)
      await server.send(`POST ${MAPS}`, configMap('late'))
      await server.clock.advance(1000)
      expect(names(await list)).toContain('late')
      expect(await refusedAfter(4, `GET ${MAPS}?resourceVersion=9000&resourceVersionMatch=Exact`)).toMatchObject({ code: 504 })
    })

    test.each([
      [
        'resourceVersionMatch=Exact',
        'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
      ],
      [
        'resourceVersion=1&resourceVersionMatch=Never',
        'resourceVersionMatch: Unsupported value: "Never": supported values: "Exact", "NotOlderThan", ""',
      ],
      [
        'resourceVersion=0&resourceVersionMatch=Exact',
        'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      ],
      ['sendInitialEvents=true', 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'],
    ])('%s is a 422', async (query, text) => {
      const error = await server.refusal(`GET ${MAPS}?${query}`)
      expect(error.message).toBe(`ListOptions.meta.k8s.io "" is invalid: ${text}`)
    })

    test('one that is no number is a 400', async () => {
      expect((await server.refusal(`GET ${MAPS}?resourceVersion=abc`)).reason).toBe('BadRequest')
    })
  })
})
