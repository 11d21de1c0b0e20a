import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pod } from '../../src/api/generated/types.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import type { LabCluster } from '../support/lab-cluster.ts'
import { poll } from '../support/poll.ts'
import { REPOSITORY } from '../support/program.ts'

export interface Count {
  readonly answered: number
  readonly failures: readonly string[]
  /** Longest wait for an answer that was seen, milliseconds. */
  readonly slowestMs: number
}

/** Pods that ask without a pause (support/pod-traffic.mjs). What they count is read from their logs on disk: that works while nothing else does. */
export class Visitors {
  readonly #logs = new Map<string, string>()

  /** One on each node. @param asks by name: URL, and what an answer must and must not contain */
  static async start(cluster: LabCluster, asks: Readonly<Record<string, readonly string[]>>): Promise<Visitors> {
    const program = join(cluster.dir, 'pod-traffic.mjs')
    copyFileSync(join(REPOSITORY, 'test/support/pod-traffic.mjs'), program)
    const visitors = new Visitors()
    for (const { name: node, dataDir } of cluster.nodes) {
      for (const [what, args] of Object.entries(asks)) {
        const name = `visitor-${what}-${node}`
        const pod: Pod = await cluster.createPod(name, {
          node,
          labels: { app: 'visitor' },
          command: [process.execPath, program, ...args],
        })
        visitors.#logs.set(name, join(dataLayout(dataDir).node(node).pods, 'pods', pod.metadata.uid ?? '', 'containers/main/0/log'))
      }
    }
    return visitors
  }

  count(): Count {
    const counts = [...this.#logs].map(([name, path]) => readCount(name, readFileSync(path, 'utf8')))
    return {
      answered: counts.reduce((sum, { answered }) => sum + answered, 0),
      failures: counts.flatMap(({ failures }) => failures),
      slowestMs: Math.max(...counts.map(({ slowestMs }) => slowestMs)),
    }
  }

  /** Waits until each visitor has got so many answers more. */
  async served(more: number): Promise<void> {
    const read = (): readonly (readonly [string, number])[] =>
      [...this.#logs].map(([name, path]) => [name, readCount(name, readFileSync(path, 'utf8')).answered] as const)
    const before = new Map(read())
    await poll(
      `${more} answers for each visitor`,
      () => read().every(([name, answered]) => answered >= (before.get(name) ?? 0) + more) || undefined,
    )
  }
}

function readCount(name: string, log: string): Count {
  const lines = log.split('\n')
  const counts = lines.flatMap((line) => /^answered (\d+) slowest (\d+)$/.exec(line)?.slice(1).map(Number) ?? [])
  return {
    answered: counts.at(-2) ?? 0,
    failures: lines.filter((line) => line.startsWith('failed')).map((line) => `${name}: ${line}`),
    slowestMs: Math.max(0, ...counts.filter((_, i) => i % 2 === 1)),
  }
}
