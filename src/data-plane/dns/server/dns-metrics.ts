import type { Counter, Histogram, Metrics } from '../../../base/metrics.ts'
import { rcodeName, typeName } from '../wire/codes.ts'

export interface Answered {
  readonly transport: 'udp' | 'tcp'
  readonly type: number
  readonly inZone: boolean
  readonly rcode: number
  readonly seconds: number
  readonly bytes: number
}

/** Counts questions and answers under the names and labels of CoreDNS. */
export interface DnsMeters {
  answered(what: Answered): void
  rejected(): void
}

/** Seconds: most answers come from memory. */
const BUCKETS = [0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192]

/** @param zone such as `cluster.local.` */
export function createDnsMeters(metrics: Metrics, zone: string): DnsMeters {
  const requests = metrics.counter('coredns_dns_requests_total', 'Counter of DNS requests made per zone, protocol and type.', [
    'zone',
    'proto',
    'type',
  ])
  const responses = metrics.counter('coredns_dns_responses_total', 'Counter of response status codes.', ['zone', 'rcode'])
  const durations = metrics.histogram(
    'coredns_dns_request_duration_seconds',
    'Histogram of the time (in seconds) each request took per zone.',
    ['zone'],
    BUCKETS,
  )
  const sizes = metrics.counter('coredns_dns_response_bytes_total', 'Bytes of all responses.', ['proto'])
  const rejects = metrics
    .counter('coredns_forward_max_concurrent_rejects_total', 'Counter of the number of queries rejected because too many were under way.')
    .with()
  // one look-up by number instead of label texts glued together for each question
  const counters = new Map<number, Counter>()
  const counter = (key: number, make: () => Counter): Counter => {
    const known = counters.get(key)
    if (known) return known
    const made = make()
    counters.set(key, made)
    return made
  }
  const histograms: readonly Histogram[] = [durations.with('.'), durations.with(zone)]
  const bytesOf = { udp: sizes.with('udp'), tcp: sizes.with('tcp') }
  return {
    answered({ transport, type, inZone, rcode, seconds, bytes }) {
      const zoneName = inZone ? zone : '.'
      const base = (inZone ? 1 : 0) + (transport === 'udp' ? 2 : 0)
      counter(type * 8 + base, () => requests.with(zoneName, transport, typeName(type))).inc()
      counter(-1 - rcode * 8 - (inZone ? 1 : 0), () => responses.with(zoneName, rcodeName(rcode))).inc()
      histograms[inZone ? 1 : 0]?.observe(seconds)
      bytesOf[transport].inc(bytes)
    },
    rejected: () => rejects.inc(),
  }
}
