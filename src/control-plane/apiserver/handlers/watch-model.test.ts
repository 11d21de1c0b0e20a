import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check'
import { expect, test } from 'vitest'
import { configMap, testServer, type Json, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const SELECTORS = [
  '',
  '&labelSelector=app%3Dx',
  '&labelSelector=app',
  '&fieldSelector=metadata.name%3Da',
  '&fieldSelector=metadata.name%21%3Da',
]

const step = record({
  op: constantFrom('create', 'relabel', 'delete', 'watch'),
  name: constantFrom('a', 'b', 'c'),
  app: constantFrom('x', 'y', null),
  selector: integer({ min: 0, max: SELECTORS.length - 1 }),
})

/** A client: a list, and then whatever its watch tells. */
interface Follower {
  readonly selector: string
  readonly objects: Map<string, Json>
  readonly next: () => Promise<boolean>
}

async function follow(server: TestServer, selector: string): Promise<Follower> {
  const list = await server.send(`GET ${MAPS}?limit=0${selector}`)
  const objects = new Map<string, Json>(list['items'].map((item: Json) => [item['metadata'].name, item]))
  let last = BigInt(list['metadata'].resourceVersion)
  const watch = await server.watch(`${MAPS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=${last}${selector}`)
  const next = async (): Promise<boolean> => {
    const [event] = await watch.take(1)
    if (!event) return false
    const { name, resourceVersion } = event.object.metadata as { name: string; resourceVersion: string }
    expect(BigInt(resourceVersion) >= last).toBe(true)
    last = BigInt(resourceVersion)
    // what is ADDED was not known before, what is MODIFIED or DELETED was
    if (event.type !== 'BOOKMARK') expect([event.type, objects.has(name)]).toEqual([event.type, event.type !== 'ADDED'])
    if (event.type === 'DELETED') objects.delete(name)
    else if (event.type !== 'BOOKMARK') objects.set(name, event.object as Json)
    return true
  }
  return { selector, objects, next }
}

async function readAll(follower: Follower): Promise<void> {
  while (await follower.next());
}

async function act(server: TestServer, { op, name, app }: { op: string; name: string; app: string | null }): Promise<void> {
  const ignore = (): void => {}
  if (op === 'create') await server.send(`POST ${MAPS}`, configMap(name, {}, app === null ? {} : { app })).catch(ignore)
  else if (op === 'delete') await server.send(`DELETE ${MAPS}/${name}`).catch(ignore)
  else if (op === 'relabel') {
    const merge = { 'content-type': 'application/merge-patch+json' }
    await server.send(`PATCH ${MAPS}/${name}`, { metadata: { labels: { app } } }, merge).catch(ignore)
  }
}

test('whatever happens, a list and its watch together are the list of later', async () => {
  await assert(
    asyncProperty(array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const server = await testServer()
      const followers: Follower[] = []
      const late: Follower[] = []
      const ends: Promise<void>[] = []
      for (const one of steps) {
        if (one.op === 'watch') {
          const follower = await follow(server, SELECTORS[one.selector] as string)
          followers.push(follower)
          // some read at once, others begin late and find their history in the store
          if (one.app !== null) ends.push(readAll(follower))
          else late.push(follower)
          await server.clock.advance(1)
        } else await act(server, one)
      }
      ends.push(...late.map(readAll))
      await server.clock.advance(10_000)
      await Promise.all(ends)
      for (const { selector, objects } of followers) {
        const list = await server.send(`GET ${MAPS}?limit=0${selector}`)
        const seen = [...objects.values()].sort((a, b) => (a['metadata'].name < b['metadata'].name ? -1 : 1))
        expect(seen).toEqual(list['items'])
      }
      await server.close()
    }),
    { numRuns: 60 },
  )
}, 30_000)
