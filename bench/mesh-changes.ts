// Changes under load: a rolling update, a canary in steps of 10 % and a change of the certificate authority while a pod of the mesh sends RPS requests a second
// through its sidecar and that of the servers (mutual TLS), pods in network namespaces of their own. Goal: no failed request.
// Run as root: node scripts/build.mjs && node scripts/bench.mjs mesh-changes [RPS]
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kernelCluster, type MeshCluster } from '../test/mesh-support/mesh-cluster.ts'
import { poll } from '../test/support/poll.ts'
import { report, table } from './harness/report.ts'

const root = process.env['BIPLANE_ROOT'] ?? '.'
const NAMESPACE = 'load'
const AUTHORITIES = 'mesh-ca.default.mesh.local'

interface Count {
  readonly sent: number
  readonly answered: Readonly<Record<string, number>>
  readonly failed: Readonly<Record<string, number>>
  readonly late: number
  readonly p50: number
  readonly p99: number
}

function server(version: string): readonly object[] {
  const program =
    `const server = require('node:http').createServer((_, response) => response.end(${JSON.stringify(version)})).listen(8080)\n` +
    `process.on('SIGTERM', () => server.close(() => process.exit(0)))`
  const labels = { app: 'server', version }
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `server-${version}`, namespace: NAMESPACE },
      spec: { selector: labels, ports: [{ name: 'http', port: 8080 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: `server-${version}`, namespace: NAMESPACE },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 5,
            containers: [
              {
                name: 'main',
                image: 'node:22',
                args: ['-e', program],
                ports: [{ containerPort: 8080 }],
                readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
  ]
}

const route = (v2: number): object => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'server', namespace: NAMESPACE },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'server', port: 8080 }],
    rules: [
      {
        backendRefs: [
          { name: 'server-v1', port: 8080, weight: 100 - v2 },
          { name: 'server-v2', port: 8080, weight: v2 },
        ],
      },
    ],
  },
})

async function main(rps: number): Promise<void> {
  const cluster = await kernelCluster([], { nodes: ['a'], program: join(root, 'dist/biplane.js') })
  try {
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'kuma.io/sidecar-injection': 'enabled' } } },
    ])
    const both = { selector: { app: 'server' }, ports: [{ name: 'http', port: 8080 }] }
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'server', namespace: NAMESPACE }, spec: both },
      ...server('v1'),
      ...server('v2'),
      route(0),
    ])
    await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
    const read = await startLoad(cluster, rps)
    const rows: (readonly [string, Count, Count])[] = []
    const during = async (what: string, work: () => Promise<void>): Promise<void> => {
      const before = read()
      await work()
      const after = read()
      rows.push([what, before, after])
      process.stderr.write(`${what}: ${after.sent - before.sent} requests, failed ${JSON.stringify(after.failed)}\n`)
    }
    const more = async (requests: number): Promise<void> => {
      const { sent } = read()
      await poll('more requests', () => (read().sent >= sent + requests ? true : undefined), { withinMs: 60_000 })
    }
    await during('nothing changes', () => more(5 * rps))
    await during('rolling update of the servers', async () => {
      await cluster.kubectl('rollout', 'restart', '-n', NAMESPACE, 'deployment/server-v1', 'deployment/server-v2')
      for (const version of ['v1', 'v2'])
        await cluster.kubectl('rollout', 'status', '-n', NAMESPACE, `deployment/server-${version}`, '--timeout=90s')
      await more(rps)
    })
    await during('canary from 0 to 100 % in steps of 10', async () => {
      for (let v2 = 10; v2 <= 100; v2 += 10) {
        await cluster.apply([route(v2)])
        await more(rps / 2)
      }
      const { answered } = read()
      await poll('v1 is asked no more', async () => {
        const v1 = read().answered['v1'] ?? 0
        await more(rps / 2)
        return (read().answered['v1'] ?? 0) === v1 || undefined
      })
      process.stderr.write(`v1 and v2 so far: ${JSON.stringify(answered)}\n`)
    })
    await during('another certificate authority', async () => {
      const issuing = async (): Promise<string> => {
        const data = await cluster.kubectl(
          'get',
          '-n',
          'biplane-system',
          'secret',
          AUTHORITIES,
          '-o',
          'jsonpath={.data.authorities\\.json}',
        )
        const all = JSON.parse(Buffer.from(data, 'base64').toString()) as { readonly id: string; readonly phase: string }[]
        return all.find(({ phase }) => phase === 'issuing')?.id ?? ''
      }
      const before = await issuing()
      await cluster.kubectl('annotate', '-n', 'biplane-system', 'secret', AUTHORITIES, 'biplane.dev/rotate=now')
      await poll('the new one signs', async () => (await issuing()) !== before || undefined)
      await more(2 * rps)
    })
    const failures = rows.reduce((sum, [, before, after]) => sum + total(after.failed) - total(before.failed), 0)
    report('mesh-changes', [
      `# Changes under ${rps} requests a second through two sidecars with mutual TLS`,
      '',
      `**${failures} failed requests** of ${rows.reduce((sum, [, before, after]) => sum + after.sent - before.sent, 0)}. Goal: 0 (${failures === 0 ? 'met' : 'missed'}).`,
      '',
      ...table(
        ['', 'requests', 'failed', 'not sent in time', 'p50', 'p99 of the last 10,000'],
        rows.map(([what, before, after]) => [
          what,
          String(after.sent - before.sent),
          String(total(after.failed) - total(before.failed)),
          String(after.late - before.late),
          `${after.p50.toFixed(1)} ms`,
          `${after.p99.toFixed(1)} ms`,
        ]),
      ),
      ...(failures > 0 ? ['', `Reasons: ${JSON.stringify(rows.at(-1)?.[2].failed)}`] : []),
      '',
      'Load, both sidecars, servers, control plane and node share the machine. Requests are sent by the clock, whatever becomes of those before.',
    ])
  } finally {
    await cluster.stop()
  }
}

const total = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((sum, count) => sum + count, 0)

async function startLoad(cluster: MeshCluster, rps: number): Promise<() => Count> {
  const command = [process.execPath, join(root, 'bench/mesh-changes/load.mjs'), 'http://server:8080/', String(rps)]
  await cluster.apply([
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'load', namespace: NAMESPACE, labels: { app: 'load' } },
      spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'host', command }] },
    },
  ])
  await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Ready', 'pod/load', '--timeout=60s')
  const log = await cluster.logOf(NAMESPACE, 'load', 'main')
  const read = (): Count => {
    const line = readFileSync(log, 'utf8')
      .split('\n')
      .findLast((text) => text.startsWith('{') && text.endsWith('}'))
    return line === undefined ? { sent: 0, answered: {}, failed: {}, late: 0, p50: 0, p99: 0 } : (JSON.parse(line) as Count)
  }
  await poll('the load answers', () => (total(read().answered) > rps ? true : undefined))
  return read
}

// neither connections nor the clock keep a process alive
const alive = setInterval(() => {}, 1_000)
await main(Number(process.argv[2] ?? 2000))
clearInterval(alive)
