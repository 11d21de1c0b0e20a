import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AttributeCursor, MessageCursor, NetlinkFormatError, NetlinkWriter } from '../netlink/index.ts'
import { ElementError, encodeElementBatch, readChangedTable, readGeneration, readSetShape, type Element, type SetShape } from './index.ts'

interface ReadElement {
  readonly op: 'add' | 'delete'
  readonly key: string
  readonly keyEnd?: string
  readonly data?: string
  readonly verdict?: string
  readonly isEnd?: boolean
  readonly timeoutMs?: number
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const value = (cursor: AttributeCursor): string => {
  const inner = cursor.nested()
  inner.next()
  return hex(inner.value())
}

/** What a batch says, read independently of how it was written. */
function readBatch(bytes: Uint8Array): { readonly elements: readonly ReadElement[]; readonly messages: readonly number[][] } {
  const elements: ReadElement[] = []
  const messages: number[][] = []
  const cursor = new MessageCursor(bytes)
  while (cursor.next()) {
    messages.push([cursor.type, cursor.flags, cursor.sequence])
    const attributes = new AttributeCursor(bytes, cursor.start + 4, cursor.end)
    while (attributes.next()) {
      if (attributes.type !== 3) continue
      const list = attributes.nested()
      while (list.next()) elements.push(readElement(list.nested(), cursor.type === 0xa0c ? 'add' : 'delete'))
    }
  }
  return { elements, messages }
}

function readElement(cursor: AttributeCursor, op: 'add' | 'delete'): ReadElement {
  const found: Record<string, unknown> = { op }
  while (cursor.next()) {
    if (cursor.type === 1) found['key'] = value(cursor)
    else if (cursor.type === 10) found['keyEnd'] = value(cursor)
    else if (cursor.type === 3) found['isEnd'] = cursor.u32be() === 1
    else if (cursor.type === 4) found['timeoutMs'] = Number(cursor.u64be())
    else if (cursor.type === 2) {
      const data = cursor.nested()
      data.next()
      if (data.type === 1) found['data'] = hex(data.value())
      else {
        const verdict = data.nested()
        verdict.next()
        const code = verdict.u32be() | 0
        found['verdict'] = verdict.next() ? `${code} ${verdict.string()}` : String(code)
      }
    }
  }
  return found as unknown as ReadElement
}

const shape = (keyBytes: number, dataBytes = 0, kind: 'plain' | 'interval' | 'concatenation' = 'plain'): SetShape => ({
  keyBytes,
  dataBytes,
  isInterval: kind !== 'plain',
  isConcatenation: kind === 'concatenation',
})
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const encode = (op: 'add' | 'delete', of: SetShape, elements: readonly Element[]): readonly ReadElement[] =>
  readBatch(encodeElementBatch([{ op, family: 'ip', table: 't', set: 's', shape: of, elements }], 1).bytes).elements

describe('a transaction of elements', () => {
  test.each<[string, SetShape, Element, readonly object[]]>([
    ['a key', shape(4), { key: bytes('0a000001') }, [{ key: '0a000001' }]],
    ['a port alone has no padding', shape(2), { key: bytes('00500000') }, [{ key: '0050' }]],
    ['data', shape(4, 4), { key: bytes('0a000001'), data: bytes('00000005') }, [{ key: '0a000001', data: '00000005' }]],
    ['drop', shape(4), { key: bytes('0a000001'), data: { verdict: 'drop' } }, [{ key: '0a000001', verdict: '0' }]],
    ['goto', shape(4), { key: bytes('0a000001'), data: { verdict: 'goto', chain: 'lb3' } }, [{ key: '0a000001', verdict: '-4 lb3' }]],
    ['timeout', shape(4), { key: bytes('0a000001'), timeoutMs: 1500 }, [{ key: '0a000001', timeoutMs: 1500 }]],
    [
      'a range',
      shape(4, 0, 'interval'),
      { key: bytes('0a000000'), keyEnd: bytes('0a0000ff') },
      [{ key: '0a000000' }, { key: '0a000100', isEnd: true }],
    ],
    [
      'one key in a set of ranges',
      shape(4, 0, 'interval'),
      { key: bytes('0a000000') },
      [{ key: '0a000000' }, { key: '0a000001', isEnd: true }],
    ],
    ['a range to the last key', shape(4, 0, 'interval'), { key: bytes('ff000000'), keyEnd: bytes('ffffffff') }, [{ key: 'ff000000' }]],
    [
      'a range of ports carries within its 2 bytes',
      shape(2, 0, 'interval'),
      { key: bytes('00010000'), keyEnd: bytes('00ff0000') },
      [{ key: '0001' }, { key: '0100', isEnd: true }],
    ],
    [
      'a range of several fields',
      shape(8, 0, 'concatenation'),
      { key: bytes('0a00000000500000'), keyEnd: bytes('0a0000ff00510000') },
      [{ key: '0a00000000500000', keyEnd: '0a0000ff00510000' }],
    ],
  ])('%s', (_name, of, element, wanted) => {
    expect(encode('add', of, [element])).toEqual(wanted.map((one) => ({ op: 'add', ...one })))
    const keysOnly = wanted.map((one) =>
      Object.fromEntries(Object.entries(one).filter(([name]) => ['key', 'keyEnd', 'isEnd'].includes(name))),
    )
    expect(encode('delete', of, [element])).toEqual(keysOnly.map((one) => ({ op: 'delete', ...one })))
  })

  test.each<[string, SetShape, Element]>([
    ['a key of another length', shape(4), { key: bytes('0a00000100') }],
    ['data of another length', shape(4, 8), { key: bytes('0a000001'), data: bytes('00000005') }],
    ['a range in a set without ranges', shape(4), { key: bytes('0a000001'), keyEnd: bytes('0a000002') }],
  ])('%s is refused', (_name, of, element) => {
    expect(() => encode('add', of, [element])).toThrow(ElementError)
  })

  test('any number of elements arrives, in messages that count their length right; only the last is acknowledged', () => {
    const element = fc.record({
      key: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      data: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    })
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 50 }), fc.constantFrom(1, 40, 700), (few, times) => {
        const elements = Array.from({ length: times }, () => few).flat()
        const batch = encodeElementBatch([{ op: 'add', family: 'ip6', table: 't', set: 's', shape: shape(16, 20), elements }], 7)
        const read = readBatch(batch.bytes)
        expect(read.elements.map(({ key, data }) => key + data)).toEqual(elements.map(({ key, data }) => hex(key) + hex(data)))
        expect(read.messages.map(([, , sequence]) => sequence)).toEqual(read.messages.map((_, i) => 7 + i))
        expect([read.messages[0]?.[0], read.messages.at(-1)?.[0]]).toEqual([16, 17])
        const acknowledged = read.messages.filter(([, flags]) => ((flags as number) & 4) !== 0)
        expect(acknowledged.map(([, , sequence]) => sequence)).toEqual([batch.lastSequence])
      }),
      { numRuns: 30 },
    )
  })
})

