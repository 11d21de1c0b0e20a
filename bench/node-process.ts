// Process pods on one node: create to running at 8 in parallel, idle cost, memory, and re-adoption by a new agent after kill -9.
// Goals: p99 <= 250 ms for 110 pods, re-adoption <= 1 s, idle agent <= 2 % of a core. Run: node scripts/bench.mjs node-process [PODS]
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../src/base/clock.ts'
import { silentLogger } from '../src/base/log.ts'
import type { Mount, Runtime } from '../src/data-plane/node/runtime.ts'
import { createProcessRuntime } from '../src/data-plane/node/runtimes/process/index.ts'
import { machineFacts } from './machine-facts.ts'

const PARALLEL = 8
const IDLE_MS = 10_000
const WAYS = ['plain', 'bind', 'overlay', 'unprivileged'] as const
type Way = (typeof WAYS)[number]

interface Started {
  readonly wallMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly idlePercent: number
  readonly rssMb: number
}

function open(rootDir: string, way: Way): Runtime {
  const without = way === 'unprivileged' ? { limits: true, mounts: true, users: true } : {}
  const options = { rootDir, nodeName: 'bench', podCidr: '127.64.0.0/16', clock: systemClock, log: silentLogger, without }
  return createProcessRuntime(options)
}

/** What pods mount: nothing, hosts over the machine's, or also a token at a path that the machine does not have. */
function mountsOf(dir: string, way: Way): Mount[] {
  if (way === 'plain' || way === 'unprivileged') return []
  const hosts: Mount = { hostPath: join(dir, 'hosts'), mountPath: '/etc/hosts', readOnly: false }
  const token: Mount = { hostPath: join(dir, 'token'), mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true }
  return way === 'bind' ? [hosts] : [hosts, token]
}

/** Runs in a process of its own, which is then killed. */
async function start(dir: string, way: Way, pods: number): Promise<void> {
  const runtime = open(join(dir, way), way)
  await runtime.listPods()
  const limits = { cpuMillis: 500, memoryBytes: 256 * 2 ** 20 }
  const container = {
    name: 'main',
    image: 'host',
    restartCount: 0,
    env: {},
    mounts: mountsOf(dir, way),
    limits,
    command: ['sleep', '1000000'],
  }
  const times: number[] = []
  let next = 0
  const begin = performance.now()
  const worker = async (): Promise<void> => {
    while (next < pods) {
      const uid = `pod-${next++}`
      const from = performance.now()
      const sandbox = await runtime.ensureSandbox({ metadata: { name: uid, uid } })
      await runtime.startContainer(await runtime.createContainer(sandbox, container))
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  const wallMs = performance.now() - begin
  times.sort((a, b) => a - b)
  await delay(1000)
  const before = process.cpuUsage()
  await delay(IDLE_MS)
  const used = process.cpuUsage(before)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  const rssMb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  const started: Started = { wallMs, p50Ms: at(0.5), p99Ms: at(0.99), idlePercent: (used.user + used.system) / 10 / IDLE_MS, rssMb }
  process.stdout.write(`${JSON.stringify(started)}\n`)
  await delay(60_000)
}

/** The next agent: how long until it knows every pod, with its state. */
async function adopt(dir: string, way: Way): Promise<void> {
  const begin = performance.now()
  const runtime = open(join(dir, way), way)
  const pods = await runtime.listPods()
  const adoptMs = performance.now() - begin
  const relisted = performance.now()
  await runtime.listPods()
  const relistMs = performance.now() - relisted
  const sampled = performance.now()
  await runtime.usage()
  const usageMs = performance.now() - sampled
  const running = pods.filter((pod) => pod.containers[0]?.state === 'running').length
  const stopping = performance.now()
  await Promise.all(pods.flatMap(({ containers }) => containers.map(({ id }) => runtime.stopContainer(id, { graceMs: 10_000 }))))
  const stopMs = performance.now() - stopping
  for (const { sandbox } of pods) await runtime.removeSandbox(sandbox.podUid)
  await runtime.close()
  process.stdout.write(`${JSON.stringify({ adoptMs, relistMs, usageMs, running, stopMs })}\n`)
}

async function measure(dir: string, way: Way, pods: number): Promise<string> {
  const self = process.argv[1] as string
  const agent = spawn(process.execPath, [self, 'start', dir, way, String(pods)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const failed = once(agent, 'exit').then(([code]) => Promise.reject(new Error(`the agent ended with ${code}`)))
  const [line] = (await Promise.race([once(agent.stdout, 'data'), failed])) as [Buffer]
  agent.kill('SIGKILL')
  await failed.catch(() => {})
  const started = JSON.parse(line.toString()) as Started
  const adopted = JSON.parse(execFileSync(process.execPath, [self, 'adopt', dir, way], { encoding: 'utf8' })) as Record<string, number>
  const cell = (value: number | undefined, digits = 0): string => (value ?? Number.NaN).toFixed(digits)
  return `| ${[
    way,
    cell(started.wallMs),
    cell(started.p50Ms),
    cell(started.p99Ms),
    cell(started.idlePercent, 2),
    cell(started.rssMb),
    `${adopted['running']}/${pods}`,
    cell(adopted['adoptMs']),
    cell(adopted['relistMs'], 1),
    cell(adopted['usageMs'], 1),
    cell(adopted['stopMs']),
  ].join(' | ')} |`
}

async function main(pods: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-bench-'))
  try {
    chmodSync(dir, 0o755)
    mkdirSync(join(dir, 'token'))
    writeFileSync(join(dir, 'token', 'token'), 'x')
    writeFileSync(join(dir, 'hosts'), '127.0.0.1 localhost\n')
    console.log(`# ${pods} process pods, ${PARALLEL} in parallel: create to running; then kill -9 of the agent and a new one\n`)
    console.log(
      '| way | wall ms | p50 ms | p99 ms | idle % of a core | agent RSS MB | adopted | adopt ms | relist ms | usage ms | stop all ms |',
    )
    console.log('|---|---|---|---|---|---|---|---|---|---|---|')
    const ways = process.getuid?.() === 0 ? WAYS : (['unprivileged'] as const)
    for (const way of ways) console.log(await measure(dir, way, pods))
    console.log(`\n${machineFacts()}`)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

// the runtime's timers keep no process alive
const alive = setInterval(() => {}, 1000)
const [role, dir, way, pods] = process.argv.slice(2)
if (role === 'start') await start(dir as string, way as Way, Number(pods))
else if (role === 'adopt') await adopt(dir as string, way as Way)
else await main(Number(role ?? 110))
clearInterval(alive)
