// Memory of a sidecar as it runs in a pod: at rest, and after 1,000 services with ten endpoints each have come to the mesh, none of which its application dials:
// a sidecar asks for what is dialled. Goals: 45 MB at rest, 2 MB more with the services. Beside it a process of Node that does nothing.
// Run as root: node scripts/build.mjs && node scripts/bench.mjs sidecar-memory [SERVICES]
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { kernelCluster, type MeshCluster } from '../test/mesh-support/mesh-cluster.ts'
import { against, report, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'

const root = process.env['BIPLANE_ROOT'] ?? '.'
const NAMESPACE = 'rest'
const POD = 'sidecar-memory'
const ENDPOINTS = 10
/** What is garbage after a start or a change is gone by then. */
const REST_MS = 20_000

function sidecarOf(pod: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const [environ, cmdline] = ['environ', 'cmdline'].map((file) => readFileSync(`/proc/${entry}/${file}`, 'utf8').split('\0'))
      if (environ?.includes(`POD_NAME=${pod}`) && cmdline?.includes('sidecar') && cmdline[0]?.endsWith('node')) return Number(entry)
    } catch {
      // it has ended meanwhile
    }
  }
  throw new Error(`no sidecar of pod ${pod}`)
}

async function addServices(cluster: MeshCluster, count: number): Promise<void> {
  const addressOf = (i: number): string => `10.99.${(i >> 8) & 255}.${i & 255}`
  const objects = Array.from({ length: count }, (_, i) => [
    { apiVersion: 'v1', kind: 'Service', metadata: { name: `s${i}`, namespace: NAMESPACE }, spec: { ports: [{ name: 'http', port: 80 }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `s${i}`, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': `s${i}` } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      endpoints: Array.from({ length: ENDPOINTS }, (_, e) => ({ addresses: [addressOf(i * ENDPOINTS + e)], conditions: { ready: true } })),
    },
  ]).flat()
  for (let from = 0; from < objects.length; from += 200) await cluster.apply(objects.slice(from, from + 200))
}

async function main(count: number): Promise<void> {
  const cluster = await kernelCluster([], { nodes: ['a'], program: join(root, 'dist/biplane.js') })
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], { stdio: 'ignore' })
  try {
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'kuma.io/sidecar-injection': 'enabled' } } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: POD, namespace: NAMESPACE },
        spec: { containers: [{ name: 'main', image: 'host', command: ['sleep', '100000'] }] },
      },
    ])
    await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${POD}`, '--timeout=60s')
    const pid = sidecarOf(POD)
    await delay(REST_MS)
    const { rssMb: rest, rssAnonMb: restOwn } = usageOf(pid)
    await addServices(cluster, count)
    await delay(REST_MS)
    const { rssMb: after, rssAnonMb: afterOwn } = usageOf(pid)
    const { rssMb: idle, rssAnonMb: idleOwn } = usageOf(bare.pid as number)
    report('sidecar-memory', [
      '# Memory of a sidecar in its pod',
      '',
      `- at rest: ${against(rest, { most: 45, unit: 'MB' })}`,
      `- more with ${count} services of ${ENDPOINTS} endpoints in the mesh: ${against(Math.max(0.1, after - rest), { most: 2, unit: 'MB' })}`,
      '',
      ...table(
        ['resident memory, MB', 'at rest', 'of that anonymous', `with ${count} services`, 'of that anonymous'],
        [
          ['sidecar', rest.toFixed(1), restOwn.toFixed(1), after.toFixed(1), afterOwn.toFixed(1)],
          ['Node that does nothing', idle.toFixed(1), idleOwn.toFixed(1), '', ''],
        ],
      ),
      '',
      'Anonymous is what a further sidecar costs: the rest is pages of files (the program node, libraries), which processes share and which are counted in each of them.',
    ])
  } finally {
    bare.kill()
    await cluster.stop()
  }
}

// neither connections nor the clock keep a process alive
const alive = setInterval(() => {}, 1_000)
await main(Number(process.argv[2] ?? 1_000))
clearInterval(alive)
