// Cold start: from the spawn of `biplane control-plane` to the first 200 of /readyz (goal: <= 0.7 s median), and from the spawn of
// `biplane up -f examples/shop` until all its pods are ready (goal: <= 6 s).
// Run: node scripts/bench.mjs cold-start [RUNS]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { biplaneBin, startControlPlane } from './harness/control-plane.ts'
import { startCluster } from './harness/up.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'

const GOAL_MS = 700
const UP_GOAL_MS = 6000
const UP_RUNS = 5
const EXAMPLE = join(process.env['BIPLANE_ROOT'] ?? '.', 'examples/shop')

function bareNode(): number {
  const begin = performance.now()
  spawnSync(process.execPath, ['-e', '0'])
  return performance.now() - begin
}

async function main(runs: number): Promise<void> {
  const bin = biplaneBin()
  const root = mkdtempSync(join(tmpdir(), 'biplane-cold-start-'))
  const bare: number[] = []
  const fresh: number[] = []
  const existing: number[] = []
  const killed: number[] = []
  const up: number[] = []
  let pods = 0
  try {
    for (let run = 0; run < runs; run++) {
      bare.push(bareNode())
      const dataDir = join(root, String(run))
      // the same directory three times: new, after an orderly end, after a kill
      for (const [into, signal] of [
        [fresh, 'SIGTERM'],
        [existing, 'SIGKILL'],
        [killed, 'SIGTERM'],
      ] as const) {
        const plane = await startControlPlane(bin, { dataDir })
        await plane.stop(signal)
        into.push(plane.readyMs)
      }
      // a few are enough: these take seconds
      if (run < UP_RUNS) {
        const cluster = await startCluster(bin, { dataDir: join(root, `up-${run}`), files: [EXAMPLE] })
        await cluster.stop()
        up.push(cluster.readyMs)
        pods = cluster.pods
      }
      rmSync(dataDir, { recursive: true })
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  const row = (name: string, values: readonly number[]): string[] => [
    name,
    spread(values),
    (quantile(values, 0.5) / quantile(bare, 0.5)).toFixed(1),
  ]
  report('cold-start', [
    '# Cold start',
    '',
    `- fresh data directory: ${against(quantile(fresh, 0.5), { most: GOAL_MS, unit: 'ms' })}`,
    `- existing one: ${against(quantile(existing, 0.5), { most: GOAL_MS, unit: 'ms' })}`,
    `- existing one after kill -9: ${against(quantile(killed, 0.5), { most: GOAL_MS, unit: 'ms' })}`,
    `- \`up -f examples/shop\` to all ${pods} pods Ready: ${against(quantile(up, 0.5), { most: UP_GOAL_MS, unit: 'ms' })}`,
    '',
    'From the spawn of `biplane control-plane` to the first 200 of /readyz (store writable, all informers of all controllers synced), asked over TLS every',
    `3 ms by the process that started it. A fresh directory includes making the CA, the certificates and the bootstrap objects; after kill -9 the store is`,
    `first checked by a process of its own. Medians of ${runs} interleaved rounds (\`up\`: ${up.length}).`,
    '',
    ...table(
      ['start', 'ms: median (min to max)', 'times bare node'],
      [
        row('`node -e 0`', bare),
        row('fresh directory', fresh),
        row('existing directory', existing),
        row('after kill -9', killed),
        row('`up` with the example', up),
      ],
    ),
  ])
}

await main(Number(process.argv[2] ?? 9))
