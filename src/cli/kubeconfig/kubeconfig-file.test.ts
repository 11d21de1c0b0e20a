import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { CliError } from '../errors/cli-error.ts'
import type { ClusterEntry } from './edit-kubeconfig.ts'
import { dropEntry, mergeEntry } from './kubeconfig-file.ts'

const ENTRY: ClusterEntry = {
  name: 'biplane',
  server: 'https://127.0.0.1:6443',
  certificateAuthorityData: 'Q0E=',
  clientCertificateData: 'Q1I=',
  clientKeyData: 'S0U=',
}
const OTHER = 'apiVersion: v1\nkind: Config\n# mine\nclusters: []\nusers: [{name: me, user: {token: "012"}}]\ncontexts: []\n'

let dir = ''
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'biplane-kubeconfig-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const options = () => ({ clock: new FakeClock(), switchTo: false, mine: undefined })

test('makes the file and its directory for the user alone, and takes the entry away again', async () => {
  const path = join(dir, 'deep', 'config')
  const { record, backup } = await mergeEntry(path, ENTRY, options())
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(dir, 'deep')).mode & 0o777).toBe(0o700)
  expect(backup).toBeUndefined()
  expect(await dropEntry(record, new FakeClock())).toContain('removed context "biplane"')
  expect(readFileSync(path, 'utf8')).not.toContain('biplane')
  expect(await dropEntry(record, new FakeClock())).toEqual([])
})

test('keeps a backup of the file as it was before the first merge; a token stays a text', async () => {
  const path = join(dir, 'config')
  writeFileSync(path, OTHER, { mode: 0o644 })
  const { record, backup } = await mergeEntry(path, ENTRY, options())
  expect(backup).toBe(`${path}.bak`)
  const again = await mergeEntry(path, { ...ENTRY, server: 'https://127.0.0.1:7' }, { ...options(), mine: record })
  expect(again.backup).toBeUndefined()
  expect(readFileSync(`${path}.bak`, 'utf8')).toBe(OTHER)
  expect(readFileSync(path, 'utf8')).toContain('token: "012"')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test.each([
  ['', true],
  ['mine', false],
  ['gone', true],
])('says whether its context is the current one, also the second time: before it was "%s"', async (current, isCurrent) => {
  const path = join(dir, 'config')
  const contexts = '[{name: mine, context: {cluster: x, user: y}}]'
  writeFileSync(path, `apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: ${contexts}\ncurrent-context: "${current}"\n`)
  const first = await mergeEntry(path, ENTRY, options())
  const second = await mergeEntry(path, ENTRY, { ...options(), mine: first.record })
  expect([first.isCurrent, second.isCurrent]).toEqual([isCurrent, isCurrent])
})

test('writes through a symbolic link', async () => {
  const [real, link] = [join(dir, 'real'), join(dir, 'link')]
  writeFileSync(real, OTHER)
  symlinkSync(real, link)
  await mergeEntry(link, ENTRY, options())
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(readFileSync(real, 'utf8')).toContain('biplane')
})

test('does not touch what is no kubeconfig', async () => {
  const path = join(dir, 'config')
  writeFileSync(path, '- a\n- b\n')
  await expect(mergeEntry(path, ENTRY, options())).rejects.toThrow(CliError)
  expect(readFileSync(path, 'utf8')).toBe('- a\n- b\n')
  expect(existsSync(`${path}.lock`)).toBe(false)
})

test('waits for the lock of another program, then says which file it is', async () => {
  const path = join(dir, 'config')
  writeFileSync(`${path}.lock`, '')
  const clock = new FakeClock()
  const merging = mergeEntry(path, ENTRY, { ...options(), clock }).catch((error: unknown) => error)
  await clock.advance(6_000)
  expect(await merging).toMatchObject({ message: `${path} is locked`, fix: expect.stringContaining('.lock') })
  expect(existsSync(path)).toBe(false)
})
