import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { formatPrefix, type IpPrefix } from '../../../base/ip.ts'
import { silentLogger, type LogFields } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import type { NetworkPolicySpec, Pod } from '../../../api/generated/types.ts'
import { compilePolicies, PolicyCompiler, type PolicyInput } from '../../../policy/packet/policies/index.ts'
import { idOfPrefix, type RuleLabel } from './filter-model.ts'
import { FilterRenderer } from './filter-renderer.ts'
import { asElementChanges, planFilterChange, replaceFilter } from './plan-filter-change.ts'
import { PolicyCounters } from './policy-counters.ts'
import { mergeRanges, renderMatches } from './render-matches.ts'
import { RepairPace } from './repair-pace.ts'
import { rule } from './rule-pieces.ts'
import { VerdictLog } from './verdict-log.ts'

const pod = (name: string, ip: string, labels: Record<string, string> = {}): Pod => ({
  metadata: { name, namespace: 'x', uid: name, labels },
  spec: { nodeName: 'n', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }] },
  status: { phase: 'Running', podIPs: [{ ip }] },
})
const input = (spec: NetworkPolicySpec, pods: readonly Pod[]): PolicyInput => ({
  networkPolicies: [{ metadata: { name: 'p', namespace: 'x' }, spec }],
  clusterNetworkPolicies: [],
  pods,
  namespaces: [{ metadata: { name: 'x' } }],
  nodes: [],
})
const spec = (port: number | string = 80): NetworkPolicySpec => ({
  podSelector: {},
  ingress: [{ from: [{ podSelector: { matchLabels: { role: 'client' } } }], ports: [{ protocol: 'TCP', port }] }],
})
const pods = [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { role: 'client' })]

