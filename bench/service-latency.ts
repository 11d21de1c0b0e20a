// Latency that a service address adds to a connection that exists, and the price of opening one: pod to pod on one node, directly and by
// the address of one of 10,000 services. Needs root and sockperf (apt). Run: node scripts/bench.mjs service-latency [ROUNDS] [SECONDS] [SERVICES]
import { openNft } from '../src/data-plane/forwarding/nft/index.ts'
import { systemClock } from '../src/base/clock.ts'
import { silentLogger } from '../src/base/log.ts'
import { createMetrics } from '../src/base/metrics.ts'
import type { EndpointSlice, Service } from '../src/api/generated/types.ts'
import { KernelServiceProxy } from '../src/data-plane/service-proxy/kernel/index.ts'
import type { LabHost } from '../src/testing/network-lab/index.ts'
import { Changing } from '../test/service-proxy-support/objects.ts'
import { buildServiceLab, PODS, RANGES, type ServiceLab } from '../test/service-proxy-support/service-lab.ts'
import { poll } from '../test/support/poll.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'
import { serviceObject, sliceObject, vipOf } from './service-programs/objects.ts'

const PROTOCOLS = ['TCP', 'UDP'] as const
type Protocol = (typeof PROTOCOLS)[number]
const PORT = 11_111

/** A round trip, microseconds: median, and the 99th of a hundred. */
interface Latency {
  readonly p50: number
  readonly p99: number
}

/** One connection, one message of 14 bytes at a time. */
async function pingPong(
  client: LabHost,
  protocol: Protocol,
  to: { readonly address: string; readonly port: number },
  seconds: number,
): Promise<Latency> {
  const tcp = protocol === 'TCP' ? ['--tcp'] : []
  const text = await client.must(
    ['sockperf', 'ping-pong', '-i', to.address, '-p', String(to.port), '-t', String(seconds), '--full-rtt', ...tcp],
    {
      timeoutMs: (seconds + 20) * 1000,
    },
  )
  const percentile = (share: string): number => Number(new RegExp(`percentile ${share} =\\s+([\\d.]+)`).exec(text)?.[1])
  return { p50: percentile('50.000'), p99: percentile('99.000') }
}

/** Puts services into the kernel, of which number 0 leads to the pod p2. */
async function serve(lab: ServiceLab, count: number): Promise<() => Promise<void>> {
  const [services, slices] = [new Changing<Service>(), new Changing<EndpointSlice>()]
  const indices = Array.from({ length: count }, (_, i) => i)
  services.set(
    indices.map((index) => ({ ...serviceObject(index), metadata: { name: `s${index}`, namespace: 'default', resourceVersion: '1' } })),
  )
  const first: Service = {
    metadata: { name: 'first', namespace: 'default', resourceVersion: '1' },
    spec: { clusterIPs: [vipOf(count)], ports: PROTOCOLS.map((protocol) => ({ name: protocol, protocol, port: 80 })) },
  }
  services.set([...services.list(), first])
  slices.set([
    ...indices.map(sliceObject),
    {
      metadata: { name: 'first-a', namespace: 'default', labels: { 'kubernetes.io/service-name': 'first' }, resourceVersion: '1' },
      addressType: 'IPv4',
      ports: PROTOCOLS.map((protocol) => ({ name: protocol, protocol, port: PORT })),
      endpoints: [{ addresses: [PODS.p2.v4], conditions: { ready: true } }],
    },
  ])
  const nft = openNft({ namespace: lab.node.path })
  const abort = new AbortController()
  const proxy = new KernelServiceProxy({
    services,
    endpointSlices: slices,
    node: { ...lab.serviceNode, serviceRanges: RANGES },
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    metrics: createMetrics(),
    nft,
  })
  const run = proxy.run(abort.signal)
  await poll('the services are in the kernel', () => (proxy.appliedRevision > 0n ? true : undefined))
  return async () => {
    abort.abort()
    await run
    nft.close()
  }
}

async function main(rounds: number, seconds: number, count: number): Promise<void> {
  const lab = await buildServiceLab()
  try {
    const [client, server] = [lab.agents.p1.host, lab.agents.p2.host]
    for (const tcp of [[], ['--tcp']]) server.spawn(['sockperf', 'server', '-i', PODS.p2.v4, '-p', String(PORT), ...tcp])
    await poll('the server listens', async () => ((await server.must(['ss', '-ltnu'])).split(`:${PORT}`).length > 2 ? true : undefined))
    const stop = await serve(lab, count)
    const [direct, service] = [
      { address: PODS.p2.v4, port: PORT },
      { address: vipOf(count), port: 80 },
    ]
    const results = PROTOCOLS.map((protocol) => ({ protocol, direct: [] as Latency[], service: [] as Latency[] }))
    for (let round = 0; round < rounds; round++) {
      for (const result of results) {
        // who comes first changes, so that neither has the better place
        const order = round % 2 === 0 ? (['direct', 'service'] as const) : (['service', 'direct'] as const)
        for (const which of order)
          result[which].push(await pingPong(client, result.protocol, which === 'direct' ? direct : service, seconds))
      }
    }
    await stop()
    const p50 = (list: readonly Latency[]): number =>
      quantile(
        list.map((latency) => latency.p50),
        0.5,
      )
    // the median of the differences of neighbours: what the machine does meanwhile meets both
    const added = ({ direct: plain, service: translated }: (typeof results)[number]): number =>
      quantile(
        plain.map((latency, i) => (translated[i] as Latency).p50 - latency.p50),
        0.5,
      )
    report('service-latency', [
      '# Latency of a service address',
      '',
      ...results.map((result) => `- added for ${result.protocol}, one connection: ${addedText(added(result))}`),
      '',
      `A round trip of 14 bytes from pod to pod on one node, through its routing and connection tracking: to the pod's address, and to the cluster IP of one of`,
      `${(count + 1).toLocaleString('en')} services. sockperf ping-pong, ${rounds} interleaved rounds of ${seconds} s; added: median of the differences within a round.`,
      '',
      ...table(
        ['', 'direct p50, us', 'service p50, us', 'direct p99, us', 'service p99, us'],
        results.map(({ protocol, direct: plain, service: translated }) => [
          protocol,
          spread(
            plain.map((latency) => latency.p50),
            1,
          ),
          spread(
            translated.map((latency) => latency.p50),
            1,
          ),
          spread(
            plain.map((latency) => latency.p99),
            1,
          ),
          spread(
            translated.map((latency) => latency.p99),
            1,
          ),
        ]),
      ),
      '',
      `Ratio of the medians: ${results.map((result) => `${result.protocol} ${(p50(result.service) / p50(result.direct)).toFixed(2)}`).join(', ')}.`,
    ])
  } finally {
    await lab.lab.remove()
  }
}

/** Noise makes differences near nothing negative. */
function addedText(us: number): string {
  return us > 0.1 ? against(us, { most: 5, unit: 'us' }) : `${us.toFixed(2)} us, goal <= 5 us`
}

await main(Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 2), Number(process.argv[4] ?? 10_000))
