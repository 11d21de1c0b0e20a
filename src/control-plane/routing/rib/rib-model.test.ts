import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatPrefix, type IpPrefix, parseIp, parsePrefix } from '../../../base/ip.ts'
import { type CompiledRoutePolicy, compileRoutePolicy, type FibRoute } from '../../../policy/route/index.ts'
import {
  bodyOf,
  decodeUpdate,
  encodeUpdate,
  isFault,
  nextFrame,
  type PathAttributes,
  type WireOptions,
} from '../../../protocols/bgp/index.ts'
import { createRib, type Rib, type SessionParameters } from './index.ts'
import { type ReferencePeer, ReferenceRib } from './reference-rib.ts'

/** Of a machine that has other things to do. */
const PATIENCE_MS = 120_000
const LOCAL_AS = 64500
const ROUTER_ID = 0x0a000001
const SELF = parseIp('10.0.0.1') as Uint8Array
const PREFIXES = ['10.1.1.0/24', '10.1.2.0/24', '192.0.2.128/25', '0.0.0.0/0', '203.0.113.7/32']
const UNREACHABLE = '10.9.9.9'
const cost = (hop: Uint8Array): number | undefined => (hop.join('.') === UNREACHABLE ? undefined : (hop[3] as number) % 3)

const importPolicy = compileRoutePolicy('import', {
  rules: [
    { name: 'narrow', match: { prefixes: [{ prefix: '192.0.2.0/24', ge: 25 }], communities: { any: ['1:1'] } }, action: 'Reject' },
    { name: 'tag', match: { communities: { any: ['1:2'] } }, set: { communities: { add: ['9:9'] } }, action: 'Continue' },
    {
      name: 'prefer',
      match: { prefixes: [{ prefix: '10.0.0.0/8', le: 32 }], med: { min: 2 } },
      set: { localPreference: 150 },
      action: 'Accept',
    },
  ],
  defaultAction: 'Accept',
})

function referenceImport(prefix: string, attributes: PathAttributes): PathAttributes | undefined {
  const has = (community: number): boolean => attributes.communities?.includes(community) ?? false
  if (prefix.startsWith('192.0.2.') && has(0x10001)) return undefined
  const tagged = has(0x10002) && !has(0x90009) ? { ...attributes, communities: [...(attributes.communities ?? []), 0x90009] } : attributes
  return prefix.startsWith('10.') && (attributes.med ?? 0) >= 2 ? { ...tagged, localPreference: 150 } : tagged
}

const exportPolicy = compileRoutePolicy('export', {
  rules: [
    { name: 'hide', match: { prefixes: [{ prefix: '10.1.2.0/24' }] }, action: 'Reject' },
    {
      name: 'lengthen',
      match: { prefixes: [{ prefix: '192.0.2.0/24', le: 32 }] },
      set: { prepend: { count: 2 }, med: 7 },
      action: 'Accept',
    },
  ],
  defaultAction: 'Accept',
})

function referenceExport(prefix: string, attributes: PathAttributes): PathAttributes | undefined {
  if (prefix === '10.1.2.0/24') return undefined
  if (!prefix.startsWith('192.0.2.')) return attributes
  const [first, ...rest] = attributes.asPath ?? []
  const own = [LOCAL_AS, LOCAL_AS]
  const asPath =
    first?.kind === 'sequence'
      ? [{ ...first, as: [...own, ...first.as] }, ...rest]
      : [{ kind: 'sequence' as const, as: own }, ...(attributes.asPath ?? [])]
  return { ...attributes, med: 7, asPath }
}

