import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LogOptions } from '../runtime.ts'
import { FakeLog } from './fake/fake-log.ts'
import { LogIndex } from './log-index.ts'
import { readLog } from './log-reader.ts'

async function read(log: FakeLog, options: LogOptions, ended = true): Promise<string> {
  const follower = { ended: () => ended, changed: (at: number) => log.changed(at), now: () => 0 }
  const chunks: Uint8Array[] = []
  for await (const chunk of readLog(log, { ...options, follower, signal: new AbortController().signal })) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function logOf(...writes: readonly [string, number][]): FakeLog {
  const log = new FakeLog()
  for (const [text, atMs] of writes) log.write(text, atMs)
  return log
}

test.each<[LogOptions, string]>([
  [{}, 'one\ntwo\nthree\nfo'],
  [{ tailLines: 1 }, 'fo'],
  [{ tailLines: 2 }, 'three\nfo'],
  [{ tailLines: 4 }, 'one\ntwo\nthree\nfo'],
  [{ sinceMs: 1000 }, 'one\ntwo\nthree\nfo'],
  [{ sinceMs: 1001 }, 'two\nthree\nfo'],
  [{ sinceMs: 2001 }, 'fo'],
  [{ sinceMs: 3001 }, ''],
  [{ sinceMs: 1001, tailLines: 9 }, 'two\nthree\nfo'],
  [{ sinceMs: 1001, tailLines: 1 }, 'fo'],
  [{ limitBytes: 5 }, 'one\nt'],
  [{ limitBytes: 0 }, ''],
  [{ tailLines: 2, limitBytes: 3 }, 'thr'],
  [
    { timestamps: true },
    '1970-01-01T00:00:01.000Z one\n1970-01-01T00:00:02.000Z two\n1970-01-01T00:00:02.000Z three\n1970-01-01T00:00:03.000Z fo',
  ],
  [{ timestamps: true, tailLines: 1, limitBytes: 26 }, '1970-01-01T00:00:03.000Z f'],
])('%j', async (options, expected) => {
  expect(await read(logOf(['one\n', 1000], ['two\nthree\n', 2000], ['fo', 3000]), options)).toBe(expected)
})

test('a line that was begun before is older than the time asked for', async () => {
  expect(await read(logOf(['begun ', 1000], ['ended\nnext\n', 2000]), { sinceMs: 1500 })).toBe('next\n')
})

test('a line longer than a chunk has one time', async () => {
  const long = 'x'.repeat(64_000)
  const text = await read(logOf([`${long}\n`, 1000], ['end\n', 2000]), { timestamps: true })
  expect(text).toBe(`1970-01-01T00:00:01.000Z ${long}\n1970-01-01T00:00:02.000Z end\n`)
})

test('the tail is what splitting all the text gives', async () => {
  const texts = fc.array(fc.stringMatching(/^[a\n]{0,12}$/), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 0, max: 12 }), async (writes, tailLines) => {
      const log = new FakeLog()
      writes.forEach((text, index) => log.write(text, index))
      const lines = writes.join('').split(/(?<=\n)/)
      expect(await read(log, { tailLines })).toBe(tailLines === 0 ? '' : lines.slice(-tailLines).join(''))
    }),
  )
})

test('following gives what comes later, to the last byte written before the end', async () => {
  const log = logOf(['a\n', 1])
  let ended = false
  const follower = { ended: () => ended, changed: (at: number) => log.changed(at), now: () => 0 }
  const lines = readLog(log, { follow: true, follower, signal: new AbortController().signal })
  expect(Buffer.from((await lines.next()).value ?? []).toString()).toBe('a\n')
  const next = lines.next()
  log.write('b\n', 2)
  ended = true
  expect(Buffer.from((await next).value ?? []).toString()).toBe('b\n')
  expect((await lines.next()).done).toBe(true)
})

test('a log that the container empties goes on at the same offsets', () => {
  const index = new LogIndex()
  index.observe(100, 1000)
  index.observe(10, 2000)
  expect(index.state).toMatchObject({ base: 100, head: 100, end: 110 })
  expect(index.timeAt(105)).toBe(2000)
})

test('times stay few, rising, and right at the end', () => {
  const index = new LogIndex()
  for (let size = 1; size <= 10_000; size++) index.observe(size, size === 5000 ? 0 : size)
  expect(index.state.marks.length).toBeLessThanOrEqual(1024)
  expect(index.state.marks.every((mark, i, all) => i === 0 || mark[1] >= (all[i - 1] as [number, number])[1])).toBe(true)
  expect(index.timeAt(9999)).toBe(10_000)
  expect(index.timeAt(10_000)).toBeUndefined()
})
