import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseIp, parsePrefix } from '../../base/ip.ts'
import { AttributeFacts, BlockEditor, decodeBlock, encodeBlock, type PathAttributes } from '../../protocols/bgp/index.ts'
import { applyActions, compileRoutePolicy, type RouteMatch, type RouteOutcome, type RoutePolicySpec, type RouteSource } from './index.ts'

const path = (...as: number[]): NonNullable<PathAttributes['asPath']> => [{ kind: 'sequence', as }]
const base: PathAttributes = { origin: 0, asPath: path(64500, 64501), nextHop: parseIp('192.0.2.1') as Uint8Array }

function judge(spec: RoutePolicySpec, prefix: string, attributes: PathAttributes = base, source: RouteSource = 'BGP'): RouteOutcome {
  const policy = compileRoutePolicy('policy', spec)
  const block = encodeBlock(attributes)
  const { bytes, length, family } = parsePrefix(prefix) as NonNullable<ReturnType<typeof parsePrefix>>
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const word = (i: number): number => (4 * i < bytes.length ? view.getUint32(4 * i) : 0)
  const narrowed = policy.narrow(new AttributeFacts().load(block, 0, block.length), source)
  const outcome = policy.decide(narrowed, family, word(0), word(1), word(2), word(3), length)
  const constant = policy.constantOutcome(narrowed)
  if (constant >= 0) expect(constant).toBe(outcome)
  return policy.outcome(outcome)
}

function change(spec: RoutePolicySpec['rules'][number]['set'], attributes: PathAttributes = base): PathAttributes {
  const { actions } = judge({ rules: [{ set: spec as object, action: 'Accept' }] }, '10.0.0.0/8', attributes)
  const block = encodeBlock(attributes)
  const facts = new AttributeFacts().load(block, 0, block.length)
  const editor = new BlockEditor().load(facts)
  applyActions(editor, facts, actions, { prependAs: 65000 })
  editor.write()
  return decodeBlock(editor.buffer, 0, editor.length).attributes
}

