import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { WatchEvent } from '../../../api/meta/object.ts'
import type { ServerWatchEvent } from '../contract.ts'
import { configMap, pod, testServer, type Json, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const PODS = '/api/v1/namespaces/default/pods'
const MERGE = { 'content-type': 'application/merge-patch+json' }

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

const show = (events: readonly WatchEvent<any>[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata?.name ?? object.code}`)
const revision = async (): Promise<string> => String((await server.store.status()).revision)
const label = (name: string, app: string | null): Promise<Json> =>
  server.send(`PATCH ${MAPS}/${name}`, { metadata: { labels: { app } } }, MERGE)

describe('where it begins', () => {
  test('after the revision given', async () => {
    await server.send(`POST ${MAPS}`, configMap('before'))
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`)
    const made = await server.send(`POST ${MAPS}`, configMap('a'))
    await server.send(`PUT ${MAPS}/a`, configMap('a', { k: '1' }))
    await server.send(`DELETE ${MAPS}/a`)
    const events = await watch.take(3)
    expect(show(events)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a'])
    expect(events[0]?.object).toEqual(made)
    await watch.close()
  })

  test.each(['', '&resourceVersion=0'])('without a revision (%j) the present objects come first', async (query) => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    await server.send('POST /api/v1/namespaces/kube-system/configmaps', configMap('other'))
    const watch = await server.watch(`${MAPS}?watch=1${query}`)
    expect(show(await watch.take(1))).toEqual(['ADDED a'])
    await server.send(`POST ${MAPS}`, configMap('b'))
    expect(show(await watch.take(1))).toEqual(['ADDED b'])
    await watch.close()
  })

  test('a deletion carries the last state and the revision of the deletion', async () => {
    await server.send(`POST ${MAPS}`, configMap('a', { k: 'last' }))
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`)
    await server.send(`DELETE ${MAPS}/a`)
    const [event] = await watch.take(1)
    expect(event?.object).toMatchObject({ data: { k: 'last' }, metadata: { resourceVersion: await revision() } })
    await watch.close()
  })

  test('what a hub no longer remembers is read from the store', async () => {
    const start = await revision()
    for (const name of ['a', 'b', 'c']) await server.send(`POST ${MAPS}`, configMap(name))
    const first = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`)
    await server.send(`POST ${MAPS}`, configMap('d'))
    expect(show(await first.take(1))).toEqual(['ADDED d'])
    const late = await server.watch(`${MAPS}?watch=true&resourceVersion=${start}`)
    expect(show(await late.take(4))).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'ADDED d'])
    await server.send(`POST ${MAPS}`, configMap('e'))
    expect(show(await late.take(1))).toEqual(['ADDED e'])
    await first.close()
    await late.close()
  })

  test('a compacted revision is a 410 inside the watch', async () => {
    const start = await revision()
    for (const name of ['a', 'b', 'c']) await server.send(`POST ${MAPS}`, configMap(name))
    await server.store.compact(BigInt(await revision()))
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${start}`)
    const events = await watch.rest()
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
  })
})

describe('what it shows', () => {
  test('objects that enter or leave a selection are ADDED and DELETED', async () => {
    await server.send(`POST ${MAPS}`, configMap('a', {}, { app: 'x' }))
    const watch = await server.watch(`${MAPS}?watch=true&labelSelector=app%3Dx&resourceVersion=${await revision()}`)
    await label('a', 'y')
    const left = await revision()
    await label('a', 'z')
    await label('a', 'x')
    await server.send(`PUT ${MAPS}/a`, configMap('a', { k: '1' }, { app: 'x' }))
    await server.send(`DELETE ${MAPS}/a`)
    const events = await watch.take(4)
    expect(show(events)).toEqual(['DELETED a', 'ADDED a', 'MODIFIED a', 'DELETED a'])
    expect(events[0]?.object.metadata).toMatchObject({ labels: { app: 'x' }, resourceVersion: left })
    await watch.close()
  })

  test('a node sees its own pods, by a field that is looked up', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    const start = await revision()
    const [one, two] = await Promise.all(
      ['n1', 'n2'].map((node) => server.watch(`/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3D${node}&resourceVersion=${start}`)),
    )
    await server.send(`POST ${PODS}`, pod('q', { nodeName: 'n2' }))
    await server.send(`POST ${PODS}/p/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } })
    await server.send(`POST ${PODS}`, pod('r', { nodeName: 'n1' }))
    await server.send(`DELETE ${PODS}/r?gracePeriodSeconds=0`)
    expect(show((await one?.take(3)) ?? [])).toEqual(['ADDED p', 'ADDED r', 'DELETED r'])
    expect(show((await two?.take(1)) ?? [])).toEqual(['ADDED q'])
    await one?.close()
    await two?.close()
  })

  test('one object by name, also in the old form of the path', async () => {
    const start = await revision()
    const byField = await server.watch(`${MAPS}?watch=true&fieldSelector=metadata.name%3Db&resourceVersion=${start}`)
    const byPath = await server.watch(`/api/v1/watch/namespaces/default/configmaps/b?resourceVersion=${start}`)
    const all = await server.watch(`/api/v1/watch/configmaps?resourceVersion=${start}`)
    for (const name of ['a', 'b']) await server.send(`POST ${MAPS}`, configMap(name))
    expect(show(await byField.take(1))).toEqual(['ADDED b'])
    expect(show(await byPath.take(1))).toEqual(['ADDED b'])
    expect(show(await all.take(2))).toEqual(['ADDED a', 'ADDED b'])
    for (const watch of [byField, byPath, all]) await watch.close()
  })

  test('all watchers get the same bytes in the same order', async () => {
    const start = await revision()
    const watches = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { body } = await server.answer(`GET ${MAPS}?watch=true&resourceVersion=${start}`)
        return (body as { events: AsyncIterable<ServerWatchEvent> }).events[Symbol.asyncIterator]()
      }),
    )
    const firsts = Promise.all(watches.map((watch) => watch.next()))
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => server.send(`POST ${MAPS}`, configMap(name))))
    const rows = [await firsts]
    for (let i = 0; i < 3; i++) rows.push(await Promise.all(watches.map((watch) => watch.next())))
    for (const row of rows) {
      const lines = row.map(({ value }) => (value as ServerWatchEvent).line)
      // shared, not equal: encoded once for everybody
      expect(new Set(lines).size).toBe(1)
    }
    for (const watch of watches) await watch.return?.()
  })
})

