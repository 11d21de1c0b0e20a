import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../src/base/errors.ts'
import { poll } from '../support/poll.ts'
import { REPOSITORY } from '../support/program.ts'
import type { MeshCluster } from './mesh-cluster.ts'

/** What is asked again and again; see mesh-traffic.mjs. */
export interface Ask {
  readonly name: string
  readonly url: string
  readonly pattern?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly everyMs?: number
  readonly workers?: number
}

/** See grpc-echo.mjs. */
export interface GrpcAsk {
  readonly name: string
  /** Host and port of a service. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly everyMs?: number
  readonly workers?: number
}

const MESH_TRAFFIC = join(REPOSITORY, 'test/mesh-support/mesh-traffic.mjs')

/** Answers by what became of them, such as `reviews 200 v1`. */
export type Outcomes = Readonly<Record<string, number>>

/** A pod of the mesh that asks without a pause. What it counts is read from its log on disk: that works while nothing else does. */
export class MeshTraffic {
  readonly #log: () => string
  readonly name: string

  private constructor(name: string, log: () => string) {
    this.name = name
    this.#log = log
  }

  /** Creates the pod and its service account, both called `name`, and waits for the first answers. */
  static async start(
    cluster: MeshCluster,
    name: string,
    options: {
      readonly namespace: string
      readonly asks: readonly (Ask | GrpcAsk)[]
      readonly annotations?: Readonly<Record<string, string>>
      /** What the asks are appended to. Default: mesh-traffic.mjs, which asks over HTTP. */
      readonly command?: readonly string[]
      readonly env?: Readonly<Record<string, string>>
    },
  ): Promise<MeshTraffic> {
    const { namespace, asks, annotations = {}, command = [process.execPath, MESH_TRAFFIC], env = {} } = options
    await cluster.apply([
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: name }, annotations },
        spec: {
          serviceAccountName: name,
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'main',
              image: 'host',
              command: [...command, JSON.stringify(asks)],
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
            },
          ],
        },
      },
    ])
    await cluster.kubectl('wait', '-n', namespace, '--for=condition=Ready', `pod/${name}`, '--timeout=60s')
    const log = await cluster.logOf(namespace, name, 'main')
    const traffic = new MeshTraffic(name, () => readFileSync(log, 'utf8'))
    await poll(`${name} asks`, () => (Object.keys(traffic.counts()).length > 0 ? true : undefined))
    return traffic
  }

  /** Since the start. */
  counts(): Outcomes {
    return this.#last().counts
  }

  get lastFailure(): string {
    return this.#last().lastFailure ?? 'none'
  }

  /** What became of requests from now on until `until` says so; `until` gets what there is so far. */
  async watch(what: string, until: (outcomes: Outcomes) => boolean): Promise<Outcomes> {
    const before = this.counts()
    let now: Outcomes = {}
    try {
      return await poll(
        what,
        () => {
          now = since(before, this.counts())
          return until(now) ? now : undefined
        },
        { withinMs: 60_000, everyMs: 50 },
      )
    } catch (error) {
      throw new Error(`${messageOf(error)}; there were ${JSON.stringify(now)}, last failure: ${this.lastFailure}`, { cause: error })
    }
  }

  /** What became of the requests that were answered while `work` went on. */
  async during(work: () => Promise<void>): Promise<Outcomes> {
    const before = this.counts()
    await work()
    return since(before, this.counts())
  }

  #last(): { readonly counts: Outcomes; readonly lastFailure?: string } {
    const line = this.#log()
      .split('\n')
      .findLast((text) => text.startsWith('{') && text.endsWith('}'))
    return line === undefined ? { counts: {} } : (JSON.parse(line) as { counts: Outcomes; lastFailure?: string })
  }
}

function since(before: Outcomes, now: Outcomes): Outcomes {
  return Object.fromEntries(
    Object.entries(now).flatMap(([what, count]) => (count > (before[what] ?? 0) ? [[what, count - (before[what] ?? 0)]] : [])),
  )
}

/** All that became of one ask, by the rest of the outcome: `200 v1`. */
export function of(outcomes: Outcomes, ask: string): Outcomes {
  return Object.fromEntries(
    Object.entries(outcomes).flatMap(([what, count]) => (what.startsWith(`${ask} `) ? [[what.slice(ask.length + 1), count]] : [])),
  )
}

export function sum(outcomes: Outcomes): number {
  return Object.values(outcomes).reduce((total, count) => total + count, 0)
}

/** Outcomes that are no success. */
export function failed(outcomes: Outcomes): Outcomes {
  return Object.fromEntries(Object.entries(outcomes).filter(([what]) => !what.includes(' 200') && !what.startsWith('200')))
}