describe('conditions', () => {
  const cases: readonly (readonly [what: string, match: RouteMatch, prefix: string, attributes: PathAttributes, matches: boolean])[] = [
    ['the very prefix', { prefixes: [{ prefix: '10.0.0.0/8' }] }, '10.0.0.0/8', base, true],
    ['a longer one without le', { prefixes: [{ prefix: '10.0.0.0/8' }] }, '10.1.0.0/16', base, false],
    ['a longer one within le', { prefixes: [{ prefix: '10.0.0.0/8', le: 16 }] }, '10.1.0.0/16', base, true],
    ['one beyond le', { prefixes: [{ prefix: '10.0.0.0/8', le: 16 }] }, '10.1.1.0/24', base, false],
    ['one below ge', { prefixes: [{ prefix: '10.0.0.0/8', ge: 24 }] }, '10.1.0.0/16', base, false],
    ['ge alone up to the full length', { prefixes: [{ prefix: '10.0.0.0/8', ge: 24 }] }, '10.1.1.1/32', base, true],
    ['another network', { prefixes: [{ prefix: '10.0.0.0/8', le: 32 }] }, '11.0.0.0/8', base, false],
    ['the default route', { prefixes: [{ prefix: '0.0.0.0/0' }] }, '0.0.0.0/0', base, true],
    ['IPv6', { prefixes: [{ prefix: '2001:db8::/32', le: 64 }] }, '2001:db8:0:7::/64', base, true],
    ['IPv6 beyond the third word', { prefixes: [{ prefix: '2001:db8::1:0:0/96', le: 128 }] }, '2001:db8::1:0:7/128', base, true],
    ['IPv4 of an IPv6 list', { prefixes: [{ prefix: '::/0', le: 128 }] }, '10.0.0.0/8', base, false],
    ['AS path', { asPath: ['^64500 64501$'] }, '10.0.0.0/8', base, true],
    ['length of the path', { asPathLength: { max: 1 } }, '10.0.0.0/8', base, false],
    ['origin AS', { originAs: [64501] }, '10.0.0.0/8', base, true],
    ['origin AS of an empty path', { originAs: [0] }, '10.0.0.0/8', { origin: 0 }, false],
    ['any community', { communities: { any: ['1:1', '1:2'] } }, '10.0.0.0/8', { ...base, communities: [0x10002] }, true],
    ['all communities', { communities: { all: ['1:1', '1:2'] } }, '10.0.0.0/8', { ...base, communities: [0x10002] }, false],
    ['no community', { communities: { none: ['1:*'] } }, '10.0.0.0/8', { ...base, communities: [0x10002] }, false],
    ['a well-known community', { communities: { any: ['no-export'] } }, '10.0.0.0/8', { ...base, communities: [0xffffff01] }, true],
    [
      'a large community with a wildcard',
      { largeCommunities: { any: ['64500:*:7'] } },
      '10.0.0.0/8',
      { ...base, largeCommunities: [{ admin: 64500, data1: 1, data2: 7 }] },
      true,
    ],
    ['next hop', { nextHops: ['192.0.2.0/24'] }, '10.0.0.0/8', base, true],
    ['local preference, absent', { localPreference: { min: 100, max: 100 } }, '10.0.0.0/8', base, true],
    ['MED, absent', { med: { min: 1 } }, '10.0.0.0/8', base, false],
    ['origin', { origins: ['EGP', 'Incomplete'] }, '10.0.0.0/8', base, false],
    ['source', { sources: ['Static'] }, '10.0.0.0/8', base, false],
    ['all of several', { origins: ['IGP'], asPath: ['_64501$'], prefixes: [{ prefix: '10.0.0.0/8' }] }, '10.0.0.0/8', base, true],
  ]
  test.each(cases)('%s', (_, match, prefix, attributes, matches) => {
    expect(judge({ rules: [{ name: 'it', match, action: 'Accept' }] }, prefix, attributes)).toMatchObject(
      matches ? { accepted: true, rule: 'it' } : { accepted: false, rule: 'default' },
    )
  })

  test('prefix lists agree with a plain reading', { timeout: 60_000 }, () => {
    const entry = fc.record({
      bits: fc.integer({ min: 0, max: 255 }),
      length: fc.integer({ min: 0, max: 8 }),
      ge: fc.nat(32),
      le: fc.nat(32),
    })
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 255 }),
        fc.nat(32),
        (entries, bits, length) => {
          const usable = entries.filter((one) => one.le >= Math.max(one.ge, one.length))
          const mask = (value: number, by: number): number => (by === 0 ? 0 : value & (0xff00 >> by) & 0xff)
          const wanted = usable.some(
            (one) =>
              length >= Math.max(one.ge, one.length) &&
              length <= one.le &&
              mask(mask(bits, Math.min(length, 8)), one.length) === mask(one.bits, one.length),
          )
          const prefixes = usable.map((one) => ({ prefix: `${mask(one.bits, one.length)}.0.0.0/${one.length}`, ge: one.ge, le: one.le }))
          const found = judge({ rules: [{ match: { prefixes }, action: 'Accept' }] }, `${bits}.0.0.0/${length}`)
          expect(found.accepted).toBe(usable.length === 0 || wanted)
        },
      ),
    )
  })
})

describe('rules', () => {
  const set = { localPreference: 1 }
  test('the first that decides is named; Continue keeps its changes', () => {
    const rules = [
      { name: 'tag', set, action: 'Continue' as const },
      { name: 'no', match: { prefixes: [{ prefix: '10.0.0.0/8' }] }, action: 'Reject' as const },
      { name: 'yes', set: { med: 2 }, action: 'Accept' as const },
    ]
    expect(judge({ rules }, '10.0.0.0/8')).toEqual({ accepted: false, rule: 'no', actions: [] })
    expect(judge({ rules }, '11.0.0.0/8')).toEqual({ accepted: true, rule: 'yes', actions: [{ localPreference: 1 }, { med: 2 }] })
  })

  test('without a decision the default holds, with the changes made so far', () => {
    const rules = [{ set, action: 'Continue' as const }]
    expect(judge({ rules }, '10.0.0.0/8')).toEqual({ accepted: false, rule: 'default', actions: [] })
    expect(judge({ rules, defaultAction: 'Accept' }, '10.0.0.0/8')).toEqual({ accepted: true, rule: 'default', actions: [set] })
  })

  test('names default to positions', () => {
    expect(judge({ rules: [{ action: 'Accept' }] }, '10.0.0.0/8').rule).toBe('rule 1')
  })
})

