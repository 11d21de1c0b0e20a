import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageCursor, NLM_ACK } from '../netlink/index.ts'
import type { Expression } from './expressions.ts'
import { encodeStructureBatch, messagesOf, type StructureChange } from './structures.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/)
const bytes = fc.uint8Array({ minLength: 1, maxLength: 16 })
const expression: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({
    kind: fc.constant('ct' as const),
    direction: fc.constantFrom('original' as const, 'reply' as const),
    key: fc.constantFrom('ip saddr' as const, 'ip6 saddr' as const, 'proto-src' as const),
  }),
  fc.record({ kind: fc.constant('meta' as const), key: fc.constantFrom('l4proto' as const, 'nfproto' as const) }),
  bytes.map((value) => ({ kind: 'equal' as const, bytes: value })),
  fc.tuple(bytes, fc.boolean()).map(([value, not]) => ({ kind: 'masked' as const, mask: value, bytes: value, not })),
  fc.record({ kind: fc.constant('lookup' as const), set: name, not: fc.boolean() }),
  fc.record({ kind: fc.constant('counter' as const), name }),
  fc
    .tuple(fc.constantFrom('jump' as const, 'goto' as const), name)
    .map(([verdict, chain]) => ({ kind: 'verdict' as const, verdict: { verdict, chain } })),
  fc
    .constantFrom('accept' as const, 'drop' as const, 'return' as const)
    .map((verdict) => ({ kind: 'verdict' as const, verdict: { verdict } })),
  fc.record({ kind: fc.constant('limit' as const), perSecond: fc.nat(1000), burst: fc.nat(1000) }),
  fc.record({ kind: fc.constant('log' as const), prefix: fc.string({ maxLength: 127 }), group: fc.nat(65_535), snapBytes: fc.nat(1000) }),
  fc.record({ kind: fc.constant('reject' as const), how: fc.constantFrom('tcp-reset' as const, 'icmpx' as const) }),
)
const shape = { keyBytes: 4, dataBytes: 0, isInterval: false, isConcatenation: false }
const change: fc.Arbitrary<StructureChange> = fc.oneof(
  fc.record({
    op: fc.constantFrom(
      'add-counter' as const,
      'delete-counter' as const,
      'add-chain' as const,
      'flush-chain' as const,
      'delete-chain' as const,
      'delete-set' as const,
    ),
    name,
  }),
  fc.record({ op: fc.constant('add-set' as const), name, keyType: fc.nat(50), keyBytes: fc.nat(32), isInterval: fc.boolean() }),
  fc.record({ op: fc.constant('add-rule' as const), name, expressions: fc.array(expression, { maxLength: 8 }) }),
  fc.record({
    op: fc.constantFrom('add-elements' as const, 'delete-elements' as const),
    name,
    shape: fc.constant(shape),
    elements: fc.array(
      fc.uint8Array({ minLength: 4, maxLength: 4 }).map((key) => ({ key })),
      { minLength: 1, maxLength: 5 },
    ),
  }),
)

describe('a transaction of structures', () => {
  test('is a batch of well-formed messages in the order given, of which the last is acknowledged and each can be traced', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), fc.nat(1_000_000), (changes, first) => {
        const batch = encodeStructureBatch({ family: 'inet', table: 't' }, changes, first)
        const cursor = new MessageCursor(batch.bytes)
        const seen: { readonly sequence: number; readonly acknowledged: boolean }[] = []
        while (cursor.next()) seen.push({ sequence: cursor.sequence, acknowledged: (cursor.flags & NLM_ACK) !== 0 })
        expect(seen.map(({ sequence }) => sequence)).toEqual(Array.from({ length: changes.length + 2 }, (_, i) => first + i))
        expect(seen.filter(({ acknowledged }) => acknowledged).map(({ sequence }) => sequence)).toEqual([batch.lastSequence])
        expect(changes.map((_, i) => batch.changeOf(first + 1 + i))).toEqual(changes)
        expect([batch.changeOf(batch.beginSequence), batch.changeOf(batch.lastSequence + 1)]).toEqual([undefined, undefined])
        expect(messagesOf(changes)).toBeGreaterThanOrEqual(seen.length)
      }),
    )
  })
})
