import { expect, test } from 'vitest'
import type { Endpoints, EndpointSlice, Service } from '../../../api/generated/types.ts'
import { isMirrored, planMirror } from './plan-mirror.ts'

const byHand = (subsets: Endpoints['subsets'], more: Partial<Endpoints['metadata']> = {}): Endpoints => ({
  metadata: { name: 'db', namespace: 'default', ...more },
  subsets,
})
const service = (spec: Service['spec']): Service => ({ metadata: { name: 'db', namespace: 'default' }, spec })

test.each<[string, boolean, Endpoints, Service | undefined]>([
  ['of a service without a selector', true, byHand([]), service({})],
  ['of a service with a selector', false, byHand([]), service({ selector: { a: 'b' } })],
  ['of no service', false, byHand([]), undefined],
  ['of an external name', false, byHand([]), service({ type: 'ExternalName' })],
  ['that say so', false, byHand([], { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }), service({})],
  ['that are a lock', false, byHand([], { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }), service({})],
])('Endpoints %s: %s', (_what, expected, endpoints, of) => {
  expect(isMirrored(endpoints, of)).toBe(expected)
})

test('one slice per subset and family, kept up to date in place', () => {
  const first = byHand([
    {
      addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }],
      notReadyAddresses: [{ ip: '192.0.2.2', nodeName: 'n1' }],
      ports: [{ port: 5432 }],
    },
  ])
  const made = planMirror(first, [])
  expect(made.create).toEqual([
    {
      addressType: 'IPv4',
      ports: [{ name: '', port: 5432, protocol: 'TCP' }],
      endpoints: [
        { addresses: ['192.0.2.1'], conditions: { ready: true } },
        { addresses: ['192.0.2.2'], conditions: { ready: false }, nodeName: 'n1' },
      ],
    },
    {
      addressType: 'IPv6',
      ports: [{ name: '', port: 5432, protocol: 'TCP' }],
      endpoints: [{ addresses: ['2001:db8::1'], conditions: { ready: true } }],
    },
  ])
  const labels = {
    'kubernetes.io/service-name': 'db',
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  }
  const slices = made.create.map((content, i): EndpointSlice => ({ ...content, metadata: { name: `s${i}`, labels } }))
  expect(planMirror(first, slices)).toEqual({ create: [], update: [], remove: [] })
  const second = planMirror(byHand([{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 5433 }] }]), slices)
  expect(second.update.map(({ metadata, endpoints, ports }) => [metadata.name, endpoints?.[0]?.addresses, ports?.[0]?.port])).toEqual([
    ['s0', ['192.0.2.9'], 5433],
  ])
  expect(second.remove.map(({ metadata }) => metadata.name)).toEqual(['s1'])
})
