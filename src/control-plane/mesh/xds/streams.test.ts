import { describe, expect, it } from 'vitest'
import { decodeDeltaResponse, decodeDiscoveryResponse, type DeltaDiscoveryRequest } from '../../../protocols/discovery/index.ts'
import type { Origin } from '../../../policy/traffic/model/index.ts'
import type { EncodedResource, ResourceSource } from './contract.ts'
import { DeltaStream } from './delta-stream.ts'
import { encodeResource } from './encode-resource.ts'
import { nextPushAt } from './push-schedule.ts'
import { SotwStream } from './sotw-stream.ts'
import { Truth } from './truth.ts'
import { XDS_TYPE } from './type-order.ts'

const origin = (name: string): Origin => ({ kind: 'MeshTimeout', group: 'kuma.io', namespace: 'x', name })

class World implements ResourceSource {
  readonly types = new Map<string, Map<string, EncodedResource>>()
  put(typeUrl: string, name: string, text: string, more: { origins?: readonly Origin[]; again?: EncodedResource['again'] } = {}): void {
    const { origins = [], again } = more
    const names = this.types.get(typeUrl) ?? new Map<string, EncodedResource>()
    this.types.set(typeUrl, names)
    names.set(name, encodeResource({ typeUrl, name, bytes: Buffer.from(text), origins, ...(again ? { again } : {}) }))
  }
  resource(_proxy: string, typeUrl: string, name: string): EncodedResource | undefined {
    return this.types.get(typeUrl)?.get(name)
  }
  names(_proxy: string, typeUrl: string): Iterable<string> {
    return this.types.get(typeUrl)?.keys() ?? []
  }
  onChange(): () => void {
    return () => {}
  }
}

const { cluster: C, endpoints: E, listener: L, route: R } = XDS_TYPE
const NAMES = new Map([
  [C, 'C'],
  [E, 'E'],
  [L, 'L'],
  [R, 'R'],
])
const setup = { proxy: 'p', monotonic: () => 0, now: () => 0 }

/** A delta client that notes what comes, such as `C +a=1 -b`. */
function deltaClient(world: World, observer = {}) {
  const stream = new DeltaStream({ ...setup, source: world, observer })
  const nonces = new Map<string, string>()
  const send = (typeUrl: string, more: Partial<DeltaDiscoveryRequest> = {}): string[] => {
    stream.receive({ typeUrl, subscribe: [], unsubscribe: [], initialVersions: new Map(), responseNonce: '', ...more })
    return read()
  }
  const read = (): string[] =>
    stream.next().map(({ bytes, typeUrl, nonce }) => {
      const { resources, removed } = decodeDeltaResponse(bytes)
      nonces.set(typeUrl, nonce)
      const parts = [...resources.map(({ name, value }) => `+${name}=${value.toString()}`), ...removed.map((name) => `-${name}`)]
      return [NAMES.get(typeUrl as typeof C), ...parts].join(' ')
    })
  return {
    stream,
    send,
    ack: (typeUrl: string) => send(typeUrl, { responseNonce: nonces.get(typeUrl) ?? '' }),
    nack: (typeUrl: string, message: string) =>
      send(typeUrl, { responseNonce: nonces.get(typeUrl) ?? '', errorDetail: { code: 3, message } }),
    changed: () => {
      stream.changed({ urgent: false })
      return read()
    },
  }
}