describe('the change of the table', () => {
  const steps = (from: PolicyInput, to: PolicyInput): ReturnType<typeof planFilterChange> => {
    const compiler = new PolicyCompiler()
    const renderer = new FilterRenderer()
    const before = renderer.render(compiler.update(from))
    return planFilterChange(before, renderer.render(compiler.update(to)))
  }

  test('is nothing where nothing changes', () => {
    expect(steps(input(spec(), pods), input(spec(), [...pods]))).toEqual({ kind: 'none', changes: [] })
  })

  test('is elements alone when a pod comes, or a label changes', () => {
    const change = steps(input(spec(), pods), input(spec(), [pods[0]!, pod('b', '10.0.0.2'), pod('c', '10.0.0.3', { role: 'client' })]))
    expect(change.kind).toBe('elements')
    const rows = asElementChanges(change.changes).map(
      ({ op, set, elements }) => `${op} ${set} ${elements.map(({ key }) => key.join('.')).join(' ')}`,
    )
    expect(rows.map((row) => row.replace(/ s\d+/, ' s'))).toEqual([
      'delete sv4 10.0.0.2',
      'add judged4 10.0.0.3',
      'add self4 10.0.0.3.10.0.0.3',
      'add sv4 10.0.0.3',
      'add ingress4 10.0.0.3',
    ])
  })

  test('is one transaction when a policy changes, and touches no chain but its own', () => {
    const change = steps(input(spec(), pods), input(spec(81), pods))
    const rows = change.changes.map(({ op, name }) => `${op} ${name[0]}`)
    expect(rows).toEqual(['flush-chain p', 'add-rule p', 'add-rule p'])
  })

  test('a rule is the same in words and in expressions', () => {
    const { chains } = new FilterRenderer().render(compilePolicies(input(spec(), pods)))
    const [own] = [...chains].filter(([name]) => name.startsWith('p')).flatMap(([, { rules }]) => rules)
    expect(own?.text.replaceAll(/\b([cps])\d+/g, '$1')).toBe(
      'meta l4proto tcp ct reply proto-src 80 ct original ip saddr @sv4 counter name c accept',
    )
    expect(own?.expressions.map(({ kind }) => kind)).toEqual(['meta', 'equal', 'ct', 'equal', 'ct', 'lookup', 'counter', 'verdict'])
  })

  test('options reach the rules: accepted packets told, another rate, established flows kept', () => {
    const policy = compilePolicies(input(spec(), pods))
    const text = replaceFilter(new FilterRenderer({ logAccepted: true, logPerSecond: 3, keepEstablished: true }).render(policy))
    expect(text.match(/limit rate 3\/second burst 6 packets log prefix "biplane:\d+ " group 190/g)).toHaveLength(3 + 3)
    expect(text.match(/ct state established accept/g)).toHaveLength(2)
    const plain = replaceFilter(new FilterRenderer().render(policy))
    expect(plain.match(/limit rate 10\/second/g)).toHaveLength(1 + 3)
    expect(plain).not.toContain('established')
  })

  test('a whole table replaces whatever is there', () => {
    const text = replaceFilter(new FilterRenderer().render(compilePolicies(input(spec('web'), pods))))
    expect(text.startsWith('table inet biplane-policy\ndelete table inet biplane-policy\ntable inet biplane-policy {\n')).toBe(true)
    expect(text.replaceAll(/m\d+x/g, 'mx')).toContain(
      'meta l4proto tcp ct reply proto-src 8080 ct reply ip saddr @mx8080v4 ct original ip saddr @',
    )
  })

  test('many pods share chains', () => {
    const many = Array.from({ length: 500 }, (_, i) => pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`))
    expect(new FilterRenderer().render(compilePolicies(input(spec(), many))).chains.size).toBeLessThan(8)
  })
})

describe('matches', () => {
  const names = {
    selector: (key: string, family: 4 | 6): string => `${key}v${family}`,
    namedPort: (): string => 'named',
    networks: (prefixes: readonly IpPrefix[]): string => prefixes.map(formatPrefix).join('+'),
    ports: (): string => 'ports',
  }
  const network = (text: string): { family: 4; bytes: Uint8Array; length: number } => {
    const [address = '', length = '32'] = text.split('/')
    return { family: 4, bytes: Uint8Array.from(address.split('.').map(Number)), length: Number(length) }
  }
  const render = (networks: string[], except: string[] = []): readonly string[] =>
    renderMatches(
      { index: 0, action: 'Accept', peers: [{ kind: 'networks', networks: networks.map(network), except: except.map(network) }] },
      'ingress',
      { names, namedPorts: new Map() },
    ).map((pieces) => rule(...pieces).text)

  test.each<[string[], string[], string[]]>([
    [['10.0.0.0/8'], [], ['ct original ip saddr 10.0.0.0/8']],
    [['0.0.0.0/0'], [], ['meta nfproto ipv4']],
    [['0.0.0.0/0'], ['10.0.0.0/8'], ['meta nfproto ipv4 ct original ip saddr != 10.0.0.0/8']],
    [['10.0.0.0/8', '10.1.0.0/16', '11.0.0.0/8', '10.0.0.0/8'], [], ['ct original ip saddr @10.0.0.0/8+11.0.0.0/8']],
    [['10.0.0.0/8'], ['10.1.0.0/16', '10.1.2.0/24', '12.0.0.0/8'], ['ct original ip saddr 10.0.0.0/8 ct original ip saddr != 10.1.0.0/16']],
    [['10.0.0.0/8'], ['10.0.0.0/8'], []],
  ])('networks %j without %j', (networks, except, want) => {
    expect(render(networks, except)).toEqual(want)
  })

  test('ranges hold the same ports before and after they are merged', () => {
    const ports = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 10 })).map(([from, more]) => [from, from + more] as const),
    )
    fc.assert(
      fc.property(ports, (ranges) => {
        const merged = mergeRanges(ranges)
        const holds = (list: typeof ranges, port: number): boolean => list.some(([from, to]) => port >= from && port <= to)
        for (let port = 0; port <= 60; port++) expect(holds([...merged], port)).toBe(holds(ranges, port))
        for (let i = 1; i < merged.length; i++) expect(merged[i]![0]).toBeGreaterThan(merged[i - 1]![1] + 1)
      }),
    )
  })
})

test('prefixes of log lines are read back, and others are not taken for ours', () => {
  expect(['biplane:12 ', 'biplane:12', 'biplane:', 'biplane:x ', 'other:12 '].map(idOfPrefix)).toEqual([
    12,
    12,
    undefined,
    undefined,
    undefined,
  ])
  fc.assert(fc.property(fc.string(), (text) => void idOfPrefix(text)))
})

const label: RuleLabel = {
  verdict: 'deny',
  tier: 'NetworkPolicy',
  direction: 'ingress',
  policies: ['NetworkPolicy/x/p'],
  denyAction: 'Drop',
}
const packet = {
  prefix: '',
  tuple: {
    source: Uint8Array.from([10, 0, 0, 1]),
    destination: Uint8Array.from([10, 0, 0, 2]),
    protocol: 17,
    sourcePort: 1,
    destinationPort: 53,
  },
}

describe('the log of verdicts', () => {
  test('names pods, policy and rule, and bounds its lines and its memory', async () => {
    const clock = new FakeClock()
    const lines: LogFields[] = []
    const log = new VerdictLog({
      clock,
      log: { ...silentLogger, info: (_message, fields) => void lines.push(fields ?? {}) },
      podAt: (address) => (address === '10.0.0.1' ? 'x/a' : undefined),
    })
    for (let i = 0; i < 1500; i++) log.note(label, packet)
    expect(log.recent()).toHaveLength(1000)
    expect(log.recent()[0]).toEqual({
      atMs: clock.now(),
      source: '10.0.0.1',
      sourcePod: 'x/a',
      destination: '10.0.0.2',
      protocol: 'UDP',
      sourcePort: 1,
      destinationPort: 53,
      direction: 'ingress',
      tier: 'NetworkPolicy',
      policies: ['NetworkPolicy/x/p'],
      denyAction: 'Drop',
    })
    expect(lines).toHaveLength(20)
    await clock.advance(1000)
    log.note({ ...label, verdict: 'accept' }, packet)
    log.note(label, { prefix: '', tuple: undefined })
    expect(lines.at(-1)).toMatchObject({ untold: 1480 })
    expect(log.recent()).toHaveLength(1000)
  })
})

describe('counters', () => {
  test('add up over replacements of the table, and forget rules that are gone', () => {
    const metrics = createMetrics()
    const counters = new PolicyCounters(metrics)
    const labels = new Map([[7, label]])
    const listed = (packets: number): unknown => ({
      nftables: [{ metainfo: {} }, { counter: { name: 'c7', packets, bytes: packets * 100 } }],
    })
    counters.update(labels, listed(5))
    counters.update(labels, listed(8))
    counters.update(labels, listed(2))
    expect(counters.counts()).toEqual([{ ...label, packets: 10, bytes: 1000 }])
    expect(metrics.render()).toContain('policy="NetworkPolicy/x/p",rule="",verdict="deny"} 10\n')
    counters.update(new Map(), listed(9))
    expect(counters.counts()).toEqual([])
  })
})

describe('the pace of repairs', () => {
  test('is quick at first, slower when somebody insists, and quick again after a calm time', () => {
    const pace = new RepairPace()
    const delays: number[] = []
    let nowMs = 0
    for (let i = 0; i < 6; i++) {
      delays.push(pace.delay(nowMs))
      nowMs += pace.delay(nowMs)
      pace.repaired(nowMs)
    }
    expect(delays).toEqual([0, 5_000, 10_000, 20_000, 40_000, 60_000])
    nowMs += 200_000
    expect(pace.delay(nowMs)).toBe(0)
    pace.repaired(nowMs)
    expect(pace.delay(nowMs)).toBe(5_000)
  })
})
