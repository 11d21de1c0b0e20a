import { expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../../api/generated/types.ts'
import { planServicePorts } from './plan-service-ports.ts'

const service = (spec: Partial<NonNullable<Service['spec']>>): Service => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }], ...spec },
})
const slice = (endpoints: EndpointSlice['endpoints'], more: Partial<EndpointSlice> = {}): EndpointSlice => ({
  metadata: { name: 's', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints,
  ports: [{ port: 8080 }],
  ...more,
})
const at = (...addresses: string[]): EndpointSlice => slice(addresses.map((address) => ({ addresses: [address] })))

/** `TCP/10.96.0.1:80 -> 10.0.0.1:8080`. */
function told(services: readonly Service[], slices: readonly EndpointSlice[]): string[] {
  const plan = planServicePorts(services, slices, { name: 'n1', addresses: ['192.168.0.1'] })
  return [...plan.values()].map(({ key, backends, affinityMs }) => {
    const affinity = affinityMs === undefined ? '' : ` for ${affinityMs / 1000}s`
    return `${key} ->${backends.map(({ host, port }) => ` ${host}:${port}`).join('')}${affinity}`
  })
}

const two = [
  { name: 'a', port: 80 },
  { name: 'b', port: 53, protocol: 'UDP' },
]

test.each<[string, Service, EndpointSlice[], string[]]>([
  ['an address without endpoints', service({}), [], ['TCP/10.96.0.1:80 ->']],
  [
    'endpoints of two slices, sorted, each once',
    service({}),
    [at('10.0.0.2', '10.0.0.1'), at('10.0.0.1')],
    ['TCP/10.96.0.1:80 -> 10.0.0.1:8080 10.0.0.2:8080'],
  ],
  [
    'only the slices of this service',
    service({}),
    [
      slice([{ addresses: ['10.0.0.9'] }], {
        metadata: { name: 'o', namespace: 'other', labels: { 'kubernetes.io/service-name': 'web' } },
      }),
    ],
    ['TCP/10.96.0.1:80 ->'],
  ],
  [
    'ports by name and protocol',
    service({ ports: two }),
    [
      slice([{ addresses: ['10.0.0.1'] }], {
        ports: [
          { name: 'a', port: 8080, protocol: 'TCP' },
          { name: 'b', port: 5353, protocol: 'UDP' },
        ],
      }),
    ],
    ['TCP/10.96.0.1:80 -> 10.0.0.1:8080', 'UDP/10.96.0.1:53 -> 10.0.0.1:5353'],
  ],
  ['SCTP is left out', service({ ports: [{ port: 80, protocol: 'SCTP' }] }), [at('10.0.0.1')], []],
  ['headless', service({ clusterIP: 'None', clusterIPs: ['None'] }), [at('10.0.0.1')], []],
  ['an external name', service({ type: 'ExternalName' }), [], []],
  [
    'node ports',
    service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }),
    [at('10.0.0.1')],
    ['TCP/10.96.0.1:80 -> 10.0.0.1:8080', 'TCP/192.168.0.1:30080 -> 10.0.0.1:8080'],
  ],
  ['two families', service({ clusterIPs: ['10.96.0.1', 'fd00::1'] }), [], ['TCP/10.96.0.1:80 ->', 'TCP/fd00::1:80 ->']],
  ['client affinity', service({ sessionAffinity: 'ClientIP' }), [], ['TCP/10.96.0.1:80 -> for 10800s']],
  [
    'its own timeout',
    service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }),
    [],
    ['TCP/10.96.0.1:80 -> for 5s'],
  ],
  [
    'ready ones only',
    service({}),
    [
      slice([
        { addresses: ['10.0.0.1'], conditions: { ready: false } },
        { addresses: ['10.0.0.2'], conditions: { ready: true } },
        { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: true } },
      ]),
    ],
    ['TCP/10.96.0.1:80 -> 10.0.0.2:8080'],
  ],
  [
    'while none is ready: those that end but still serve',
    service({}),
    [
      slice([
        { addresses: ['10.0.0.1'], conditions: { ready: false, serving: false, terminating: true } },
        { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: true } },
      ]),
    ],
    ['TCP/10.96.0.1:80 -> 10.0.0.3:8080'],
  ],
  [
    'internalTrafficPolicy Local: endpoints of this node',
    service({ internalTrafficPolicy: 'Local' }),
    [
      slice([
        { addresses: ['10.0.0.1'], nodeName: 'n1' },
        { addresses: ['10.0.0.2'], nodeName: 'n2' },
      ]),
    ],
    ['TCP/10.96.0.1:80 -> 10.0.0.1:8080'],
  ],
  [
    'externalTrafficPolicy Local: only on the node port',
    service({ type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] }),
    [
      slice([
        { addresses: ['10.0.0.1'], nodeName: 'n1' },
        { addresses: ['10.0.0.2'], nodeName: 'n2' },
      ]),
    ],
    ['TCP/10.96.0.1:80 -> 10.0.0.1:8080 10.0.0.2:8080', 'TCP/192.168.0.1:30080 -> 10.0.0.1:8080'],
  ],
  ['slices of names', service({}), [slice([{ addresses: ['example.com'] }], { addressType: 'FQDN' })], ['TCP/10.96.0.1:80 ->']],
])('%s', (_name, given, slices, want) => expect(told([given], slices)).toEqual(want))