describe('its end', () => {
  test('comes with timeoutSeconds, after a last bookmark', async () => {
    const watch = await server.watch(`${MAPS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=${await revision()}`)
    const rest = watch.rest()
    await server.clock.advance(10)
    await server.send(`POST ${MAPS}`, configMap('a'))
    await server.clock.advance(6000)
    const events = await rest
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK'])
    expect(events[1]?.object).toEqual({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: await revision(), creationTimestamp: null },
    })
    expect(server.clock.timers).toBe(1)
  })

  test('comes by itself after 30 to 60 minutes', async () => {
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`)
    let ended = false
    const rest = watch.rest().then(() => (ended = true))
    await server.clock.advance(29 * 60_000)
    expect(ended).toBe(false)
    await server.clock.advance(31 * 60_000)
    await rest
    expect(ended).toBe(true)
  })

  test('comes when the client goes, even while nothing happens', async () => {
    const gone = new AbortController()
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`, {}, gone.signal)
    const rest = watch.rest()
    await server.clock.advance(10)
    gone.abort()
    expect(await rest).toEqual([])
  })

  test.each([1, 2])('comes for a reader that stops reading after %i events, without holding what it missed', async (read) => {
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`)
    const key = '/registry/core/configmaps/default/a'
    const write = (): Promise<unknown> => server.store.txn([], [{ type: 'put', key, value: Buffer.from('{"metadata":{"name":"a"}}') }], [])
    for (let i = 0; i < read; i++) {
      const next = watch.take(1)
      await server.clock.advance(1)
      await write()
      expect(await next).toHaveLength(1)
    }
    for (let i = 0; i <= 10_001; i++) await write()
    await server.clock.advance(1)
    expect((await watch.rest()).length).toBeLessThan(10)
  })
})

describe('bookmarks', () => {
  test('come about once a minute to those who want them, and move on while nothing happens here', async () => {
    const watch = await server.watch(`${MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion=${await revision()}`)
    const plain = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`)
    const bookmark = watch.take(1)
    const nothing = plain.take(1)
    await server.clock.advance(10)
    await server.send('POST /api/v1/namespaces', { metadata: { name: 'elsewhere' } })
    await server.clock.advance(61_000)
    const [event] = await bookmark
    expect(event).toMatchObject({ type: 'BOOKMARK', object: { metadata: { resourceVersion: await revision() } } })
    await plain.close()
    expect(await nothing).toEqual([])
    await watch.close()
  })
})