describe('a delta stream', () => {
  it('answers every name, says what does not exist, and says nothing twice', () => {
    const world = new World()
    world.put(E, 'a', '1')
    const client = deltaClient(world)
    expect(client.send(E, { subscribe: ['a', 'b'] })).toEqual(['E +a=1 -b'])
    expect(client.ack(E)).toEqual([])
    expect(client.changed()).toEqual([])
    expect(client.send(E, { subscribe: ['a'] })).toEqual(['E +a=1'])
    world.put(E, 'b', '2')
    expect(client.changed()).toEqual([])
    expect(client.ack(E)).toEqual(['E +b=2'])
  })

  it('has one unconfirmed response of a type, and sends newer state together after it', () => {
    const world = new World()
    world.put(E, 'a', '1')
    const client = deltaClient(world)
    client.send(E, { subscribe: ['a'] })
    for (const text of ['2', '3', '4']) {
      world.put(E, 'a', text)
      expect(client.changed()).toEqual([])
    }
    expect(client.send(E, { responseNonce: 'stale' })).toEqual([])
    expect(client.ack(E)).toEqual(['E +a=4'])
  })

  it('sends nothing that a client brought along when it comes back, and says what has gone', () => {
    const world = new World()
    world.put(C, 'a', '1')
    world.put(C, 'b', '1')
    const initialVersions = new Map([
      ['a', world.resource('', C, 'a')?.version ?? ''],
      ['b', 'old'],
      ['gone', 'x'],
    ])
    expect(deltaClient(world).send(C, { initialVersions })).toEqual(['C +b=1 -gone'])
  })

  it('answers an empty wildcard, explicit or not', () => {
    expect(deltaClient(new World()).send(C)).toEqual(['C'])
    expect(deltaClient(new World()).send(R, { subscribe: ['*'] })).toEqual(['R'])
  })

  it('sends endpoints again after their cluster, and routes after their listener', () => {
    const world = new World()
    world.put(C, 'c', '1', { again: [{ typeUrl: E, name: 'c' }] })
    world.put(E, 'c', 'e')
    const client = deltaClient(world)
    expect(client.send(C)).toEqual(['C +c=1'])
    client.ack(C)
    expect(client.send(E, { subscribe: ['c'] })).toEqual(['E +c=e'])
    client.ack(E)
    world.put(C, 'c', '2', { again: [{ typeUrl: E, name: 'c' }] })
    expect(client.changed()).toEqual(['C +c=2', 'E +c=e'])
  })

  it('adds before, and deletes after, what refers to it', () => {
    const world = new World()
    world.put(C, 'old', '1')
    world.put(R, 'r', 'to old')
    const client = deltaClient(world)
    client.send(C)
    client.ack(C)
    client.send(R, { subscribe: ['r'] })
    client.ack(R)
    world.types.get(C)?.delete('old')
    world.put(C, 'new', '1')
    world.put(R, 'r', 'to new')
    expect(client.changed()).toEqual(['C +new=1', 'R +r=to new'])
    expect(client.ack(C)).toEqual([])
    expect(client.ack(R)).toEqual(['C -old'])
  })

  it('holds routes back while the clusters that they may need wait', () => {
    const world = new World()
    world.put(C, 'a', '1')
    world.put(R, 'r', '1')
    const client = deltaClient(world)
    client.send(C)
    client.send(R, { subscribe: ['r'] })
    client.ack(R)
    world.put(C, 'b', '1')
    world.put(R, 'r', 'to b')
    expect(client.changed()).toEqual([])
    expect(client.ack(C)).toEqual(['C +b=1', 'R +r=to b'])
  })

  it('adds routes to a new cluster after its endpoints, which a client asks for when it has the cluster', () => {
    const world = new World()
    world.put(C, 'a', '1')
    world.put(R, 'r', 'to a')
    const client = deltaClient(world)
    client.send(C)
    client.ack(C)
    client.send(R, { subscribe: ['r'] })
    client.ack(R)
    const again = [{ typeUrl: E, name: 'of b' }]
    world.put(C, 'b', '1', { again })
    world.put(C, 'c', '1', { again: [{ typeUrl: E, name: 'of c' }] })
    world.put(E, 'of b', '10.0.0.1')
    world.put(R, 'r', 'to b')
    expect(client.changed()).toEqual(['C +b=1 +c=1'])
    expect(client.ack(C)).toEqual([])
    // one that does not exist is answered as well
    expect(client.send(E, { subscribe: ['of b', 'of c'] })).toEqual(['E +of b=10.0.0.1 -of c', 'R +r=to b'])
    // a cluster that goes before anybody has asked for its endpoints is not waited for
    client.ack(E)
    client.ack(R)
    world.put(C, 'd', '1', { again: [{ typeUrl: E, name: 'of d' }] })
    world.put(E, 'of d', '10.0.0.2')
    world.put(R, 'r', 'to d')
    expect(client.changed()).toEqual(['C +d=1'])
    expect(client.nack(C, 'd cannot be')).toEqual(['R +r=to d'])
  })

  it('sends endpoints again to a new cluster that shares them with another one: the client does not ask a second time', () => {
    const world = new World()
    const again = [{ typeUrl: E, name: 'of a' }]
    world.put(C, 'a', '1', { again })
    world.put(E, 'of a', '10.0.0.1')
    world.put(R, 'r', 'to a')
    const client = deltaClient(world)
    client.send(C)
    client.ack(C)
    client.send(E, { subscribe: ['of a'] })
    client.ack(E)
    client.send(R, { subscribe: ['r'] })
    client.ack(R)
    world.put(C, 'other', '1', { again })
    world.put(R, 'r', 'to other')
    expect(client.changed()).toEqual(['C +other=1', 'E +of a=10.0.0.1', 'R +r=to other'])
  })

  it('leads routes away from a new cluster that is gone before its client has asked for the endpoints', () => {
    const world = new World()
    world.put(C, 'a', '1')
    world.put(R, 'r', 'to a')
    const client = deltaClient(world)
    client.send(C)
    client.ack(C)
    client.send(R, { subscribe: ['r'] })
    client.ack(R)
    world.put(C, 'b', '1', { again: [{ typeUrl: E, name: 'of b' }] })
    world.put(E, 'of b', '10.0.0.1')
    world.put(R, 'r', 'to b')
    expect(client.changed()).toEqual(['C +b=1'])
    world.types.get(C)?.delete('b')
    world.types.get(E)?.delete('of b')
    world.put(R, 'r', 'to a again')
    client.changed()
    expect(client.ack(C)).toEqual(['R +r=to a again'])
    expect(client.ack(R)).toEqual(['C -b'])
  })

  it('does not send what was refused again, sends the rest again, and tells whose it was', () => {
    const world = new World()
    world.put(L, 'good', '1', { origins: [origin('fine')] })
    world.put(L, 'bad', '1', { origins: [origin('broken')] })
    const quarantined: string[] = []
    const truth = new Truth({
      monotonic: () => 0,
      quarantine: (origins, kind, reason) => void quarantined.push(`${origins.map(({ name }) => name).join()} ${kind} ${reason}`),
    })
    const client = deltaClient(world, {
      refused: (_: unknown, resources: readonly EncodedResource[], reason: string) => truth.refused(client.stream, resources, reason),
    })
    truth.add(client.stream, 'envoy', 0)
    expect(client.send(L)).toEqual(['L +good=1 +bad=1'])
    expect(truth.of(origin('fine'))).toEqual({ total: 1, acked: 0, refused: [] })
    expect(client.nack(L, 'Error adding listener bad: no such filter')).toEqual(['L +good=1'])
    expect(client.ack(L)).toEqual([])
    expect(client.changed()).toEqual([])
    expect(quarantined).toEqual(['broken envoy Error adding listener bad: no such filter'])
    truth.touch(client.stream)
    expect(truth.of(origin('fine'))).toEqual({ total: 1, acked: 1, refused: [] })
    expect(truth.of(origin('broken')).refused).toEqual([{ proxy: 'p', reason: 'Error adding listener bad: no such filter' }])
    world.put(L, 'bad', '2')
    expect(client.changed()).toEqual(['L +bad=2'])
  })

  it('counts a proxy once that has dialled again before its old stream was found dead', () => {
    const world = new World()
    world.put(L, 'one', '1', { origins: [origin('fine')] })
    const truth = new Truth({ monotonic: () => 0 })
    const [old, young] = [deltaClient(world), deltaClient(world)]
    for (const client of [old, young]) {
      truth.add(client.stream, 'biplane', 0)
      client.send(L)
    }
    young.ack(L)
    truth.touch(young.stream)
    expect(truth.of(origin('fine'))).toEqual({ total: 1, acked: 1, refused: [] })
    truth.remove(old.stream)
    expect(truth.proxies().map(({ proxy, connected }) => [proxy, connected])).toEqual([['p', true]])
    truth.remove(young.stream)
    expect(truth.proxies().map(({ proxy, connected }) => [proxy, connected])).toEqual([['p', false]])
  })

  it('adds up the streams of a proxy that has one of its own and one of what stands beside it: of each type the younger counts', () => {
    const world = new World()
    world.put(L, 'one', '1', { origins: [origin('fine')] })
    world.put(R, 'r', '1', { origins: [origin('fine'), origin('route')] })
    const truth = new Truth({ monotonic: () => 0 })
    const [beside, own] = [deltaClient(world), deltaClient(world)]
    for (const client of [beside, own]) truth.add(client.stream, 'envoy', 0)
    beside.send(R, { subscribe: ['r'] })
    own.send(L)
    own.ack(L)
    truth.touch(own.stream)
    expect(truth.of(origin('fine'))).toEqual({ total: 1, acked: 0, refused: [] })
    expect(truth.of(origin('route'))).toEqual({ total: 1, acked: 0, refused: [] })
    beside.ack(R)
    truth.touch(beside.stream)
    expect(truth.of(origin('fine'))).toEqual({ total: 1, acked: 1, refused: [] })
    expect(truth.proxies().map(({ types }) => types.map(({ type }) => type).toSorted())).toEqual([['listener', 'route']])
    truth.remove(own.stream)
    expect(truth.proxies().map(({ connected, types }) => [connected, types.map(({ type }) => type)])).toEqual([[true, ['route']]])
  })

  it('refuses requests without type and too many names', () => {
    const client = deltaClient(new World())
    expect(() => client.send('')).toThrow('type_url is missing')
    expect(() => client.send(E, { subscribe: Array.from({ length: 20_001 }, (_, i) => `n${i}`) })).toThrow('more than 20000 names')
    expect(() => client.send(E, { subscribe: ['x'.repeat(2_000)] })).toThrow('2000 characters')
  })
})