const PEERS: readonly ReferencePeer[] = [
  {
    name: 'a',
    external: true,
    client: false,
    as: 100,
    routerId: 9,
    address: parseIp('10.0.0.2') as Uint8Array,
    importRoute: referenceImport,
  },
  {
    name: 'b',
    external: true,
    client: false,
    as: 100,
    routerId: 8,
    address: parseIp('10.0.0.3') as Uint8Array,
    exportRoute: referenceExport,
  },
  { name: 'c', external: false, client: true, as: LOCAL_AS, routerId: 7, address: parseIp('10.0.0.4') as Uint8Array },
  { name: 'd', external: false, client: false, as: LOCAL_AS, routerId: 7, address: parseIp('10.0.0.5') as Uint8Array },
  { name: 'e', external: false, client: false, as: LOCAL_AS, routerId: 5, address: parseIp('10.0.0.6') as Uint8Array },
]

const policies = (peer: ReferencePeer): { importPolicy?: CompiledRoutePolicy; exportPolicy?: CompiledRoutePolicy } => ({
  ...(peer.importRoute ? { importPolicy } : {}),
  ...(peer.exportRoute ? { exportPolicy } : {}),
})

function sessionOf(peer: ReferencePeer): SessionParameters & WireOptions {
  return {
    fourOctetAs: true,
    addPathReceive: [],
    families: [4],
    extendedNextHop: false,
    internal: !peer.external,
    maxMessageBytes: 4096,
    remoteAs: peer.as,
    remoteRouterId: peer.routerId,
    localAddresses: { 4: SELF },
  }
}

/** The real RIB with what its peers have heard. */
class Driver {
  readonly rib: Rib
  readonly heard = new Map<string, Map<string, PathAttributes>>()
  readonly ended = new Set<string>()
  /** The forwarding table after all changes taken. */
  readonly fib = new Map<string, FibRoute>()
  readonly #up = new Set<string>()

  constructor() {
    const ignore = (): void => {}
    const resolve = (hop: Uint8Array): { metric: number } | undefined => {
      const metric = cost(hop)
      return metric === undefined ? undefined : { metric }
    }
    const listener = { exportsPending: ignore, workPending: ignore, fibPending: ignore }
    this.rib = createRib({ localAs: LOCAL_AS, routerId: ROUTER_ID, maximumPaths: 3, multipathRelax: true, resolver: { resolve }, listener })
    for (const peer of PEERS) {
      this.rib.addPeer({
        name: peer.name,
        address: peer.address,
        allowWithoutPolicy: true,
        routeReflectorClient: peer.client,
        ...policies(peer),
      })
      this.up(peer)
    }
  }

  handle(peer: ReferencePeer): number {
    return PEERS.indexOf(peer) + 1
  }

  up(peer: ReferencePeer): void {
    if (this.#up.has(peer.name)) return
    this.#up.add(peer.name)
    this.heard.set(peer.name, new Map())
    this.ended.delete(peer.name)
    this.rib.peerUp(this.handle(peer), sessionOf(peer))
  }

  down(peer: ReferencePeer): void {
    this.#up.delete(peer.name)
    this.rib.peerDown(this.handle(peer))
  }

  isUp(peer: ReferencePeer): boolean {
    return this.#up.has(peer.name)
  }

  update(peer: ReferencePeer, message: Parameters<typeof encodeUpdate>[0]): void {
    const outcome = this.rib.update(this.handle(peer), bodyOf(encodeUpdate(message, { fourOctetAs: true, addPath: [] })))
    expect(outcome).toMatchObject({ errors: [] })
    expect(outcome.fault).toBeUndefined()
  }

  take(peer: ReferencePeer, rounds: number, maxBytes: number): void {
    for (let i = 0; i < rounds; i++) {
      const bytes = this.rib.takeExports(this.handle(peer), maxBytes)
      if (!bytes) return
      for (let at = 0; at < bytes.length;) {
        const frame = nextFrame(bytes, at, bytes.length, 4096)
        if (!frame || isFault(frame)) throw new Error('the RIB wrote bad messages')
        this.#hear(peer, bytes.subarray(frame.start + 19, frame.end))
        at = frame.end
      }
    }
  }

  work(): void {
    while (this.rib.work(1000, () => 0)) {
      // until nothing is left
    }
  }

  takeFib(): void {
    for (let changes = this.rib.takeFibChanges(2); changes; changes = this.rib.takeFibChanges(2)) {
      for (const route of changes.remove) expect(this.fib.delete(keyOf(route)), 'removed but never added').toBe(true)
      for (const route of changes.add) this.fib.set(keyOf(route), route)
    }
  }

  settle(): void {
    this.work()
    for (const peer of PEERS) if (this.isUp(peer)) this.take(peer, 1000, 4096)
  }

  #hear(peer: ReferencePeer, body: Uint8Array): void {
    const read = decodeUpdate(body, { ...sessionOf(peer), internal: true })
    if (isFault(read)) throw new Error(read.reason)
    expect(read.errors).toEqual([])
    if (read.endOfRib) this.ended.add(peer.name)
    const routes = this.heard.get(peer.name) as Map<string, PathAttributes>
    for (const one of read.message.withdrawn) expect(routes.delete(formatPrefix(one)), 'withdrawn but never announced').toBe(true)
    for (const one of read.message.announced) routes.set(formatPrefix(one), read.message.attributes)
  }
}