describe('what the kernel tells', () => {
  const message = (type: number, write: (writer: NetlinkWriter) => void): MessageCursor => {
    const writer = new NetlinkWriter()
    writer.message(type, 0, 0)
    writer.head([2, 0, 0, 0])
    write(writer)
    const cursor = new MessageCursor(writer.finish())
    cursor.next()
    return cursor
  }

  test('who made a transaction', () => {
    const cursor = message(0xa0f, (writer) => {
      writer.u32be(1, 77)
      writer.u32be(2, 4711)
      writer.string(3, 'nft')
    })
    expect(readGeneration(cursor)).toEqual({ id: 77, pid: 4711, process: 'nft' })
    expect(readChangedTable(cursor)).toBeUndefined()
  })

  test('which table was changed', () => {
    expect(readChangedTable(message(0xa0c, (writer) => writer.string(1, 'biplane-services')))).toBe('ip biplane-services')
    expect(readChangedTable(message(0x10c, (writer) => writer.string(1, 'x')))).toBeUndefined()
  })

  test('any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0xa09, 0xa0c, 0xa0f), (noise, type) => {
        const cursor = new MessageCursor(noise)
        cursor.type = type
        cursor.end = noise.length
        try {
          readGeneration(cursor)
          readChangedTable(cursor)
          readSetShape(cursor)
        } catch (error) {
          expect(error).toBeInstanceOf(NetlinkFormatError)
        }
      }),
    )
  })
})
