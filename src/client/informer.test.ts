import { expect, test } from 'vitest'
import { configMaps } from '../api/core/v1/config-map.ts'
import type { ConfigMap } from '../api/generated/types.ts'
import type { KindDefinition } from '../api/kind.ts'
import type { KubeObject } from '../api/meta/object.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { silentLogger } from '../base/log.ts'
import type { EventHandler, InformerOptions } from './cache.ts'
import { createClient } from './create-client.ts'
import { FakeApi } from './fake-api.ts'
import { createInformer } from './informer.ts'
import { createInformerFactory } from './informer-factory.ts'

function bench(options: InformerOptions = {}): ReturnType<typeof build> {
  return build(options)
}

// eslint-disable-next-line typescript/explicit-function-return-type -- the inferred type is the readable one
function build(options: InformerOptions) {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const client = createClient(api)
  const informer = createInformer(configMaps, { client, clock, random: () => 0, log: silentLogger }, options)
  const stop = new AbortController()
  const seen: string[] = []
  informer.addHandler(logTo(seen))
  const resource = client.of(configMaps)
  return {
    clock,
    api,
    informer,
    seen,
    stop,
    run: (): Promise<void> => informer.run(stop.signal),
    create: (name: string, x = '1', namespace = 'default'): Promise<ConfigMap> =>
      resource.create({ metadata: { name, namespace }, data: { x } }),
    set: (name: string, x: string): Promise<ConfigMap> => resource.patch(name, { data: { x } }, { type: 'merge', namespace: 'default' }),
    remove: (name: string): Promise<unknown> => resource.delete(name, { namespace: 'default' }),
    watches: (): string[] => api.requests.filter((request) => request.startsWith('GET')).map(shorten),
  }
}

function logTo(seen: string[]): EventHandler<ConfigMap> {
  return {
    add: (object) => void seen.push(`+${object.metadata.name}=${object.data?.['x']}`),
    update: (next, previous) => void seen.push(`~${next.metadata.name}=${previous.data?.['x']}>${next.data?.['x']}`),
    delete: (object) => void seen.push(`-${object.metadata.name}=${object.data?.['x']}`),
  }
}

/** `GET /api/v1/configmaps?...` as the words that matter. */
function shorten(request: string): string {
  const query = new URLSearchParams(request.split('?')[1] ?? '')
  if (query.get('sendInitialEvents')) return 'watchlist'
  return `${query.get('watch') ? 'watch' : 'list'}@${query.get('resourceVersion') ?? ''}`
}

test('shows what is there, then what changes, in order', async () => {
  const { clock, informer, seen, stop, run, create, set, remove, watches } = bench()
  await create('a')
  await create('b')
  const done = run()
  expect(informer.synced).toBe(false)
  await clock.advance(0)
  expect(informer.synced).toBe(true)
  await set('a', '2')
  await create('c')
  await remove('b')
  await clock.advance(0)
  expect(seen).toEqual(['+a=1', '+b=1', '~a=1>2', '+c=1', '-b=1'])
  expect(informer.lister.list().map(({ metadata }) => metadata.name)).toEqual(['a', 'c'])
  expect(watches()).toEqual(['watchlist'])
  stop.abort()
  await done
  expect(clock.timers).toBe(0)
})

test('a broken watch resumes at the last revision, so nothing is missed or shown twice', async () => {
  const { clock, api, seen, stop, run, create, set, watches } = bench()
  await create('a')
  const done = run()
  await clock.advance(10_000)
  await set('a', '2')
  await clock.advance(0)
  api.disconnect()
  await set('a', '3')
  await clock.advance(1_000)
  expect(seen).toEqual(['+a=1', '~a=1>2', '~a=2>3'])
  expect(watches()).toEqual(['watchlist', 'watch@3'])
  stop.abort()
  await done
})

test('after an expired revision it lists again and notices what was deleted or replaced meanwhile', async () => {
  const { clock, api, seen, stop, run, create, set, remove, watches } = bench()
  for (const name of ['same', 'changed', 'deleted', 'replaced']) await create(name)
  const done = run()
  await clock.advance(10_000)
  seen.length = 0
  api.intercept = ({ method }): boolean => method !== 'GET'
  api.disconnect()
  await set('changed', '2')
  await remove('deleted')
  await remove('replaced')
  await create('replaced', '9')
  api.compact()
  api.intercept = undefined
  await clock.advance(1_000)
  expect(seen).toEqual(['~same=1>1', '~changed=1>2', '-replaced=1', '+replaced=9', '-deleted=1'])
  expect(watches()).toEqual(['watchlist', 'watch@5', 'watch@5', 'watchlist'])
  stop.abort()
  await done
})

test('a server without WatchList is listed and watched', async () => {
  const { clock, api, seen, stop, run, create, watches } = bench()
  api.watchList = false
  await create('a')
  const done = run()
  await clock.advance(0)
  await create('b')
  await clock.advance(0)
  expect(seen).toEqual(['+a=1', '+b=1'])
  expect(watches()).toEqual(['watchlist', 'list@0', 'watch@2'])
  stop.abort()
  await done
})