const keyOf = ({ prefix, metric }: FibRoute): string => `${formatPrefix(prefix)} ${metric}`

const asNumber = fc.constantFrom(1, 2, 3, LOCAL_AS, 70000)
const attributes: fc.Arbitrary<PathAttributes> = fc
  .record({
    origin: fc.integer({ min: 0, max: 2 }),
    asPath: fc.array(
      fc.record({
        kind: fc.constantFrom('sequence' as const, 'sequence' as const, 'set' as const),
        as: fc.array(asNumber, { minLength: 1, maxLength: 2 }),
      }),
      { minLength: 0, maxLength: 2 },
    ),
    nextHop: fc
      .constantFrom('10.0.0.2', '10.0.0.3', '10.0.0.4', '10.5.0.1', '10.5.0.2', UNREACHABLE)
      .map((text) => parseIp(text) as Uint8Array),
    med: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    localPreference: fc.constantFrom(undefined, 100, 150),
    communities: fc.constantFrom(undefined, undefined, [0x10001], [0x10002], [0xffffff01], [0xffffff02], [0x10001, 0x90009]),
    originatorId: fc.constantFrom(undefined, undefined, ROUTER_ID, 3),
    clusterList: fc.constantFrom(undefined, undefined, [5], [5, ROUTER_ID]),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as PathAttributes)

const peer = fc.constantFrom(...PEERS)
const someOf = fc.uniqueArray(fc.constantFrom(...PREFIXES), { minLength: 1, maxLength: 3 })
const event = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('announce' as const), peer, prefixes: someOf, attributes, foreign: fc.nat(4) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), peer, prefixes: someOf }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('down' as const, 'up' as const, 'up' as const), peer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('originate' as const, 'remove' as const), prefixes: someOf, med: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('take' as const, 'take' as const, 'refresh' as const), peer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('work' as const) }) },
)

const parse = (text: string): IpPrefix => parsePrefix(text) as IpPrefix
const nlri = (texts: readonly string[]): { family: 4; bytes: Uint8Array; length: number }[] =>
  texts.map((text) => ({ ...parse(text), family: 4 as const }))

