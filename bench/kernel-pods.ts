// Process pods with a network namespace each (--network kernel) against pods that share the machine's network (--network loopback), by the command itself,
// control plane and one node in namespaces of their own: create to Running at 8 in parallel. Goal: p99 <= 250 ms for 110 pods.
// Run as root: node scripts/build.mjs && node scripts/bench.mjs kernel-pods [PODS] [ROUNDS]
import { join } from 'node:path'
import { LabCluster } from '../test/support/lab-cluster.ts'
import { createAll, PARALLEL, Pods } from './harness/pod-starts.ts'
import { against, quantile, report, table } from './harness/report.ts'

const GOAL_MS = 250
const root = process.env['BIPLANE_ROOT'] ?? '.'
const MODES = ['kernel', 'loopback'] as const
type Mode = (typeof MODES)[number]
/** p50 and p99, milliseconds. */
type Pair = readonly [number, number]

async function round(mode: Mode, count: number): Promise<readonly number[]> {
  const cluster = await LabCluster.start({ nodes: ['a'], nodeArgs: ['--network', mode], program: join(root, 'dist/biplane.js') })
  const seen = new Pods(cluster.client)
  try {
    return await createAll(cluster.client, seen, { count, nodeName: 'a' })
  } finally {
    await seen.close()
    await cluster.stop()
  }
}

async function main(count: number, rounds: number): Promise<void> {
  const took: Record<Mode, number[]> = { kernel: [], loopback: [] }
  for (let i = 0; i < rounds; i++) {
    for (const mode of MODES) {
      took[mode].push(...(await round(mode, count)))
      process.stderr.write(`round ${i + 1}, ${mode}: p99 so far ${quantile(took[mode], 0.99).toFixed(0)} ms\n`)
    }
  }
  const [own, shared] = MODES.map((mode) => [quantile(took[mode], 0.5), quantile(took[mode], 0.99)] as const) as [Pair, Pair]
  report('kernel-pods', [
    `# ${count} pods in network namespaces, ${PARALLEL} in parallel, ${rounds} rounds`,
    '',
    `p99 ${against(own[1], { most: GOAL_MS, unit: 'ms' })}. Against pods without a network of their own: **${(shared[0] / own[0]).toFixed(2)}x** (p50).`,
    '',
    ...table(
      ['create to Running', 'p50', 'p99'],
      MODES.map((mode, i) => [`--network ${mode}`, ...[own, shared][i]!.map((ms) => `${ms.toFixed(0)} ms`)]),
    ),
    '',
    'Services, policies and DNS of the node run beside, as in any cluster.',
  ])
}

// neither connections nor the clock keep a process alive
const alive = setInterval(() => {}, 1_000)
await main(Number(process.argv[2] ?? 110), Number(process.argv[3] ?? 2))
clearInterval(alive)
