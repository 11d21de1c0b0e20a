import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { PolicyPlugin } from '../input/index.ts'
import { mergeInbound, mergeOutbound, mergeWhole, policiesFor } from '../kuma/index.ts'
import { POLICY_PLUGINS } from './index.ts'
import { BASE, CART, SERVICES, translated, WEB, worldOf } from './test-world.ts'

/**
 * Each file holds objects as somebody applies them, and what each part of the configuration becomes. With BIPLANE_UPDATE_GOLDEN=1 the second half is written
 * again: read the difference before you commit it.
 */
interface Golden {
  readonly objects: readonly KubeObject[]
  readonly dataPlane?: 'envoy'
  /** Name of the service that is called. Default cart. */
  readonly service?: string
  readonly expected?: unknown
}

const folder = import.meta.dirname
const files = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => readdirSync(join(folder, name, 'golden')).map((file) => join(name, 'golden', file)))

test.each(files)('%s', (file) => {
  const golden = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden
  for (const object of golden.objects) {
    const kind = BUILT_IN_KINDS.find((one) => one.kind === object.kind && object.apiVersion === `${one.group}/${one.version}`)
    expect(kind?.strategy?.validate?.(object as never)).toEqual([])
  }
  const actual = JSON.parse(JSON.stringify(outcome(golden))) as unknown
  if (process.env['BIPLANE_UPDATE_GOLDEN'] === '1')
    writeFileSync(join(folder, file), `${JSON.stringify({ ...golden, expected: actual }, null, 2)}\n`)
  else expect(actual).toEqual(golden.expected)
})

test('every plug-in has a golden file', () => {
  const seen = new Set(
    files.flatMap((file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden).objects.map(({ kind }) => kind)),
  )
  expect(POLICY_PLUGINS.map(({ type }) => type).filter((type) => !seen.has(type))).toEqual([])
})

function outcome(golden: Golden): Record<string, unknown> {
  const result = translated(golden.objects)
  const world = worldOf(result)
  const out: Record<string, unknown> = { findings: result.findings.map(({ type, reason, message }) => `${type} ${reason}: ${message}`) }
  for (const plugin of POLICY_PLUGINS) {
    if (!golden.objects.some(({ kind }) => kind === plugin.type)) continue
    Object.assign(out, outbound(plugin, golden, world), inbound(plugin, world), whole(plugin, golden, world))
  }
  return out
}

function outbound(
  plugin: PolicyPlugin<any>,
  { service: name = 'cart' }: Golden,
  world: ReturnType<typeof worldOf>,
): Record<string, unknown> {
  const service = SERVICES.get(`shop/${name}`)!
  const port = service.ports[0]!
  const merged = mergeOutbound(plugin, policiesFor(WEB, world.policies, plugin.type), service, port)
  if (!merged) return {}
  const context = {
    proxy: WEB,
    world,
    service: { namespace: service.namespace, name: service.name, port: port.port, protocol: port.protocol },
  }
  return changed({
    cluster: [BASE.cluster, plugin.cluster?.(merged.conf, BASE.cluster, context)],
    route: [BASE.route, plugin.route?.(merged.conf, BASE.route, context)],
    outboundHttp: [BASE.http, plugin.outboundHttp?.(merged.conf, BASE.http, context)],
    outboundTcp: [BASE.tcp, plugin.outboundTcp?.(merged.conf, BASE.tcp, context)],
  })
}

function inbound(plugin: PolicyPlugin<any>, world: ReturnType<typeof worldOf>): Record<string, unknown> {
  const port = CART.ports[0]!
  const rules = mergeInbound(plugin, policiesFor(CART, world.policies, plugin.type), port)
  if (!rules) return {}
  const context = { proxy: CART, world, port: port.port, protocol: port.protocol }
  return changed({
    inboundChains: [BASE.chains, plugin.inboundChains?.(rules, BASE.chains, context)],
    inboundHttp: [BASE.http, plugin.inboundHttp?.(rules, BASE.http, context)],
    inboundConnection: [{}, plugin.inboundConnection?.(rules, {}, context)],
    inboundTcp: [BASE.tcp, plugin.inboundTcp?.(rules, BASE.tcp, context)],
    inboundCluster: [BASE.cluster, plugin.inboundCluster?.(rules, BASE.cluster, context)],
  })
}

function whole(plugin: PolicyPlugin<any>, { dataPlane }: Golden, world: ReturnType<typeof worldOf>): Record<string, unknown> {
  const merged = mergeWhole(plugin, policiesFor(CART, world.policies, plugin.type))
  if (!merged) return {}
  const context = { proxy: { ...CART, ...(dataPlane ? { dataPlane } : {}) }, world }
  return changed({
    proxy: [BASE.settings, plugin.proxy?.(merged.conf, BASE.settings, context)],
    extra: [{ listeners: [], clusters: [] }, plugin.extra?.(merged.conf, context)],
  })
}

/** Of each part, the fields that are not as before. */
function changed(parts: Readonly<Record<string, readonly [unknown, unknown]>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parts).flatMap(([name, [before, after]]) => {
      if (after === undefined) return []
      if (Array.isArray(after)) return [[name, after]]
      const old = before as Record<string, unknown>
      const fields = Object.entries(after as object).filter(([key, value]) => JSON.stringify(old[key]) !== JSON.stringify(value))
      return fields.length > 0 ? [[name, Object.fromEntries(fields)]] : []
    }),
  )
}
