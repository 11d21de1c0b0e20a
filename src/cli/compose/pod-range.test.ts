import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { claimPodRange } from './pod-range.ts'

test.skipIf(platform() !== 'linux')('nodes of one machine have ranges of their own, and keep them (needs Linux)', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-range-'))
  const claim = (file: string): ReturnType<typeof claimPodRange> => claimPodRange({ file: join(dir, file), log: silentLogger })
  try {
    const one = await claim('one')
    const two = await claim('two')
    expect(one.cidr).toMatch(/^127\.64\.\d+\.0\/24$/)
    expect(two.cidr).not.toBe(one.cidr)
    await one.release()
    await two.release()
    // the second is back first
    const again = await claim('two')
    expect(again.cidr).toBe(two.cidr)
    await again.release()
    // its own range is in use by somebody else: it gets another one, and remembers that
    writeFileSync(join(dir, 'three'), two.cidr)
    const holder = await claim('two')
    const third = await claim('three')
    expect(third.cidr).not.toBe(holder.cidr)
    expect(readFileSync(join(dir, 'three'), 'utf8').trim()).toBe(third.cidr)
    await holder.release()
    await third.release()
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('a range that the user names is taken as it is', async () => {
  const range = await claimPodRange({ file: '/nonexistent/file', podCidr: '10.1.0.0/24', log: silentLogger })
  expect(range.cidr).toBe('10.1.0.0/24')
})
