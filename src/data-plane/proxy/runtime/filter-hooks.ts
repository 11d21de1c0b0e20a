import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { ClusterManager } from '../clusters/index.ts'
import type { TimerWheel } from '../engine/index.ts'
import { claimsOf, createJwtLayer, createTracingLayer, SpanExporter, type PostJson } from '../filters/index.ts'
import type { HttpStackDeps } from '../layers/index.ts'

/** What stacks need beyond decisions on the spot. */
export interface FilterHooks extends Pick<HttpStackDeps, 'createTracingLayer' | 'createFilterLayer' | 'claimsOf' | 'startMirror'> {
  close(): void
}

export interface FilterHookOptions {
  readonly clusters: ClusterManager
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly wheel: TimerWheel
  readonly service: string
}

const POST_MS = 5_000

/** Puts the filters together that ask others or tell others. */
export function createFilterHooks(options: FilterHookOptions): FilterHooks {
  const { clock, random, log, service } = options
  const exporters = new Map<string, SpanExporter>()
  const closing: (() => void)[] = []
  return {
    claimsOf,
    createTracingLayer(tracing) {
      const key = JSON.stringify(tracing.backend)
      const exporter =
        exporters.get(key) ?? new SpanExporter({ backend: tracing.backend, service, resource: {}, post: postJson, clock, log })
      exporters.set(key, exporter)
      return createTracingLayer({ tracing, kind: 'server', exporter, clock, random })
    },
    createFilterLayer(filter) {
      if (filter.type !== 'jwt') throw new Error(`filter "${filter.name}" of type ${filter.type} cannot be executed by this proxy yet`)
      const jwt = createJwtLayer(filter, {
        clock,
        fetch: ({ uri }) => Promise.reject(new Error(`${uri} cannot be fetched by this proxy yet: give the keys inline`)),
      })
      closing.push(() => jwt.close())
      return jwt.layer
    },
    startMirror: () => ({ write() {} }),
    close() {
      for (const close of closing) close()
      for (const exporter of exporters.values()) void exporter.flush()
    },
  }
}

const postJson: PostJson = async (url, body) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(POST_MS),
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`${url} answers ${response.status}`)
}
