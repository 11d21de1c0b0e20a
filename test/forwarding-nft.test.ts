import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseIp } from '../src/base/ip.ts'
import type { ElementChange, ForeignChange, Nft, NftStructures, SetElement } from '../src/data-plane/forwarding/contract.ts'
import { NftError, openNft } from '../src/data-plane/forwarding/nft/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()

/** The kinds of sets that biplane uses, all of them empty. */
const SETS = `
table ip t; delete table ip t; table ip6 t; delete table ip6 t
table ip t {
  set addresses { type ipv4_addr; }
  set aging { type ipv4_addr; flags timeout; }
  set ranges { type ipv4_addr; flags interval; }
  set ports { type inet_service; flags interval; }
  set peers { type ipv4_addr . inet_proto . inet_service; flags interval; }
  map backends { typeof ip daddr . meta l4proto . th dport . numgen random mod 2 : ip daddr . th dport; }
  map services { typeof ip daddr . meta l4proto . th dport : verdict; }
  map marks { type ipv4_addr : mark; }
  map zones { type ipv4_addr : verdict; flags interval; }
  chain lb1 { }
  chain lb2 { }
}
table ip6 t {
  set addresses { type ipv6_addr; }
  set ranges { type ipv6_addr; flags interval; }
  set peers { type ipv6_addr . inet_proto . inet_service; flags interval; }
}
`

