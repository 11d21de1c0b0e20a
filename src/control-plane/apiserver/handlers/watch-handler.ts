import type { ServerResponse, ServerWatchEvent } from '../contract.ts'
import { waitUntilFresh, watchObjects } from '../registry/index.ts'
import { renderingOf, type Call } from './call.ts'
import { listOptions, type ListOptions } from './list-options.ts'
import { bookmarkEvent, eventForm } from './render.ts'

/** Without `timeoutSeconds` a watch lasts this long and up to twice as long. Source: k8s.io/apiserver MinRequestTimeout. */
const MIN_TIMEOUT_SECONDS = 1800

export async function watchHandler(call: Call): Promise<ServerResponse> {
  const { context, resource, request } = call
  const rendering = renderingOf(call)
  const options = listOptions(request, call.info, resource.kind)
  const after = await startOf(call, options)
  const events = watchObjects(
    {
      store: context.store,
      clock: context.clock,
      hub: context.hubOf(resource),
      bookmark: (revision, initialEnd) => bookmarkEvent(resource, rendering, { revision, initialEnd }),
    },
    {
      resource,
      selection: options.selection,
      form: eventForm(resource, rendering),
      after,
      bookmarks: options.bookmarks,
      markInitialEnd: options.sendInitialEvents === true && options.bookmarks,
      timeoutMs: (options.timeoutSeconds || MIN_TIMEOUT_SECONDS * (1 + context.random())) * 1000,
      signal: request.signal,
    },
  )
  return { status: 200, body: { type: 'events', events: counted(call, events) } }
}

/**
 * The revision after which changes are wanted, or undefined when the present objects come first: with
 * `sendInitialEvents`, and as ever when no resourceVersion or `0` is given.
 */
async function startOf(call: Call, options: ListOptions): Promise<bigint | undefined> {
  const { resourceVersion, sendInitialEvents } = options
  const { store, clock } = call.context
  if (sendInitialEvents) {
    if (resourceVersion) await waitUntilFresh(store, clock, resourceVersion)
    return undefined
  }
  if (resourceVersion) return resourceVersion
  return sendInitialEvents === false ? (await store.status()).revision : undefined
}

/** The same events, counted for the metrics. */
function counted(call: Call, events: AsyncIterable<ServerWatchEvent>): AsyncIterable<ServerWatchEvent> {
  const { metrics } = call.context
  return {
    [Symbol.asyncIterator]() {
      const sent = metrics.watchEvents(call.info)
      const running = metrics.longRunning(call.info)
      const inner = events[Symbol.asyncIterator]()
      let open = true
      running.add(1)
      const close = (): void => {
        if (open) running.add(-1)
        open = false
      }
      return {
        async next() {
          const result = await inner.next()
          if (result.done) close()
          else sent.inc()
          return result
        },
        return() {
          close()
          return inner.return?.() ?? Promise.resolve({ value: undefined, done: true })
        },
      }
    },
  }
}
