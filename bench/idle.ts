// What an idle all-in-one cluster costs: CPU of control plane and node agent over a minute, and their memory; empty, and with the example running.
// Goals: <= 1.5 % of a core together, <= 130 MB and <= 80 MB. Run: node scripts/bench.mjs idle [SECONDS] [empty|example]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { biplaneBin } from './harness/control-plane.ts'
import { against, report, table } from './harness/report.ts'
import { startCluster, type Cluster } from './harness/up.ts'
import { usageOf, type Usage } from './harness/usage.ts'

/** Until caches have filled, first looks are over and the engine has optimized what it will. */
const SETTLE_MS = 30_000

interface Cost {
  readonly name: string
  readonly cpuPercent: number
  readonly wakeUpsPerSecond: number
  readonly usage: Usage
}

async function measure(cluster: Cluster, seconds: number): Promise<readonly Cost[]> {
  await delay(SETTLE_MS)
  const roles = cluster.roles()
  const before = roles.map(({ pid }) => usageOf(pid))
  await delay(seconds * 1000)
  return roles.map(({ name, pid }, i) => {
    const usage = usageOf(pid)
    const from = before[i] as Usage
    return {
      name,
      usage,
      cpuPercent: (usage.cpuMs - from.cpuMs) / (seconds * 10),
      wakeUpsPerSecond: (usage.wakeUps - from.wakeUps) / seconds,
    }
  })
}

async function run(files: readonly string[], seconds: number): Promise<readonly Cost[]> {
  const root = mkdtempSync(join(tmpdir(), 'biplane-idle-'))
  const cluster = await startCluster(biplaneBin(), { dataDir: join(root, 'data'), files })
  try {
    return await measure(cluster, seconds)
  } finally {
    await cluster.stop()
    rmSync(root, { recursive: true, force: true })
  }
}

function goals(what: string, costs: readonly Cost[]): string[] {
  const of = (name: string): Cost | undefined => costs.find((cost) => cost.name === name)
  const plane = of('control-plane')
  const node = of('node')
  const together = (plane?.cpuPercent ?? Number.NaN) + (node?.cpuPercent ?? Number.NaN)
  return [
    `- ${what}, CPU of control plane and agent: ${against(together, { most: 1.5, unit: '% of a core' })}`,
    `- ${what}, memory (RSS) of the control plane: ${against(plane?.usage.rssMb ?? Number.NaN, { most: 130, unit: 'MB' })}`,
    `- ${what}, memory (RSS) of the agent: ${against(node?.usage.rssMb ?? Number.NaN, { most: 80, unit: 'MB' })}`,
  ]
}

async function main(seconds: number, only: string | undefined): Promise<void> {
  const all: [string, readonly Cost[]][] = []
  if (only !== 'example') all.push(['without pods', await run([], seconds)])
  if (only !== 'empty') all.push(['with examples/shop', await run([join(process.env['BIPLANE_ROOT'] ?? '.', 'examples/shop')], seconds)])
  report('idle', [
    '# An idle all-in-one cluster',
    '',
    ...all.flatMap(([what, costs]) => goals(what, costs)),
    '',
    `\`biplane up\` as a user starts it; ${SETTLE_MS / 1000} s after everything was ready, over ${seconds} s. The supervisor is a third process.`,
    '',
    ...table(
      ['cluster', 'process', '% of a core', 'wake-ups/s (main thread)', 'RSS MB', 'of it anonymous MB', 'threads'],
      all.flatMap(([what, costs]) =>
        costs.map((cost) => [
          what,
          cost.name,
          cost.cpuPercent.toFixed(2),
          cost.wakeUpsPerSecond.toFixed(1),
          cost.usage.rssMb.toFixed(0),
          cost.usage.rssAnonMb.toFixed(0),
          String(cost.usage.threads),
        ]),
      ),
    ),
  ])
}

const [seconds = '60', only] = process.argv.slice(2)
await main(Number(seconds), only)