const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array
const padded = (...fields: readonly (readonly number[] | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(fields.flatMap((field) => [...field, ...Array.from({ length: (4 - (field.length % 4)) % 4 }, () => 0)]))
const port = (number: number): readonly number[] => [number >> 8, number & 255]
const TCP = [6]

describe.skipIf(missing !== '')(`nf_tables of a namespace${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let host: LabHost
  let nft: Nft & NftStructures

  beforeAll(async () => {
    lab = await createNetworkLab()
    host = await lab.host('nft')
    nft = openNft({ namespace: host.path })
  })
  beforeEach(() => nft.run(SETS))
  afterAll(async () => {
    nft.close()
    await lab.remove()
  })

  const change = (op: 'add' | 'delete', set: string, elements: readonly SetElement[], family: 'ip' | 'ip6' = 'ip'): ElementChange => ({
    op,
    family,
    table: 't',
    set,
    elements,
  })
  /** What is between the braces of `elements`, in nft's words; empty when there is nothing. */
  const elementsOf = async (set: string, family: 'ip' | 'ip6' = 'ip'): Promise<string> => {
    const kind = ['backends', 'services', 'marks', 'zones'].includes(set) ? 'map' : 'set'
    const text = await host.must(['nft', '-n', 'list', kind, family, 't', set])
    return (/elements = \{([^}]*)\}/.exec(text)?.[1] ?? '').replaceAll(/\s+/g, ' ').trim()
  }

  test('counts what is in a table, also while others write', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => ({ key: Uint8Array.from([10, 1, i >> 8, i & 255]) }))
    await nft.apply([change('add', 'addresses', many)])
    await nft.run('add rule ip t lb1 accept; add rule ip t lb1 drop')
    const other = openNft({ namespace: host.path })
    const counts = Array.from({ length: 5 }, () => nft.count?.({ family: 'ip', table: 't' }, ['addresses', 'peers']))
    for (let i = 0; i < 20; i++)
      await other.apply([change('add', 'marks', [{ key: Uint8Array.from([10, 0, 0, i]), data: Uint8Array.from([1, 0, 0, 0]) }])])
    for (const counted of counts) {
      const { elements, rules } = (await counted) ?? {}
      expect([elements?.get('addresses'), elements?.get('peers'), rules?.get('lb1')]).toEqual([20_000, 0, 2])
    }
    other.close()
    await expect(nft.count?.({ family: 'ip', table: 't' }, ['none'])).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test.each<[string, 'ip' | 'ip6', SetElement, string]>([
    ['addresses', 'ip', { key: ip('10.0.0.1') }, '10.0.0.1'],
    ['addresses', 'ip6', { key: ip('fd00::1') }, 'fd00::1'],
    ['marks', 'ip', { key: ip('10.0.0.1'), data: Uint8Array.from([7, 0, 0, 0]) }, '10.0.0.1 : 0x00000007'],
    [
      'services',
      'ip',
      { key: padded(ip('10.0.0.1'), TCP, port(80)), data: { verdict: 'goto', chain: 'lb2' } },
      '10.0.0.1 . 6 . 80 : goto lb2',
    ],
    ['services', 'ip', { key: padded(ip('10.0.0.1'), TCP, port(80)), data: { verdict: 'drop' } }, '10.0.0.1 . 6 . 80 : drop'],
    ['ranges', 'ip', { key: ip('10.0.0.3'), keyEnd: ip('10.0.0.9') }, '10.0.0.3-10.0.0.9'],
    ['ranges', 'ip', { key: ip('10.0.0.0'), keyEnd: ip('10.0.255.255') }, '10.0.0.0/16'],
    ['ranges', 'ip', { key: ip('10.0.0.7') }, '10.0.0.7'],
    ['ranges', 'ip', { key: ip('0.0.0.0'), keyEnd: ip('255.255.255.255') }, '0.0.0.0/0'],
    ['ranges', 'ip', { key: ip('224.0.0.0'), keyEnd: ip('255.255.255.255') }, '224.0.0.0/3'],
    ['ranges', 'ip6', { key: ip('fd00::'), keyEnd: ip('fd00::ffff') }, 'fd00::/112'],
    [
      'ranges',
      'ip6',
      { key: ip('fd00::'), keyEnd: ip('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') },
      'fd00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    ],
    ['ports', 'ip', { key: padded(port(8000)), keyEnd: padded(port(8999)) }, '8000-8999'],
    ['zones', 'ip', { key: ip('10.0.0.0'), keyEnd: ip('10.0.0.255'), data: { verdict: 'jump', chain: 'lb1' } }, '10.0.0.0/24 : jump lb1'],
    [
      'peers',
      'ip',
      { key: padded(ip('10.0.0.0'), TCP, port(80)), keyEnd: padded(ip('10.0.0.255'), TCP, port(90)) },
      '10.0.0.0/24 . 6 . 80-90',
    ],
    ['peers', 'ip', { key: padded(ip('10.0.0.1'), TCP, port(80)) }, '10.0.0.1 . 6 . 80'],
    ['peers', 'ip6', { key: padded(ip('fd00::'), TCP, port(80)), keyEnd: padded(ip('fd00::ff'), TCP, port(80)) }, 'fd00::/120 . 6 . 80'],
    [
      'backends',
      'ip',
      { key: padded(ip('10.0.0.1'), TCP, port(80), [1, 0, 0, 0]), data: padded(ip('10.244.0.5'), port(8080)) },
      '10.0.0.1 . 6 . 80 . 1 : 10.244.0.5 . 8080',
    ],
  ])('an element of %s (%s) is added, is there in the words of nft, and is deleted', async (set, family, element, words) => {
    await nft.apply([change('add', set, [element], family)])
    expect(await elementsOf(set, family)).toBe(words)
    // again, the same: no error
    await nft.apply([change('add', set, [element], family)])
    await nft.apply([change('delete', set, [element], family)])
    expect(await elementsOf(set, family)).toBe('')
  })

  test('ranges that touch each other stay apart, and go one by one', async () => {
    const low = { key: ip('10.0.0.0'), keyEnd: ip('10.0.0.127') }
    const high = { key: ip('10.0.0.128'), keyEnd: ip('10.0.0.200') }
    await nft.apply([change('add', 'ranges', [high])])
    await nft.apply([change('add', 'ranges', [low])])
    expect(await elementsOf('ranges')).toBe('10.0.0.0/25, 10.0.0.128-10.0.0.200')
    await nft.apply([change('delete', 'ranges', [low])])
    expect(await elementsOf('ranges')).toBe('10.0.0.128-10.0.0.200')
  })

  test('elements with a timeout go by themselves, and nobody is blamed', async () => {
    const stop = new AbortController()
    const seen = collect(nft.foreignChanges(['ip t'], stop.signal))
    await nft.apply([
      change('add', 'aging', [
        { key: ip('10.0.0.1'), timeoutMs: 300 },
        { key: ip('10.0.0.2'), timeoutMs: 3_600_000 },
      ]),
    ])
    await poll('the first is gone', async () => ((await elementsOf('aging')).startsWith('10.0.0.2 timeout 3600s') ? true : undefined))
    await host.must(['nft', 'add', 'table', 'ip', 'other'])
    await host.must(['nft', 'add', 'chain', 'ip', 't', 'end'])
    await poll('the last change', () => seen[0])
    expect(seen).toHaveLength(1)
    stop.abort()
  })

  test('all or nothing: one bad element and none is there; the error names it', async () => {
    await nft.apply([change('add', 'marks', [{ key: ip('10.0.0.9'), data: Uint8Array.from([9, 0, 0, 0]) }])])
    const attempt = nft.apply([
      change('add', 'addresses', [{ key: ip('10.0.0.1') }]),
      change('delete', 'addresses', [{ key: ip('10.9.9.9') }]),
      change('add', 'marks', [{ key: ip('10.0.0.2'), data: Uint8Array.from([1, 0, 0, 0]) }]),
    ])
    await expect(attempt).rejects.toMatchObject({
      name: 'NftError',
      code: 'ENOENT',
      message: expect.stringContaining('0a090909') as string,
    })
    expect(await elementsOf('addresses')).toBe('')
    expect(await elementsOf('marks')).toBe('10.0.0.9 : 0x00000009')
    // the same key with other data
    const other = nft.apply([change('add', 'marks', [{ key: ip('10.0.0.9'), data: Uint8Array.from([8, 0, 0, 0]) }])])
    await expect(other).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test.each([
    ['a set that is not there', 'nothing', { key: ip('10.0.0.1') }, 'ENOENT'],
    ['a key of another length', 'addresses', { key: ip('fd00::1') }, 'EINVAL'],
    ['a range in a set without ranges', 'addresses', { key: ip('10.0.0.1'), keyEnd: ip('10.0.0.2') }, 'EINVAL'],
    [
      'a chain that is not there',
      'services',
      { key: padded(ip('10.0.0.1'), TCP, port(80)), data: { verdict: 'goto', chain: 'no' } },
      'ENOENT',
    ],
  ] as const)('%s is refused', async (_name, set, element, code) => {
    await expect(nft.apply([change('add', set, [element])])).rejects.toMatchObject({ name: 'NftError', code })
  })

  test.each([
    ['text that is none', 'tabel ip x', 'EINVAL'],
    ['a rule for a chain that is not there', 'add rule ip t no accept', 'ENOENT'],
  ])('%s is refused in the words of nft', async (_name, text, code) => {
    const error = await nft.run(text).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(NftError)
    expect(error).toMatchObject({ code })
    expect((error as NftError).message).toMatch(/Error/)
  })

  test('an element is moved to a new value in one transaction', async () => {
    const old = { key: ip('10.0.0.9'), data: Uint8Array.from([9, 0, 0, 0]) }
    await nft.apply([change('add', 'marks', [old])])
    await nft.apply([change('delete', 'marks', [old]), change('add', 'marks', [{ ...old, data: Uint8Array.from([5, 0, 0, 0]) }])])
    expect(await elementsOf('marks')).toBe('10.0.0.9 : 0x00000005')
  })

  test('30,000 elements go in one transaction, and out', async () => {
    const elements = Array.from({ length: 30_000 }, (_, i) => ({
      key: padded([10, i >> 16, (i >> 8) & 255, i & 255], TCP, port(80), [0, 0, 0, 0]),
      data: padded([10, 244, (i >> 8) & 255, i & 255], port(8080)),
    }))
    const stop = new AbortController()
    const seen = collect(nft.foreignChanges(['ip t'], stop.signal))
    await nft.apply([change('add', 'backends', elements)])
    const { nftables } = (await nft.list('map', 'ip', 't', 'backends')) as {
      readonly nftables: readonly { readonly map?: { readonly elem: readonly unknown[] } }[]
    }
    expect(nftables.find((item) => item.map)?.map?.elem).toHaveLength(30_000)
    await nft.apply([change('delete', 'backends', elements)])
    expect(await elementsOf('backends')).toBe('')
    // neither these nor lost notifications count as changes by others
    await host.must(['nft', 'add', 'chain', 'ip', 't', 'end'])
    await poll('the change by another', () => seen[0])
    expect(seen.map(({ process }) => process)).toEqual(['nft'])
    stop.abort()
  })

  test('a stranger is seen and named; what we do ourselves is not', async () => {
    const stop = new AbortController()
    const seen = collect(nft.foreignChanges(['ip t', 'ip6 t'], stop.signal))
    await nft.run('add chain ip t ours')
    await nft.apply([change('add', 'addresses', [{ key: ip('10.0.0.1') }])])
    await host.must(['nft', 'add', 'element', 'ip', 't', 'addresses', '{ 10.0.0.2 }'])
    await poll('an element', () => seen.find(({ family }) => family === 'ip'))
    await host.must(['nft', 'add', 'table', 'ip', 'unrelated'])
    await host.must(['nft', 'delete', 'table', 'ip6', 't'])
    await poll('a table', () => seen.find(({ family }) => family === 'ip6'))
    expect(seen).toEqual([
      { family: 'ip', table: 't', process: 'nft', pid: expect.any(Number) as number },
      { family: 'ip6', table: 't', process: 'nft', pid: expect.any(Number) as number },
    ])
    stop.abort()
  })

  test('another object is a stranger, with the name of this process', async () => {
    const stop = new AbortController()
    const seen = collect(nft.foreignChanges(['ip t'], stop.signal))
    const other = openNft({ namespace: host.path })
    await other.apply([change('add', 'addresses', [{ key: ip('10.0.0.1') }])])
    other.close()
    expect(await poll('its change', () => seen[0])).toMatchObject({ family: 'ip', table: 't' })
    expect(seen[0]?.process).not.toBe('')
    stop.abort()
  })

  test('more refusals than the kernel has room to tell are one refusal, named', async () => {
    const changes = Array.from({ length: 60_000 }, (_, i) => ({ op: 'delete-chain' as const, name: `none${i}` }))
    const refused = nft.commit({ family: 'ip', table: 't' }, changes)
    await expect(refused).rejects.toMatchObject({ name: 'NftError', code: 'ENOENT', message: expect.stringContaining('none0') as string })
  })

  test('calls run in the order of asking', async () => {
    const steps = [
      nft.run('add set ip t fresh { type ipv4_addr; }'),
      nft.apply([change('add', 'fresh', [{ key: ip('10.0.0.1') }])]),
      nft.run('flush set ip t fresh'),
      nft.apply([change('add', 'fresh', [{ key: ip('10.0.0.2') }])]),
    ]
    await Promise.all(steps)
    expect(await elementsOf('fresh')).toBe('10.0.0.2')
  })
})

function collect(changes: AsyncIterable<ForeignChange>): ForeignChange[] {
  const seen: ForeignChange[] = []
  void (async () => {
    for await (const change of changes) seen.push(change)
  })()
  return seen
}
