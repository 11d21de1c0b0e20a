import { FakeClock } from '../../../base/fake-clock.ts'
import { StatusError } from '../../../base/errors.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics, type Metrics } from '../../../base/metrics.ts'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { WatchEvent } from '../../../api/meta/object.ts'
import { createMemoryStore } from '../../store/index.ts'
import type { Store } from '../../store/contract.ts'
import type { ServerRequest, ServerResponse } from '../contract.ts'
import { normalizePath } from '../http/normalize-path.ts'
import { parseQuery } from '../http/query.ts'
import { createResourceHandler, type ResourceHandler, type ResourceHandlerDeps } from './resource-handler.ts'

/** Any JSON object of an answer: tests look where they like. */
export type Json = Record<string, any>

export interface TestServer {
  readonly handler: ResourceHandler
  readonly store: Store
  readonly clock: FakeClock
  readonly metrics: Metrics
  /** Sends `GET /path?query`, with a body as JSON bytes; the answer's JSON. */
  send(line: string, body?: unknown, headers?: Record<string, string>): Promise<Json>
  /** The same; the answer as the shell gets it. */
  answer(line: string, body?: unknown, headers?: Record<string, string>): Promise<ServerResponse>
  /** The error a request is refused with. */
  refusal(line: string, body?: unknown, headers?: Record<string, string>): Promise<StatusError>
  /** Opens a watch. */
  watch(path: string, headers?: Record<string, string>, signal?: AbortSignal): Promise<TestWatch>
  close(): Promise<void>
}

export interface TestWatch {
  /** The next `count` events. */
  take(count: number): Promise<readonly WatchEvent<any>[]>
  /** Everything up to the end of the watch. */
  rest(): Promise<readonly WatchEvent<any>[]>
  close(): Promise<void>
}

/** A resource handler on a memory store with the namespaces `default` and `kube-system`, driven without sockets. */
export async function testServer(
  options: Partial<ResourceHandlerDeps> & { readonly extraKinds?: readonly KindDefinition[] } = {},
): Promise<TestServer> {
  const clock = new FakeClock()
  const store = options.store ?? createMemoryStore({ clock, compaction: false })
  const metrics = options.metrics ?? createMetrics()
  let uids = 0
  let seed = 1
  const handler = createResourceHandler({
    store,
    kinds: [...BUILT_IN_KINDS, ...(options.extraKinds ?? [])],
    clock,
    random: () => (seed = (seed * 16807) % 2147483647) / 2147483647,
    uuid: () => `00000000-0000-4000-8000-${String(++uids).padStart(12, '0')}`,
    log: silentLogger,
    metrics,
    ...options,
  })
  const answer: TestServer['answer'] = (line, body, headers) => handler.handle(requestOf(line, body, headers))
  const server: TestServer = {
    handler,
    store,
    clock,
    metrics,
    answer,
    send: async (line, body, headers) => jsonOf(await answer(line, body, headers)),
    refusal: async (line, body, headers) => {
      const refused = await answer(line, body, headers).then(
        (response) => new Error(`${line} was answered with ${response.status}`),
        (error: unknown) => error,
      )
      if (refused instanceof StatusError) return refused
      throw refused
    },
    watch: async (path, headers, signal) => {
      const response = await handler.handle({ ...requestOf(`GET ${path}`, undefined, headers), ...(signal ? { signal } : {}) })
      return testWatch(response)
    },
    close: async () => {
      await handler.close()
      await store.close()
    },
  }
  for (const name of ['default', 'kube-system']) await server.send('POST /api/v1/namespaces', { metadata: { name } })
  return server
}

/** The parsed body of an answer. */
export function jsonOf(response: ServerResponse): Json {
  return JSON.parse(textOf(response)) as Json
}

/** The body of an answer. */
export function textOf({ body }: ServerResponse): string {
  if (body.type === 'object') return JSON.stringify(body.value)
  if (body.type !== 'json') throw new Error(`the answer is ${body.type}`)
  return Buffer.concat(body.chunks).toString()
}

function requestOf(line: string, body?: unknown, headers?: Record<string, string>): ServerRequest {
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  return {
    method: method as ServerRequest['method'],
    path: normalizePath(path),
    query: parseQuery(query),
    headers: headers ?? {},
    user: { name: 'alice', groups: ['system:authenticated'] },
    ...(body === undefined
      ? {}
      : { body: body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }),
  }
}

function testWatch(response: ServerResponse): TestWatch {
  if (response.body.type !== 'events') throw new Error(`the answer is ${response.body.type}`)
  const events = response.body.events[Symbol.asyncIterator]()
  const take = async (count: number): Promise<WatchEvent<any>[]> => {
    const taken: WatchEvent<any>[] = []
    while (taken.length < count) {
      const { value, done } = await events.next()
      if (done) break
      taken.push(JSON.parse(Buffer.from(value.line).toString()) as WatchEvent)
    }
    return taken
  }
  return {
    take,
    rest: () => take(Number.POSITIVE_INFINITY),
    close: async () => void (await events.return?.()),
  }
}

export const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(labels ? { labels } : {}) },
  data,
})

export const pod = (name: string, spec: Json = {}, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'main', image: 'busybox' }], ...spec },
})

export const deployment = (name: string, replicas = 1, metadata: Json = {}): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, ...metadata },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'busybox' }] } },
  },
})