test('after any events, best paths and what every peer heard are those of the naive model', { timeout: PATIENCE_MS }, () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const driver = new Driver()
      const model = new ReferenceRib({ localAs: LOCAL_AS, routerId: ROUTER_ID, self: SELF, cost })
      for (const one of events) apply(driver, model, one)
      driver.settle()
      for (const prefix of PREFIXES) {
        const best = model.best(prefix)
        const found = driver.rib.explain(parse(prefix))?.candidates.find(({ state }) => state.kind === 'best')
        expect([prefix, found?.from, found?.attributes]).toEqual([prefix, best && (best.peer?.name ?? 'Static'), best?.attributes])
      }
      driver.takeFib()
      expect(driver.fib).toEqual(new Map([...driver.rib.fibRoutes()].map((route) => [keyOf(route), route])))
      for (const to of PEERS) {
        if (!driver.isUp(to)) continue
        const wanted = PREFIXES.flatMap((prefix) => {
          const attributes = model.exported(to, prefix)
          return attributes ? [[prefix, attributes] as const] : []
        })
        expect(driver.heard.get(to.name), to.name).toEqual(new Map(wanted))
        expect(driver.ended.has(to.name), `${to.name} got End-of-RIB`).toBe(true)
        expect(driver.rib.peerCounters(driver.handle(to)).advertised[4]).toBe(wanted.length)
      }
    }),
    { numRuns: 300 },
  )
})

test('when everything is gone, nothing is kept', { timeout: PATIENCE_MS }, () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.boolean(), (events, sessionsEnd) => {
      const driver = new Driver()
      const model = new ReferenceRib({ localAs: LOCAL_AS, routerId: ROUTER_ID, self: SELF, cost })
      for (const one of events) apply(driver, model, one)
      for (const prefix of PREFIXES) driver.rib.withdraw(parse(prefix), 'Static')
      for (const one of PEERS) {
        if (sessionsEnd) driver.down(one)
        else apply(driver, model, { kind: 'withdraw', peer: one, prefixes: PREFIXES })
      }
      driver.work()
      driver.rib.takeFibChanges(1000)
      driver.settle()
      expect(driver.rib.counters()).toMatchObject({ prefixes: { 4: 0 }, paths: 0, attributeSets: 0, nextHops: 0, nextHopSets: 0 })
    }),
    { numRuns: 150 },
  )
})

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

function apply(driver: Driver, model: ReferenceRib, one: Event): void {
  switch (one.kind) {
    case 'announce': {
      if (!driver.isUp(one.peer)) return
      const { localPreference, originatorId, clusterList, ...rest } = one.attributes
      const inner = {
        ...(localPreference ? { localPreference } : {}),
        ...(originatorId ? { originatorId } : {}),
        ...(clusterList ? { clusterList } : {}),
      }
      const asPath = one.foreign === 0 ? rest.asPath : [{ kind: 'sequence' as const, as: [one.peer.as] }, ...(rest.asPath ?? [])]
      const sent = one.peer.external ? { ...rest, ...(asPath ? { asPath } : {}) } : { ...rest, ...inner }
      driver.update(one.peer, { withdrawn: [], announced: nlri(one.prefixes), attributes: sent })
      for (const prefix of one.prefixes) model.announce(one.peer, prefix, sent)
      return
    }
    case 'withdraw':
      if (!driver.isUp(one.peer)) return
      driver.update(one.peer, { withdrawn: nlri(one.prefixes), announced: [], attributes: {} })
      for (const prefix of one.prefixes) model.withdraw(one.peer, prefix)
      return
    case 'down':
      driver.down(one.peer)
      model.down(one.peer)
      return
    case 'up':
      driver.up(one.peer)
      return
    case 'originate':
      for (const prefix of one.prefixes) {
        driver.rib.originate({ prefix: parse(prefix), source: 'Static', attributes: { med: one.med } })
        model.announce(undefined, prefix, { origin: 0, asPath: [], med: one.med })
      }
      return
    case 'remove':
      for (const prefix of one.prefixes) {
        driver.rib.withdraw(parse(prefix), 'Static')
        model.withdraw(undefined, prefix)
      }
      return
    case 'take':
      driver.take(one.peer, 1, 1000)
      return
    case 'refresh':
      driver.rib.refresh(driver.handle(one.peer), 4, false)
      return
    case 'work':
      driver.rib.work(0, () => 0)
      driver.takeFib()
  }
}