describe('changes', () => {
  test.each([
    ['local preference', { localPreference: 200 }, base, { ...base, localPreference: 200 }],
    ['MED', { med: 5 }, { ...base, med: 9 }, { ...base, med: 5 }],
    ['MED added to', { addMed: 5 }, { ...base, med: 9 }, { ...base, med: 14 }],
    ['MED not below 0', { addMed: -10 }, { ...base, med: 9 }, { ...base, med: 0 }],
    ['MED removed', { removeMed: true }, { ...base, med: 9 }, base],
    ['origin', { origin: 'EGP' as const }, base, { ...base, origin: 1 }],
    ['own AS prepended', { prepend: { count: 2 } }, base, { ...base, asPath: path(65000, 65000, 64500, 64501) }],
    ['a given AS prepended to an empty path', { prepend: { as: 7, count: 1 } }, { ...base, asPath: [] }, { ...base, asPath: path(7) }],
    [
      'communities added once',
      { communities: { add: ['1:1', '1:2'] } },
      { ...base, communities: [0x10001] },
      { ...base, communities: [0x10001, 0x10002] },
    ],
    [
      'communities removed',
      { communities: { remove: ['1:*'] } },
      { ...base, communities: [0x10001, 0x20001] },
      { ...base, communities: [0x20001] },
    ],
    ['the last community removed', { communities: { remove: ['*:*'] } }, { ...base, communities: [0x10001] }, base],
    [
      'communities replaced',
      { communities: { replace: ['3:3'] } },
      { ...base, communities: [0x10001] },
      { ...base, communities: [0x30003] },
    ],
    [
      'large communities',
      { largeCommunities: { remove: ['1:*:*'], add: ['4200000000:2:3'] } },
      { ...base, largeCommunities: [{ admin: 1, data1: 1, data2: 1 }] },
      { ...base, largeCommunities: [{ admin: 4200000000, data1: 2, data2: 3 }] },
    ],
  ])('%s', (_, set, before, after) => {
    expect(change(set, before)).toEqual(after)
  })

  test('a full first sequence is not overfilled', () => {
    const full = Array.from({ length: 255 }, (_, i) => i + 1)
    expect(change({ prepend: { count: 3 } }, { ...base, asPath: path(...full) }).asPath).toEqual([
      { kind: 'sequence', as: [65000, 65000, 65000] },
      { kind: 'sequence', as: full },
    ])
  })
})

describe('a policy that cannot be compiled names the field', () => {
  test.each([
    [{ match: { prefixes: [{ prefix: '10.0.0.0/33' }] } }, 'rules[0].match.prefixes[0]'],
    [{ match: { prefixes: [{ prefix: '10.0.0.0/8', ge: 24, le: 16 }] } }, 'rules[0].match.prefixes[0]'],
    [{ match: { asPath: ['^64500$', '(64500'] } }, 'rules[0].match.asPath[1]'],
    [{ match: { communities: { any: ['70000:1'] } } }, 'rules[0].match.communities.any[0]'],
    [{ set: { communities: { add: ['1:*'] } } }, 'rules[0].set.communities.add[0]'],
    [{ set: { prepend: { count: 0 } } }, 'rules[0].set.prepend'],
    [{ set: { nextHop: 'me' } }, 'rules[0].set.nextHop'],
    [{ set: { localPreference: -1 } }, 'rules[0].set.localPreference'],
  ])('%j', (rule, field) => {
    const compile = (): unknown => compileRoutePolicy('p', { rules: [{ ...rule, action: 'Accept' }] })
    expect(compile).toThrow(expect.objectContaining({ code: 'InvalidRoutePolicy', path: field }))
  })
})
