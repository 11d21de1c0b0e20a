import { expect, test } from 'vitest'
import { createMetrics } from '../../../base/metrics.ts'
import type { ProxyTruth, ProxyTypeTruth } from '../xds/index.ts'
import { addMeshGauges } from './mesh-gauges.ts'

const type = (more: Partial<ProxyTypeTruth> = {}): ProxyTypeTruth => ({
  typeUrl: 't',
  type: 'listener',
  resources: 1,
  refused: [],
  staleMs: 0,
  ...more,
})
const truth = (proxy: string, types: readonly ProxyTypeTruth[], more: Partial<ProxyTruth> = {}): ProxyTruth => ({
  proxy,
  kind: 'biplane',
  connected: true,
  sinceMs: 0,
  lastContactMs: 0,
  types,
  ...more,
})

test('proxies are counted by what they have confirmed, by data plane', () => {
  const metrics = createMetrics()
  let isCompiled = true
  addMeshGauges(metrics, {
    proxies: () => [...Array.from({ length: 5 }, () => ({ dataPlane: 'biplane' as const })), { dataPlane: 'envoy' }],
    truths: () => [
      truth('a', [type(), type()]),
      truth('b', [type({ pending: '1', staleMs: 2_500 }), type({ refused: [{ name: 'x', reason: 'no', atMs: 0 }] })]),
      truth('c', [type({ pending: '1', staleMs: 500 })]),
      truth('d', [type({ pending: '1', staleMs: 9_000 })], { connected: false }),
      truth('e', [type()], { kind: 'envoy' }),
    ],
    quarantined: () => 2,
    isCompiled: () => isCompiled,
  })
  const value = (name: string): string[] =>
    metrics
      .render()
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  expect(value('mesh_proxies').slice(0, 2)).toEqual(['mesh_proxies{data_plane="biplane"} 5', 'mesh_proxies{data_plane="envoy"} 1'])
  expect(value('mesh_proxies_connected')[0]).toBe('mesh_proxies_connected{data_plane="biplane"} 3')
  expect(value('mesh_proxies_synced').slice(0, 2)).toEqual([
    'mesh_proxies_synced{data_plane="biplane"} 1',
    'mesh_proxies_synced{data_plane="envoy"} 1',
  ])
  expect(value('mesh_proxies_refusing')[0]).toBe('mesh_proxies_refusing{data_plane="biplane"} 1')
  expect(value('mesh_staleness_seconds')).toEqual([
    'mesh_staleness_seconds{data_plane="biplane"} 2.5',
    'mesh_staleness_seconds{data_plane="envoy"} 0',
    'mesh_staleness_seconds{data_plane="grpc"} 0',
  ])
  expect([...value('mesh_quarantined_objects'), ...value('mesh_compiled')]).toEqual(['mesh_quarantined_objects 2', 'mesh_compiled 1'])
  isCompiled = false
  expect(value('mesh_compiled')).toEqual(['mesh_compiled 0'])
})
