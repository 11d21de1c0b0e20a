// Process pods through the whole stack, control plane and node agent as two processes: create to Running at 8 in parallel, what an idle agent
// costs, and re-adoption after kill -9 of the agent. Goals: p99 <= 250 ms for 110 pods, re-adoption <= 1 s, idle <= 1.5 % of a core and
// agent <= 80 MB. Run: node scripts/bench.mjs process-pods [PODS]; as a user other than root it measures without mounts and limits.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pods } from '../src/api/core/v1/pod.ts'
import type { Client } from '../src/client/client.ts'
import { Processes } from '../test/node-agent-support/processes.ts'
import { at, createAll, here, PARALLEL, Pods } from './harness/pod-starts.ts'
import { machineFacts } from './machine-facts.ts'

const SETTLE_MS = 15_000
const IDLE_MS = 30_000
const root = process.env['BIPLANE_ROOT'] ?? '.'

/** Share of one core that a process used over a while, and its memory. */
async function idle(processes: Processes, roles: readonly ('node' | 'control-plane')[]): Promise<{ percent: number[]; rssMb: number[] }> {
  const before = await Promise.all(roles.map((role) => processes.usage(role)))
  await delay(IDLE_MS)
  const after = await Promise.all(roles.map((role) => processes.usage(role)))
  return {
    percent: after.map(({ cpuMs }, i) => ((cpuMs - (before[i]?.cpuMs ?? 0)) / IDLE_MS) * 100),
    rssMb: after.map(({ rssMb }) => rssMb),
  }
}

/** From the start of a new agent until a pod that was deleted meanwhile is gone: by then every pod has its worker again. */
async function readopt(processes: Processes, client: Client, seen: Pods): Promise<{ processMs: number; allMs: number }> {
  await processes.kill('node')
  await client.of(pods).delete('pod-0', here)
  const gone = seen.until('pod-0', (pod) => pod === undefined)
  const begin = performance.now()
  await processes.start('node')
  const processMs = performance.now() - begin
  await gone
  return { processMs, allMs: performance.now() - begin }
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)

async function main(count: number): Promise<string> {
  const processes = new Processes()
  try {
    await processes.bundle(root)
    await processes.start('control-plane')
    const client = processes.client()
    await processes.start('node')
    await delay(1_000)
    const seen = new Pods(client)
    const empty = await idle(processes, ['node'])
    say(`idle without pods: ${JSON.stringify(empty)}`)
    const took = await createAll(client, seen, { count, nodeName: processes.nodeName })
    await delay(SETTLE_MS)
    const full = await idle(processes, ['node', 'control-plane'])
    say(`idle with pods: ${JSON.stringify(full)}; p99 ${at(took, 0.99)} ms`)
    const starts = seen.list.map(({ status }) => status?.containerStatuses?.[0]?.containerID)
    const adoption = await readopt(processes, client, seen)
    await delay(3_000)
    const same = seen.list.filter(
      ({ status }) => starts.includes(status?.containerStatuses?.[0]?.containerID) && status?.phase === 'Running',
    ).length
    await seen.close()
    const verdict = (value: number, goal: number): string => (value <= goal ? 'met' : 'missed')
    const row = (what: string, value: string, goal: string, met: string): string => `| ${what} | ${value} | ${goal} | ${met} |`
    const [p50, p99] = [at(took, 0.5), at(took, 0.99)]
    const cpu = full.percent.reduce((sum, percent) => sum + percent, 0)
    return [
      `# ${count} process pods through control plane and node agent, ${PARALLEL} in parallel`,
      '',
      '| what | measured | goal | |',
      '|---|---|---|---|',
      row('create to Running, p50', `${p50.toFixed(0)} ms`, '', ''),
      row('create to Running, p99', `${p99.toFixed(0)} ms`, '250 ms', verdict(p99, 250)),
      row('new agent registered after kill -9 (process start included)', `${adoption.processMs.toFixed(0)} ms`, '', ''),
      row(
        'all pods re-adopted, and one deleted meanwhile stopped and gone',
        `${adoption.allMs.toFixed(0)} ms`,
        '1000 ms',
        verdict(adoption.allMs, 1_000),
      ),
      row('pods still in the same start afterwards', `${same} of ${count - 1}`, `${count - 1}`, same === count - 1 ? 'met' : 'missed'),
      row('idle agent without pods', `${empty.percent[0]?.toFixed(2)} % of a core, ${empty.rssMb[0]?.toFixed(0)} MB`, '', ''),
      row(`idle agent with ${count} pods: CPU`, `${full.percent[0]?.toFixed(2)} % of a core`, '', ''),
      row(`idle agent with ${count} pods: memory`, `${full.rssMb[0]?.toFixed(0)} MB`, '80 MB', verdict(full.rssMb[0] ?? Infinity, 80)),
      row(
        'idle control plane',
        `${full.percent[1]?.toFixed(2)} % of a core, ${full.rssMb[1]?.toFixed(0)} MB`,
        '130 MB',
        verdict(full.rssMb[1] ?? Infinity, 130),
      ),
      row('both, idle: CPU', `${cpu.toFixed(2)} % of a core`, '1.5 %', verdict(cpu, 1.5)),
      '',
      `${process.getuid?.() === 0 ? 'As root: private mounts, cgroups, an unprivileged user. ' : 'Not as root. '}Idle over ${IDLE_MS / 1000} s. ${machineFacts()}`,
      '',
    ].join('\n')
  } finally {
    await processes.close()
  }
}

// neither connections nor the clock keep a process alive
const alive = setInterval(() => {}, 1_000)
const report = await main(Number(process.argv[2] ?? 110))
process.stdout.write(report)
const results = join(root, 'bench/results')
mkdirSync(results, { recursive: true })
writeFileSync(join(results, 'process-pods.md'), report)
clearInterval(alive)