describe('sendInitialEvents', () => {
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'

  test('sends the present objects, a marked bookmark, then changes', async () => {
    for (const name of ['a', 'b']) await server.send(`POST ${MAPS}`, configMap(name))
    const watch = await server.watch(`${MAPS}?${query}`)
    const events = await watch.take(3)
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'ADDED', 'BOOKMARK'])
    expect(events[2]?.object.metadata).toEqual({
      resourceVersion: await revision(),
      creationTimestamp: null,
      annotations: { 'k8s.io/initial-events-end': 'true' },
    })
    await server.send(`POST ${MAPS}`, configMap('c'))
    expect(show(await watch.take(1))).toEqual(['ADDED c'])
    await watch.close()
  })

  test('more objects than fit a page', async () => {
    for (let i = 0; i < 1100; i++) await server.send(`POST ${MAPS}`, configMap(`m${String(i).padStart(4, '0')}`))
    const watch = await server.watch(`${MAPS}?${query}`)
    const events = await watch.take(1101)
    expect(events.at(-1)?.type).toBe('BOOKMARK')
    expect(new Set(events.map(({ object }) => object.metadata.name)).size).toBe(1101)
    await watch.close()
  })

  test.each([
    [
      'watch=true&sendInitialEvents=true',
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    [
      'watch=true&resourceVersionMatch=NotOlderThan&resourceVersion=1',
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
  ])('%s is a 422', async (wrong, text) => {
    const error = await server.refusal(`GET ${MAPS}?${wrong}`)
    expect([error.code, error.message]).toEqual([422, `ListOptions.meta.k8s.io "" is invalid: ${text}`])
  })

  test('of a revision that has not happened waits, then is a 504', async () => {
    const refusal = server.refusal(`GET ${MAPS}?${query}&resourceVersion=9000`)
    await server.clock.advance(4000)
    expect((await refusal).details?.causes?.[0]?.reason).toBe('ResourceVersionTooLarge')
  })
})

describe('other views', () => {
  test('tables, row by row', async () => {
    const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`, accept)
    await server.send(`POST ${MAPS}`, configMap('a', { x: '1' }))
    const [event] = await watch.take(1)
    expect(event?.object).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: await revision() } })
    const { columnDefinitions, rows } = (event as WatchEvent<any>).object as Json
    expect(columnDefinitions.map((column: Json) => column['name'])).toContain('Name')
    expect(rows).toHaveLength(1)
    expect(rows[0].cells[0]).toBe('a')
    expect(rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a' } })
    await watch.close()
  })

  test('metadata alone', async () => {
    const accept = { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' }
    const watch = await server.watch(`${MAPS}?watch=true&resourceVersion=${await revision()}`, accept)
    const made = await server.send(`POST ${MAPS}`, configMap('a', { x: '1' }))
    const [event] = await watch.take(1)
    expect(event?.object).toEqual({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: made['metadata'] })
    await watch.close()
  })
})
