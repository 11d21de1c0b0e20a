import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeContainerExec, decodeRecords, encodeContainerExec, encodeRecords, exitStatus, MAX_RECORD_BYTES } from './exec-link.ts'

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('requests come back as they were sent', () => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text !== '.' && text !== '..')
  const exec = fc.record({ namespace: name, pod: name, container: name, command: fc.array(fc.string(), { minLength: 1 }) })
  fc.assert(
    fc.property(exec, (one) => {
      expect(decodeContainerExec(encodeContainerExec(one))).toEqual(one)
    }),
  )
})

test.each(['/exec/a/b/c', '/exec/a/b?command=x', '/exec/a/b/c/d?command=x', '/exec/a//c?command=x', '/exec/a/b/%?command=x', '/other'])(
  '%s is no request',
  (target) => {
    expect(decodeContainerExec(target)).toBeUndefined()
  },
)

test('records come out the same however they were cut', async () => {
  const record = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.uint8Array({ minLength: 1, maxLength: 100 }))
  await fc.assert(
    fc.asyncProperty(fc.array(record), fc.integer({ min: 1, max: 30 }), async (sent, size) => {
      const wire = Buffer.concat(sent.map(([channel, bytes]) => encodeRecords(channel, bytes)))
      const read: [number, number[]][] = []
      for await (const { channel, bytes } of decodeRecords(cut(wire, size))) read.push([channel, [...bytes]])
      expect(read).toEqual(sent.map(([channel, bytes]) => [channel, [...bytes]]))
    }),
  )
})

test('what is long is cut, what is too long or broken off is refused', async () => {
  const all = async (bytes: Uint8Array): Promise<number[]> => {
    const sizes: number[] = []
    for await (const record of decodeRecords(cut(bytes, 100_000))) sizes.push(record.bytes.length)
    return sizes
  }
  expect(await all(encodeRecords(1, Buffer.alloc(MAX_RECORD_BYTES)))).toEqual([MAX_RECORD_BYTES - 1, 1])
  expect(await all(encodeRecords(1, new Uint8Array()))).toEqual([])
  await expect(all(Buffer.from([255, 0, 0, 0]))).rejects.toThrow('where 1 to 1048576 are allowed')
  await expect(all(encodeRecords(1, Buffer.alloc(9)).subarray(0, 8))).rejects.toThrow('in the middle of a record')
})

test('exit codes are told as clients of exec read them', () => {
  expect(exitStatus(0)).toEqual({ metadata: {}, status: 'Success' })
  expect(exitStatus(7)).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '7' }] },
  })
})
