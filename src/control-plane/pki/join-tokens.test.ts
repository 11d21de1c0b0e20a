import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { createJoinTokens, formatJoinToken } from './join-tokens.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'biplane-tokens-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('join tokens', () => {
  test("have kubeadm's form and live in a private file", async () => {
    const path = join(dir, 'tokens.json')
    const token = await createJoinTokens(path, { clock: new FakeClock() }).create()
    expect(formatJoinToken(token)).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('are found until they expire, also by another process', async () => {
    const path = join(dir, 'tokens.json')
    const clock = new FakeClock()
    const [one, other] = [createJoinTokens(path, { clock }), createJoinTokens(path, { clock })]
    expect(await one.list()).toEqual([])
    const short = await one.create({ ttlMs: 1000 })
    const forever = await other.create({ ttlMs: 0 })
    expect(await other.lookup(short.id)).toEqual(short)
    await clock.advance(1000)
    expect(await other.lookup(short.id)).toBeUndefined()
    expect(await one.list()).toEqual([forever])
    expect(await one.revoke(forever.id)).toBe(true)
    expect(await one.revoke(forever.id)).toBe(false)
    expect(await other.lookup(forever.id)).toBeUndefined()
  })

  test('entries that are no tokens do not count', async () => {
    const path = join(dir, 'tokens.json')
    writeFileSync(
      path,
      JSON.stringify([null, { id: 'abcdef' }, { id: 'abcdef', secret: '' }, { id: '../../', secret: '0123456789abcdef' }]),
    )
    expect(await createJoinTokens(path, { clock: new FakeClock() }).list()).toEqual([])
  })
})
