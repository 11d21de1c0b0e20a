// Restart of the whole control plane with 150,000 running pods of 2 KB: time to /readyz, and anonymous memory after a minute of rest.
// Goals: <= 4 s, <= 400 MB. Run: node scripts/bench.mjs big-restart [PODS] [RUNS] [REST_SECONDS]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { biplaneBin, startControlPlane } from './harness/control-plane.ts'
import { writeLoad } from './harness/load.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'
import type { Usage } from './harness/usage.ts'

interface Restart {
  readonly how: string
  readonly listeningMs: number
  readonly readyMs: number
  readonly cpuMs: number
  readonly ready: Usage
  readonly rested: Usage
}

// nodes have no agents here: they must not be taken for dead
const ARGS = ['--node-grace-period', '30m']

async function restart(bin: string, dataDir: string, options: { how: string; restMs: number; signal: NodeJS.Signals }): Promise<Restart> {
  const nodeArgs = (process.env['BIPLANE_NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== '')
  const plane = await startControlPlane(bin, { dataDir, args: ARGS, nodeArgs })
  const ready = plane.usage()
  await delay(options.restMs)
  const rested = plane.usage()
  await plane.stop(options.signal)
  return { how: options.how, listeningMs: plane.listeningMs, readyMs: plane.readyMs, cpuMs: ready.cpuMs, ready, rested }
}

async function main(pods: number, runs: number, restMs: number): Promise<void> {
  const bin = biplaneBin()
  const dataDir = mkdtempSync(join(tmpdir(), 'biplane-big-restart-'))
  try {
    const podBytes = await writeLoad(dataDir, { pods })
    // the first start completes what the load left out: accounts and CAs of its namespaces
    await restart(bin, dataDir, { how: 'first', restMs: 5000, signal: 'SIGTERM' })
    const found: Restart[] = []
    for (let run = 0; run < runs; run++) {
      const last = run === runs - 1
      found.push(await restart(bin, dataDir, { how: 'after an orderly end', restMs, signal: last ? 'SIGKILL' : 'SIGTERM' }))
    }
    const killed = await restart(bin, dataDir, { how: 'after kill -9', restMs, signal: 'SIGTERM' })
    const readyMs = found.map((one) => one.readyMs)
    const memory = [...found, killed].map((one) => one.rested.rssAnonMb)
    const cells = (one: Restart): string[] => [
      one.how,
      one.listeningMs.toFixed(0),
      one.readyMs.toFixed(0),
      one.cpuMs.toFixed(0),
      one.ready.rssAnonMb.toFixed(0),
      one.rested.rssAnonMb.toFixed(0),
      one.rested.peakRssMb.toFixed(0),
    ]
    report('big-restart', [
      `# Restart of the control plane with ${pods} pods`,
      '',
      `- to /readyz: ${against(quantile(readyMs, 0.5), { most: 4000, unit: 'ms' })}`,
      `- anonymous memory after ${restMs / 1000} s of rest: ${against(quantile(memory, 0.5), { most: 400, unit: 'MB' })}`,
      '',
      `The whole process (store, API server, controllers, scheduler, informers of all of them) over ${pods} running pods of ${podBytes.toFixed(0)} bytes on average,`,
      `owned by ${Math.ceil(pods / 300)} replica sets in 50 namespaces, on ${Math.ceil(pods / 100)} nodes. Median (min to max) of ready: ${spread(readyMs)} ms. After kill -9 a`,
      'process of its own checks the store first.',
      '',
      ...table(
        [
          'restart',
          'listens after ms',
          '/readyz after ms',
          'CPU until then ms',
          'RssAnon MB when ready',
          'RssAnon MB rested',
          'peak RSS MB (with the mapped file)',
        ],
        [...found, killed].map(cells),
      ),
    ])
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

const [pods = '150000', runs = '3', restSeconds = '60'] = process.argv.slice(2)
await main(Number(pods), Number(runs), Number(restSeconds) * 1000)
