import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { grpcFrame, GrpcReader, grpcStatusOf, grpcTrailers } from './index.ts'

describe('gRPC messages', () => {
  it('come out whole, however they were cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.integer({ min: 1, max: 30 }), (messages, size) => {
        const wire = Buffer.concat(messages.map((message) => grpcFrame(message)))
        const reader = new GrpcReader()
        const read: Buffer[] = []
        for (let at = 0; at < wire.length; at += size) read.push(...reader.push(wire.subarray(at, at + size)))
        reader.end()
        expect(read.map((one) => [...one])).toEqual(messages.map((one) => [...one]))
      }),
    )
  })

  it('that are too large, compressed or cut off are refused', () => {
    expect(() => new GrpcReader(3).push(grpcFrame(Buffer.alloc(4)))).toThrow('at most 3 are taken')
    expect(() => new GrpcReader().push(Buffer.from([1, 0, 0, 0, 0]))).toThrow('compressed')
    const reader = new GrpcReader()
    reader.push(Buffer.from([0, 0]))
    expect(() => reader.end()).toThrow('inside of a message')
  })

  it('end with a status that survives any text', () => {
    expect(grpcStatusOf(grpcTrailers(7, 'nö: 100 %\n'))).toEqual({ code: 7, message: 'nö: 100 %\n' })
    expect(grpcStatusOf({})).toBeUndefined()
  })
})
