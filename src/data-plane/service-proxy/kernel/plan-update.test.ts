import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Endpoint, EndpointSlice, Service } from '../../../api/generated/types.ts'
import { compareIp, parseIp } from '../../../base/ip.ts'
import {
  compileServices,
  resolveService,
  ServiceTableBuilder,
  type Frontend,
  type ServiceNode,
} from '../../../policy/packet/services/index.ts'
import { ElementInterpreter } from './element-interpreter.ts'
import { afterUpdate, NOTHING_APPLIED, planUpdate, type AppliedState } from './plan-update.ts'

const NODE: ServiceNode = { name: 'here', zone: 'a', addresses: ['192.0.2.1', '2001:db8::1'], podRanges: ['10.244.1.0/24'] }
const isOfNode = (address: string): boolean => address.startsWith('10.244.1.') || NODE.addresses.includes(address)
const SENDERS = ['10.244.1.2', '192.0.2.1', '203.0.113.7', '198.18.0.1', '2001:db8::7', '2001:db8::1']

const endpoint = fc.record({
  host: fc.integer({ min: 1, max: 6 }),
  here: fc.boolean(),
  state: fc.constantFrom('ready', 'ending', 'gone'),
  zone: fc.constantFrom(undefined, 'a', 'b'),
})
type DrawnEndpoint = typeof endpoint extends fc.Arbitrary<infer T> ? T : never

