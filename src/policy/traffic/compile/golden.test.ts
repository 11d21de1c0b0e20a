import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { MeshSettings } from '../input/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler } from './index.ts'
import { worldOfObjects } from './test-world.ts'

/**
 * Each file holds objects as somebody applies them, and what one proxy is told. With BIPLANE_UPDATE_GOLDEN=1 the second half is written again: read the
 * difference before you commit it.
 */
interface Golden {
  readonly about: string
  readonly mesh?: Partial<MeshSettings>
  /** With the policies that come with every mesh. */
  readonly defaults?: boolean
  /** Name of the proxy. */
  readonly proxy: string
  readonly objects: readonly KubeObject[]
  readonly expected?: unknown
}

const folder = join(import.meta.dirname, 'golden')
const files = readdirSync(folder)

test('there is one for each matter', () => expect(files.length).toBeGreaterThanOrEqual(12))

test.each(files)('%s', (file) => {
  const golden = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden
  const actual = JSON.parse(JSON.stringify(outcome(golden))) as unknown
  if (process.env['BIPLANE_UPDATE_GOLDEN'] === '1')
    writeFileSync(join(folder, file), `${JSON.stringify({ ...golden, expected: actual }, null, 2)}\n`)
  else expect(actual).toEqual(golden.expected)
})

test.each(files)('%s: the order of objects does not matter', (file) => {
  const golden = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden
  expect(outcome({ ...golden, objects: golden.objects.toReversed() })).toEqual(outcome(golden))
})

function outcome(golden: Golden): Record<string, unknown> {
  const { world, proxies, findings } = worldOfObjects(golden.objects, golden)
  const proxy = proxies.find(({ name }) => name === golden.proxy)
  if (!proxy) throw new Error(`no proxy ${golden.proxy}`)
  const compiled = new Compiler(world, POLICY_PLUGINS).compile(proxy)
  const out: Record<string, Record<string, unknown>> = {}
  for (const { type, value } of compiled.resources) {
    const shown =
      type === 'secret'
        ? { ...value, privateKey: value.privateKey && '(a key)', certificate: value.certificate && '(a certificate)' }
        : value
    ;(out[type] ??= {})[value.name] = shown
  }
  const texts = [...findings, ...compiled.findings].map(
    ({ origin, type, reason, message }) => `${origin.kind}/${origin.name}: ${type} ${reason}: ${message}`,
  )
  return { ...out, findings: texts.sort() }
}
