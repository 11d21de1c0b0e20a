import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { grpcFrame, GrpcFrameError, GrpcReader, grpcStatusOf, grpcTrailers } from './index.ts'

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

  it('of any bytes are read or refused, whole or in pieces, and no more is held than the limit', () => {
    const heads = fc.constantFrom(Buffer.from([0, 0, 0, 0, 3]), Buffer.from([1, 0, 0, 0, 0]), Buffer.from([0, 255, 255, 255, 255]))
    const bytes = fc.array(fc.oneof(heads, fc.uint8Array({ maxLength: 60 })), { maxLength: 8 }).map((parts) => Buffer.concat(parts))
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 20 }), (wire, size) => {
        const outcome = (step: number): string => {
          const reader = new GrpcReader(64)
          const read: string[] = []
          try {
            for (let at = 0; at < wire.length; at += step) {
              for (const message of reader.push(wire.subarray(at, at + step))) {
                expect(message.length).toBeLessThanOrEqual(64)
                read.push(message.toString('hex'))
              }
            }
            reader.end()
            return `whole ${read.join()}`
          } catch (error) {
            if (!(error instanceof GrpcFrameError)) throw error
            return error.code
          }
        }
        expect(outcome(size)).toBe(outcome(Math.max(1, wire.length)))
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