function sotwClient(world: World) {
  const stream = new SotwStream({ ...setup, source: world })
  const nonces = new Map<string, string>()
  const read = (): string[] =>
    stream.next().map(({ bytes, typeUrl, nonce }) => {
      nonces.set(typeUrl, nonce)
      const values = decodeDiscoveryResponse(bytes).resources.map(({ value }) => value.toString())
      return [NAMES.get(typeUrl as typeof C), ...values].join(' ')
    })
  const send = (typeUrl: string, names: readonly string[], nonce = nonces.get(typeUrl) ?? '', message?: string): string[] => {
    stream.receive({
      typeUrl,
      versionInfo: '',
      resourceNames: names,
      responseNonce: nonce,
      ...(message === undefined ? {} : { errorDetail: { code: 3, message } }),
    })
    return read()
  }
  return {
    send,
    changed: () => {
      stream.changed({ urgent: false })
      return read()
    },
  }
}

describe('a state-of-the-world stream', () => {
  it('lists all clusters each time, and ignores stale nonces', () => {
    const world = new World()
    world.put(C, 'a', 'a1')
    world.put(C, 'b', 'b1')
    const client = sotwClient(world)
    expect(client.send(C, [])).toEqual(['C a1 b1'])
    world.put(C, 'a', 'a2')
    expect(client.changed()).toEqual([])
    expect(client.send(C, [], 'other')).toEqual([])
    expect(client.send(C, [])).toEqual(['C a2 b1'])
    expect(client.send(C, [])).toEqual([])
  })

  it('answers a new subscription, unchanged or not, and sends only what has changed of endpoints', () => {
    const world = new World()
    world.put(E, 'a', 'a1')
    world.put(E, 'b', 'b1')
    const client = sotwClient(world)
    expect(client.send(E, ['a'])).toEqual(['E a1'])
    expect(client.send(E, ['a', 'b'])).toEqual(['E b1'])
    expect(client.send(E, ['a', 'b'])).toEqual([])
    world.put(E, 'a', 'a2')
    expect(client.changed()).toEqual(['E a2'])
  })

  it('lists a cluster that is gone until the routes are confirmed', () => {
    const world = new World()
    world.put(C, 'old', 'old')
    world.put(R, 'r', 'to-old')
    const client = sotwClient(world)
    client.send(C, [])
    client.send(C, [])
    client.send(R, ['r'])
    client.send(R, ['r'])
    world.types.get(C)?.delete('old')
    world.put(C, 'new', 'new')
    world.put(R, 'r', 'to-new')
    expect(client.changed()).toEqual(['C new old', 'R to-new'])
    expect(client.send(C, [])).toEqual([])
    expect(client.send(R, ['r'])).toEqual(['C new'])
  })

  it('says nothing of a cluster that is gone while the routes away from it are on their way: the client asks for another one then', () => {
    const world = new World()
    world.put(C, 'a', 'a1')
    world.put(C, 'b', 'b1')
    world.put(R, 'r', 'to-a')
    const client = sotwClient(world)
    client.send(R, ['r'])
    client.send(R, ['r'])
    client.send(C, ['a'])
    client.send(C, ['a'])
    world.put(R, 'r', 'to-b')
    expect(client.changed()).toEqual(['R to-b'])
    // before the client asks for it
    world.types.get(C)?.delete('b')
    world.put(R, 'r', 'to-a again')
    expect(client.changed()).toEqual([])
    expect(client.send(C, ['a', 'b'])).toEqual([])
    expect(client.send(R, ['r'])).toEqual(['R to-a again'])
    expect(client.send(C, ['a'])).toEqual(['C a1'])
    // whoever goes on asking is told
    expect(client.send(C, ['a', 'nowhere'])).toEqual([])
    expect(client.send(R, ['r'])).toEqual(['C a1'])
  })

  it('puts the last good in place of what was refused, once', () => {
    const world = new World()
    world.put(C, 'a', 'a1')
    world.put(C, 'b', 'b1')
    const client = sotwClient(world)
    client.send(C, [])
    client.send(C, [])
    world.put(C, 'a', 'bad')
    world.put(C, 'b', 'b2')
    expect(client.changed()).toEqual(['C bad b2'])
    expect(client.send(C, [], undefined, 'cluster a: wrong')).toEqual(['C a1 b2'])
    expect(client.send(C, [])).toEqual([])
    expect(client.changed()).toEqual([])
  })
})

it.each([
  ['nothing', { urgent: false, lastPushAt: 0, pushCostMs: 0 }, undefined],
  ['the first change after a rest', { firstChangeAt: 1_000, urgent: false, lastPushAt: 0, pushCostMs: 0 }, 1_001],
  ['a change right after a push', { firstChangeAt: 1_000, urgent: false, lastPushAt: 995, pushCostMs: 0 }, 1_010],
  ['pushes that cost much', { firstChangeAt: 1_000, urgent: false, lastPushAt: 995, pushCostMs: 500 }, 1_200],
  ['changes without end', { firstChangeAt: 1_000, lastChangeAt: 1_190, urgent: false, lastPushAt: 995, pushCostMs: 40 }, 1_200],
  ['what must not wait', { firstChangeAt: 1_000, urgent: true, lastPushAt: 999, pushCostMs: 500 }, 1_000],
])('pushes %s in time', (_what, state, at) => {
  expect(nextPushAt(state)).toBe(at)
})