test('a server that ignores sendInitialEvents is found out after ten seconds', async () => {
  const { clock, api, informer, stop, run, create, watches } = bench()
  await create('a')
  const send = api.send.bind(api)
  api.send = (request): ReturnType<typeof send> => {
    const { sendInitialEvents, ...query } = request.query ?? {}
    return send(request).then((response) => (sendInitialEvents ? send({ ...request, query }) : response))
  }
  const done = run()
  await clock.advance(9_999)
  expect(informer.synced).toBe(false)
  await clock.advance(1)
  expect(informer.synced).toBe(true)
  expect(watches().slice(-2)).toEqual(['list@0', 'watch@2'])
  stop.abort()
  await done
})

test('a server that is away is asked again with growing delays, and found when it is back', async () => {
  const { clock, api, informer, stop, run } = bench()
  const asked: number[] = []
  api.intercept = (): boolean => {
    asked.push(clock.monotonic())
    return clock.monotonic() > 2_000
  }
  const done = run()
  await clock.advance(10_000)
  expect(asked).toEqual([0, 100, 300, 700, 1500, 3100])
  expect(informer.synced).toBe(true)
  stop.abort()
  await done
})

test('a handler that comes late is given the present objects', async () => {
  const { clock, informer, stop, run, create } = bench()
  const done = run()
  await create('a')
  await clock.advance(0)
  const late: string[] = []
  const remove = informer.addHandler(logTo(late))
  await create('b')
  await clock.advance(0)
  remove()
  await create('c')
  await clock.advance(0)
  expect(late).toEqual(['+a=1', '+b=1'])
  stop.abort()
  await done
})

test('the transform decides what is kept, and indexes see that', async () => {
  const { clock, informer, stop, run, create } = bench({
    transform: (object) => ({ metadata: { ...object.metadata, labels: { kept: 'yes' } } }),
  })
  informer.addIndex('kept', (object) => [object.metadata.labels?.['kept'] ?? ''])
  const done = run()
  await create('a')
  await clock.advance(0)
  expect(informer.lister.byIndex('kept', 'yes').map(({ data }) => data)).toEqual([undefined])
  expect(() => informer.addIndex('late', () => [])).toThrow(expect.objectContaining({ code: 'AlreadyStarted' }))
  stop.abort()
  await done
})

test('a transform or index that throws costs that object only its part', async () => {
  const { clock, informer, seen, stop, run, create, set } = bench({
    transform(object) {
      if (object.metadata.name === 'bad') throw new Error('cannot transform')
      return object
    },
  })
  informer.addIndex('i', (object) => {
    if (object.metadata.name === 'bad') throw new Error('cannot index')
    return ['all']
  })
  const done = run()
  await create('bad')
  await create('good')
  await set('bad', '2')
  await clock.advance(0)
  expect(seen).toEqual(['+bad=1', '+good=1', '~bad=1>2'])
  expect(informer.lister.byIndex('i', 'all').map(({ metadata }) => metadata.name)).toEqual(['good'])
  stop.abort()
  await done
})

test('waiting for sync ends with the signal', async () => {
  const { informer } = bench()
  const stop = new AbortController()
  const waiting = informer.whenSynced(stop.signal)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

test('a factory shares informers of one selection and runs those made later', async () => {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const factory = createInformerFactory({ client: createClient(api), clock, random: () => 0, log: silentLogger })
  const all = factory.informer(configMaps)
  expect(factory.informer(configMaps)).toBe(all)
  expect(factory.informer(configMaps, { namespace: 'a' })).not.toBe(all)
  const stop = new AbortController()
  const done = factory.run(stop.signal)
  await factory.whenSynced()
  const late = factory.informer(configMaps, { labelSelector: 'x=y' })
  late.addIndex('i', () => [])
  expect(factory.pending()).toEqual(['configmaps'])
  await late.whenSynced()
  stop.abort()
  await done
})

test('a factory keeps of each kind what it is told to; a transform of the informer itself comes first', async () => {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const client = createClient(api)
  const label = (text: string) => (object: KubeObject) => ({ metadata: { ...object.metadata, labels: { kept: text } } })
  const transformOf = (kind: KindDefinition) => (kind.kind === 'ConfigMap' ? label('by kind') : undefined)
  const factory = createInformerFactory({ client, clock, random: () => 0, log: silentLogger, transformOf })
  await client.of(configMaps).create({ metadata: { name: 'a', namespace: 'default' }, data: { x: '1' } })
  const plain = factory.informer(configMaps)
  const own = factory.informer(configMaps, { transform: label('own') })
  const stop = new AbortController()
  const done = factory.run(stop.signal)
  await factory.whenSynced()
  expect(plain.lister.list()).toMatchObject([{ metadata: { name: 'a', labels: { kept: 'by kind' } } }])
  expect(plain.lister.list()[0]?.data).toBeUndefined()
  expect(own.lister.list()).toMatchObject([{ metadata: { labels: { kept: 'own' } } }])
  stop.abort()
  await done
})
