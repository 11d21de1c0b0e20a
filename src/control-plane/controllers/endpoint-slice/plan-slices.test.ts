import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EndpointSlice, Pod, Service } from '../../../api/generated/types.ts'
import { endpointsAnnotations, planEndpoints } from './plan-endpoints.ts'
import { MAX_ENDPOINTS, planSlices, type SlicePlan } from './plan-slices.ts'

const service = (spec: Partial<NonNullable<Service['spec']>> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'web' }], ipFamilies: ['IPv4'], ...spec },
})
interface Traits {
  readonly port?: number
  readonly ready?: boolean
  readonly deleting?: boolean
  readonly phase?: string
  readonly ips?: readonly string[]
  readonly spec?: Partial<NonNullable<Pod['spec']>>
}
const pod = (
  i: number,
  { port = 8080, ready = true, deleting = false, phase = 'Running', ips = [`10.0.${i >> 8}.${i & 255}`], spec = {} }: Traits = {},
): Pod => ({
  metadata: {
    name: `p${String(i).padStart(4, '0')}`,
    namespace: 'default',
    uid: `u${i}`,
    ...(deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: { nodeName: 'n1', containers: [{ name: 'c', ports: port === 0 ? [] : [{ name: 'web', containerPort: port }] }], ...spec },
  status: {
    phase,
    ...(ips[0] ? { podIP: ips[0] } : {}),
    podIPs: ips.map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
})
const many = (from: number, to: number): Pod[] => Array.from({ length: to - from }, (_, i) => pod(from + i))

let serial = 0
/** What the slices are once the plan is carried out. */
function carryOut(slices: readonly EndpointSlice[], plan: SlicePlan, of: Service): EndpointSlice[] {
  const updated = new Map(plan.update.map((slice) => [slice.metadata.name, slice]))
  const labels = {
    ...of.metadata.labels,
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  }
  return [
    ...slices.filter((slice) => !plan.remove.includes(slice)).map((slice) => updated.get(slice.metadata.name) ?? slice),
    ...plan.create.map((content): EndpointSlice => ({ ...content, metadata: { name: `s${serial++}`, labels } })),
  ]
}
const counts = (plan: SlicePlan): number[] => [plan.create.length, plan.update.length, plan.remove.length]
const sizes = (slices: readonly EndpointSlice[]): number[] => slices.map((slice) => slice.endpoints?.length ?? 0)

test('a hundred endpoints in each slice', () => {
  const plan = planSlices(service(), many(0, 250), [])
  expect(plan.create.map((slice) => slice.endpoints?.length)).toEqual([100, 100, 50])
})

test('a service without pods has one empty slice, and nothing is written again', () => {
  const of = service()
  const plan = planSlices(of, [], [])
  expect(counts(plan)).toEqual([1, 0, 0])
  const slices = carryOut([], plan, of)
  expect(counts(planSlices(of, [], slices))).toEqual([0, 0, 0])
  // the first pod fills it in place
  expect(counts(planSlices(of, [pod(1)], slices))).toEqual([0, 1, 0])
})

test('changes as few slices as it can', () => {
  const of = service()
  let slices = carryOut([], planSlices(of, many(0, 250), []), of)
  expect(counts(planSlices(of, many(0, 250), slices))).toEqual([0, 0, 0])
  // one pod more goes where there is room
  let plan = planSlices(of, many(0, 251), slices)
  expect(counts(plan)).toEqual([0, 1, 0])
  slices = carryOut(slices, plan, of)
  expect(sizes(slices)).toEqual([100, 100, 51])
  // one pod replaced: out of one slice and into the same
  plan = planSlices(of, [...many(1, 251), pod(900)], slices)
  expect(counts(plan)).toEqual([0, 1, 0])
  // half of them gone: emptied slices go
  plan = planSlices(of, many(0, 100), slices)
  expect(counts(plan)).toEqual([0, 0, 2])
})

test('an endpoint that stands in two slices stays in one', () => {
  const of = service()
  const twice = [...carryOut([], planSlices(of, many(0, 3), []), of), ...carryOut([], planSlices(of, many(0, 3), []), of)]
  const plan = planSlices(of, many(0, 3), twice)
  expect(sizes(carryOut(twice, plan, of))).toEqual([3])
})

test('named ports may differ between pods: a slice for each set of numbers', () => {
  const plan = planSlices(service(), [pod(1), pod(2, { port: 9090 }), pod(3)], [])
  expect(plan.create.map((slice) => [slice.ports?.[0]?.port, slice.endpoints?.length])).toEqual([
    [8080, 2],
    [9090, 1],
  ])
  expect(planSlices(service(), [pod(1, { port: 0 })], []).create.map((slice) => slice.ports)).toEqual([[]])
})

test.each<[string, Traits, Partial<NonNullable<Service['spec']>>, [boolean, boolean, boolean] | undefined]>([
  ['ready', {}, {}, [true, true, false]],
  ['not ready', { ready: false }, {}, [false, false, false]],
  ['ending but still serving', { deleting: true }, {}, [false, true, true]],
  ['ending', { deleting: true, ready: false }, {}, [false, false, true]],
  ['not ready, published all the same', { ready: false }, { publishNotReadyAddresses: true }, [true, false, false]],
  ['finished', { phase: 'Succeeded' }, {}, undefined],
  ['without an address', { ips: [] }, {}, undefined],
])('conditions of a pod that is %s', (_name, traits, spec, expected) => {
  const [endpoint] = planSlices(service(spec), [pod(1, traits)], []).create[0]?.endpoints ?? []
  const { ready, serving, terminating } = endpoint?.conditions ?? {}
  expect(endpoint ? [ready, serving, terminating] : undefined).toEqual(expected)
})

test('families apart, hostnames with their subdomain, headless marked', () => {
  const dual = planSlices(service({ ipFamilies: ['IPv4', 'IPv6'] }), [pod(1, { ips: ['10.0.0.1', 'fd00::1'] })], [])
  expect(dual.create.map((slice) => [slice.addressType, slice.endpoints?.[0]?.addresses])).toEqual([
    ['IPv4', ['10.0.0.1']],
    ['IPv6', ['fd00::1']],
  ])
  const named = pod(1, { spec: { hostname: 'db-0', subdomain: 'web' } })
  expect(planSlices(service(), [named], []).create[0]?.endpoints?.[0]?.hostname).toBe('db-0')
})

test('a family without endpoints has an empty slice, a family that goes takes its slice along', () => {
  const of = service({ ipFamilies: ['IPv4', 'IPv6'] })
  const slices = carryOut([], planSlices(of, [pod(1)], []), of)
  expect(slices.map((slice) => [slice.addressType, slice.endpoints?.length])).toEqual([
    ['IPv4', 1],
    ['IPv6', 0],
  ])
  expect(counts(planSlices(of, [pod(1)], slices))).toEqual([0, 0, 0])
  const plan = planSlices(service(), [pod(1)], slices)
  expect(plan.remove.map((slice) => slice.addressType)).toEqual(['IPv6'])
})

test('ports of every protocol, by number and by name', () => {
  const ports = [
    { name: 'a', port: 80, targetPort: 8080 },
    { name: 'b', port: 53, protocol: 'UDP' },
    { name: 'c', port: 99, protocol: 'SCTP', targetPort: 'assoc', appProtocol: 'example.com/x' },
  ]
  const sctp = pod(1, { spec: { containers: [{ name: 'c', ports: [{ name: 'assoc', containerPort: 9900, protocol: 'SCTP' }] }] } })
  expect(planSlices(service({ ports }), [sctp], []).create[0]?.ports).toEqual([
    { name: 'a', port: 8080, protocol: 'TCP' },
    { name: 'b', port: 53, protocol: 'UDP' },
    { name: 'c', port: 9900, protocol: 'SCTP', appProtocol: 'example.com/x' },
  ])
})

const zones = {
  zoneOf: (name: string) => ({ n1: 'a', n2: 'b' })[name],
  shares: new Map([
    ['a', 0.5],
    ['b', 0.5],
  ]),
}
const onNode = (i: number, nodeName: string, traits: Traits = {}): Pod => pod(i, { ...traits, spec: { nodeName } })
const hintsOf = (plan: SlicePlan): unknown[] => plan.create.flatMap((slice) => (slice.endpoints ?? []).map(({ hints }) => hints))

test.each<[string, Service, unknown[]]>([
  ['nothing', service(), [undefined, undefined, undefined]],
  ['PreferClose', service({ trafficDistribution: 'PreferClose' }), [{ forZones: [{ name: 'a' }] }, undefined, undefined]],
  ['PreferSameZone', service({ trafficDistribution: 'PreferSameZone' }), [{ forZones: [{ name: 'a' }] }, undefined, undefined]],
  [
    'PreferSameNode',
    service({ trafficDistribution: 'PreferSameNode' }),
    [{ forNodes: [{ name: 'n1' }], forZones: [{ name: 'a' }] }, { forNodes: [{ name: 'n9' }] }, undefined],
  ],
])('hints for %s: the ready ones, as far as is known where they are', (_what, of, expected) => {
  const pods = [onNode(1, 'n1'), onNode(2, 'n9'), onNode(3, 'n2', { ready: false })]
  const plan = planSlices(of, pods, [], zones)
  expect(hintsOf(plan)).toEqual(expected)
  expect(plan.create[0]?.endpoints?.map(({ zone }) => zone)).toEqual(['a', undefined, 'b'])
})

test('zones by share: hints for each family, kept as they are, gone when it is not safe', () => {
  const of = service({ ipFamilies: ['IPv4', 'IPv6'], trafficDistribution: 'PreferSameNode' })
  of.metadata.annotations = { 'service.kubernetes.io/topology-mode': 'Auto' }
  const pods = [1, 2, 3, 4].map((i) => onNode(i, i < 4 ? 'n1' : 'n2', { ips: [`10.0.0.${i}`, `fd00::${i}`] }))
  const plan = planSlices(of, pods, [], zones)
  expect(plan.zones.map(({ addressType, on }) => [addressType, on])).toEqual([
    ['IPv4', true],
    ['IPv6', true],
  ])
  const zoneNames = (slices: readonly Pick<EndpointSlice, 'endpoints'>[]): (string | undefined)[] =>
    slices.flatMap((slice) => (slice.endpoints ?? []).map(({ hints }) => hints?.forZones?.[0]?.name))
  expect(zoneNames(plan.create).filter((zone) => zone === 'a').length).toBe(4)
  expect(zoneNames(plan.create).filter((zone) => zone === 'b').length).toBe(4)
  const slices = carryOut([], plan, of)
  expect(counts(planSlices(of, pods, slices, zones))).toEqual([0, 0, 0])
  const unsafe = planSlices(of, pods.slice(0, 1), slices, zones)
  expect(unsafe.zones[0]).toMatchObject({ on: false, why: '1 ready endpoints are too few for 2 zones' })
  expect(zoneNames(carryOut(slices, unsafe, of))).toEqual([undefined, undefined])
})

test('whatever came before, all pods are in, each once, and then nothing changes', () => {
  const some = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 300 })
  fc.assert(
    fc.property(fc.array(some, { minLength: 1, maxLength: 4 }), (rounds) => {
      const of = service()
      let slices: EndpointSlice[] = []
      for (const round of rounds) {
        const wanted = round.map((i) => pod(i, { port: i % 3 === 0 ? 9090 : 8080 }))
        slices = carryOut(slices, planSlices(of, wanted, slices), of)
        const found = slices.flatMap((slice) => slice.endpoints?.map((endpoint) => endpoint.targetRef?.uid ?? '') ?? [])
        expect(found.toSorted()).toEqual(wanted.map((one) => one.metadata.uid ?? '').toSorted())
        expect(Math.max(...sizes(slices))).toBeLessThanOrEqual(MAX_ENDPOINTS)
        expect(counts(planSlices(of, wanted, slices))).toEqual([0, 0, 0])
      }
    }),
    { numRuns: 30 },
  )
})

test('Endpoints: subsets by ports, ready and not, sorted by pod', () => {
  const { subsets, truncated } = planEndpoints(service(), [
    pod(3),
    pod(1, { ready: false }),
    pod(2, { port: 9090 }),
    pod(4, { deleting: true }),
    pod(5, { port: 0 }),
  ])
  expect(truncated).toBe(false)
  expect(
    subsets.map((subset) => [
      subset.ports?.[0]?.port,
      subset.addresses?.map(({ ip }) => ip),
      subset.notReadyAddresses?.map(({ ip }) => ip),
    ]),
  ).toEqual([
    [8080, ['10.0.0.3'], ['10.0.0.1']],
    [9090, ['10.0.0.2'], undefined],
  ])
  const all = planEndpoints(service({ publishNotReadyAddresses: true }), [pod(1, { ready: false }), pod(2, { deleting: true })])
  expect(all.subsets[0]?.addresses?.length).toBe(2)
  // a headless service without ports shows addresses alone
  expect(planEndpoints(service({ ports: [] }), [pod(1)]).subsets).toEqual([
    { addresses: [expect.objectContaining({ ip: '10.0.0.1', nodeName: 'n1' })] },
  ])
})

test('Endpoints: at most a thousand addresses, ready ones first, and marked', () => {
  const pods = Array.from({ length: 1200 }, (_, i) => pod(i, { ready: i >= 300 }))
  const { subsets, truncated } = planEndpoints(service(), pods)
  expect([truncated, subsets[0]?.addresses?.length, subsets[0]?.notReadyAddresses?.length]).toEqual([true, 900, 100])
  const marked = { 'endpoints.kubernetes.io/over-capacity': 'truncated' }
  expect(endpointsAnnotations(undefined, true)).toEqual(marked)
  expect(endpointsAnnotations({ metadata: { name: 'web', annotations: marked } }, false)).toBeUndefined()
})