const operation = fc.oneof(
  { weight: 1, arbitrary: fc.record({ op: fc.constant('remove' as const), index: fc.integer({ min: 0, max: 3 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('service' as const),
      index: fc.integer({ min: 0, max: 3 }),
      type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
      external: fc.constantFrom('Cluster', 'Local'),
      internal: fc.constantFrom('Cluster', 'Local'),
      protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
      affinity: fc.constantFrom(undefined, 60, 10_800),
      ranges: fc.subarray(['203.0.113.0/24', '10.0.0.0/8', '2001:db8::7/128']),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('slice' as const),
      index: fc.integer({ min: 0, max: 3 }),
      part: fc.integer({ min: 0, max: 1 }),
      family: fc.constantFrom('IPv4', 'IPv6'),
      endpoints: fc.array(endpoint, { maxLength: 6 }),
    }),
  },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

function serviceOf(drawn: Extract<Operation, { op: 'service' }>): Service {
  const { index, type, external, internal, protocol, affinity, ranges } = drawn
  return {
    metadata: { name: `s${index}`, namespace: 'd' },
    spec: {
      type,
      clusterIPs: [`10.96.0.${index}`, `fd00:10:96::${index}`],
      // services 2 and 3 claim the same address from outside
      externalIPs: [`198.51.100.${Math.min(index, 2)}`],
      ports: [{ port: 80, protocol, ...(type === 'ClusterIP' ? {} : { nodePort: 30_000 + index }) }],
      externalTrafficPolicy: external,
      internalTrafficPolicy: internal,
      loadBalancerSourceRanges: ranges,
      ...(affinity === undefined ? {} : { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
    },
    status: { loadBalancer: { ingress: [{ ip: `198.51.100.1${index}` }, { ip: `2001:db8:9::${index}` }] } },
  }
}

function endpointOf({ host, here, state, zone }: DrawnEndpoint, family: string): Endpoint {
  const ready = state === 'ready'
  return {
    addresses: [family === 'IPv4' ? `10.244.${here ? 1 : 2}.${host}` : `fd00:10:244:${here ? 1 : 2}::${host}`],
    nodeName: here ? 'here' : 'there',
    conditions: { ready, serving: state !== 'gone', terminating: !ready },
    ...(zone === undefined ? {} : { hints: { forZones: [{ name: zone }] } }),
  }
}

function sliceOf({ index, part, family, endpoints }: Extract<Operation, { op: 'slice' }>): EndpointSlice {
  return {
    metadata: { name: `s${index}-${family}-${part}`, namespace: 'd', labels: { 'kubernetes.io/service-name': `s${index}` } },
    addressType: family,
    ports: (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({ port: 8080, protocol })),
    endpoints: endpoints.map((drawn) => endpointOf(drawn, family)),
  }
}

/** A cluster whose changes go through the planner into the interpreter. */
class Model {
  readonly services = new Map<string, Service>()
  readonly slices = new Map<string, EndpointSlice>()
  readonly builder = new ServiceTableBuilder(NODE)
  readonly kernel = new ElementInterpreter()
  applied: AppliedState = { ...NOTHING_APPLIED, frontends: new Map(), hairpin: new Map() }

  constructor() {
    const marker = (['ip', 'ip6'] as const).map((family) => ({
      op: 'add' as const,
      family,
      table: '',
      set: 'generation',
      elements: [{ key: new Uint8Array(4), data: new Uint8Array(4) }],
    }))
    this.kernel.apply(marker)
  }

  carryOut(step: Operation): void {
    if (step.op === 'service') {
      const service = serviceOf(step)
      this.services.set(service.metadata.name, service)
      this.builder.setService(service)
    } else if (step.op === 'slice') {
      const slice = sliceOf(step)
      this.slices.set(slice.metadata.name, slice)
      this.builder.setSlice(slice)
    } else {
      this.services.delete(`s${step.index}`)
      this.builder.deleteService(`d/s${step.index}`)
    }
    const changes = this.builder.recompile(0n)
    const plan = planUpdate(
      this.applied,
      changes.map(({ key, after }) => [key, after] as const),
      isOfNode,
    )
    this.kernel.apply(plan.changes)
    this.applied = afterUpdate(this.applied, plan)
  }
}

const inside = (from: string): boolean => isOfNode(from)
const within = (from: string) => (ranges: readonly string[]) =>
  ranges.some((range) => {
    const [first, last, own] = [...range.split('-'), from].map((text) => parseIp(text) as Uint8Array) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    return own.length === first.length && compareIp(first, own) <= 0 && compareIp(own, last) <= 0
  })

function expectSame(frontend: Frontend, model: Model): void {
  for (const from of SENDERS.filter((sender) => sender.includes(':') === (frontend.family === 6))) {
    const packet = { from, to: frontend.address, protocol: frontend.protocol, port: frontend.port }
    const verdict = resolveService(model.builder.table, packet)
    const expected =
      verdict.action === 'forward'
        ? verdict.backends
            .map(({ address, port }) => `${address}|${port}`)
            .sort()
            .join(' ')
        : verdict.action
    expect([frontend.key, from, model.kernel.judge(packet, inside(from) ? 'inside' : 'outside', within(from))]).toEqual([
      frontend.key,
      from,
      expected,
    ])
  }
}

describe('planUpdate', () => {
  test('after any sequence of changes the elements mean what the evaluator says, and are those of a compilation from nothing', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20 }), (steps) => {
        const model = new Model()
        for (const step of steps) {
          model.carryOut(step)
          const { table } = model.builder
          for (const frontend of table.frontends.values()) expectSame(frontend, model)
          const full = compileServices([...model.services.values()], [...model.slices.values()], NODE)
          expect(new Map(table.frontends)).toEqual(new Map(full.frontends))
          // as many elements in each set as if nothing had been there before; which slot is whose may differ
          const fresh = new ElementInterpreter()
          fresh.apply(planUpdate(NOTHING_APPLIED, full.frontends, isOfNode).changes.filter(({ set }) => set !== 'generation'))
          const sizes = (kernel: ElementInterpreter): readonly string[] =>
            [...kernel.sets]
              .flatMap(([name, { size }]) =>
                size === 0 || name.endsWith('generation') || name.endsWith('hairpin') ? [] : [`${name} ${size}`],
              )
              .sort()
          expect(sizes(model.kernel)).toEqual(sizes(fresh))
          expect([...model.applied.hairpin.keys()].filter((address) => !model.kernel.isHairpin(address))).toEqual([])
          // nothing that we do not know of: it would be taken for a stranger's
          const held = [...model.kernel.sets].flatMap(([name, { size }]) => (name.endsWith('hairpin') ? [size] : []))
          expect(held.reduce((sum, size) => sum + size, 0)).toBe(model.applied.hairpin.size)
        }
        for (let index = 0; index < 4; index++) model.carryOut({ op: 'remove', index })
        // addresses that were backends once stay known: see planUpdate
        expect(model.kernel.contents().filter((element) => !element.includes(' hairpin '))).toEqual([])
      }),
      { numRuns: 80 },
    )
  }, 60_000)

  const clusterIp = (backends: readonly string[], more: Partial<Frontend> = {}): Frontend => {
    const set = { backends: backends.map((address) => ({ address, port: 8080 })), why: '' }
    return {
      key: 'UDP/10.96.0.1:53',
      family: 4,
      address: '10.96.0.1',
      protocol: 'UDP',
      port: 53,
      kind: 'ClusterIP',
      service: 'd/dns',
      policy: 'Cluster',
      inside: set,
      outside: set,
      keepsSource: false,
      ...more,
    }
  }
  const applied = (frontend: Frontend): AppliedState => {
    const start = { ...NOTHING_APPLIED, frontends: new Map(), hairpin: new Map() }
    return afterUpdate(start, planUpdate(start, [[frontend.key, frontend]], isOfNode))
  }
  const planned = (before: Frontend, after: Frontend | undefined) => planUpdate(applied(before), [[before.key, after]], isOfNode)
  const summary = (plan: ReturnType<typeof planUpdate>): string[] =>
    plan.changes.filter(({ set }) => set !== 'generation').map(({ op, set, elements }) => `${op} ${set} ${elements.length}`)

  test('of many endpoints one goes: the last takes its slot, and the class changes with it', () => {
    const many = Array.from({ length: 100 }, (_, i) => `10.0.0.${i + 1}`)
    const plan = planned(clusterIp(many), clusterIp(many.filter((address) => address !== '10.0.0.5')))
    expect(summary(plan)).toEqual(['delete frontend 1', 'delete endpoint 2', 'add frontend 1', 'add endpoint 1'])
  })

  test('nothing different: no transaction', () => {
    const plan = planned(clusterIp(['10.0.0.1']), clusterIp(['10.0.0.1']))
    expect([plan.changes, plan.states]).toEqual([[], []])
  })

  test('every transaction moves the marker of both families', () => {
    const plan = planned(clusterIp(['10.0.0.1']), undefined)
    expect(plan.changes.filter(({ set }) => set === 'generation').map(({ op, family }) => `${op} ${family}`)).toEqual([
      'delete ip',
      'add ip',
      'delete ip6',
      'add ip6',
    ])
  })

  test('with affinity, an endpoint that comes back gets another token', () => {
    const sticky = (...backends: readonly string[]): Frontend => clusterIp(backends, { affinitySeconds: 60 })
    let state = applied(sticky('10.0.0.1', '10.0.0.2'))
    const token = (): number | undefined =>
      state.frontends.get('UDP/10.96.0.1:53')?.outside.find(({ address }) => address === '10.0.0.1')?.token
    const first = token()
    for (const next of [sticky('10.0.0.2'), sticky('10.0.0.1', '10.0.0.2')]) {
      state = afterUpdate(state, planUpdate(state, [[next.key, next]], isOfNode))
    }
    expect(token()).not.toBe(first)
  })

  test('stale UDP connections: those of endpoints that went, and of frontends that were not served before', () => {
    expect(planned(clusterIp(['10.0.0.1', '10.0.0.2']), clusterIp(['10.0.0.2'])).stale).toEqual([
      { family: 4, address: '10.96.0.1', port: 53, backend: { address: '10.0.0.1', port: 8080 } },
    ])
    expect(planned(clusterIp(['10.0.0.1']), undefined).stale).toHaveLength(1)
    const nobody = { backends: [], why: '', empty: 'reject' as const }
    expect(planned(clusterIp([], { inside: nobody, outside: nobody }), clusterIp(['10.0.0.1'])).stale).toEqual([
      { family: 4, address: '10.96.0.1', port: 53 },
    ])
    expect(planned(clusterIp(['10.0.0.1'], { protocol: 'TCP' }), undefined).stale).toEqual([])
  })

  test('more endpoints than a class can count: the first 4095', () => {
    const many = Array.from({ length: 5000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`)
    expect(applied(clusterIp(many)).frontends.get('UDP/10.96.0.1:53')?.outside).toHaveLength(4095)
  })
})
