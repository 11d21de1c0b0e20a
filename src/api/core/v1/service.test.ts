import { describe, expect, test } from 'vitest'
import type { Service } from '../../generated/types.ts'
import { cloneJson } from '../../meta/clone.ts'
import { created, refusals, TEST_CONTEXT, updateRefusals } from '../../validation/create-as-server.ts'
import { services } from './service.ts'

const service = (spec: object, name = 'web'): object => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })

test('what a service of two lines gets', () => {
  expect(created(services, service({}))).toMatchObject({
    spec: {
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
    },
    status: { loadBalancer: {} },
  })
})

test.each([
  [{ type: 'LoadBalancer' }, { externalTrafficPolicy: 'Cluster', allocateLoadBalancerNodePorts: true }],
  [{ externalIPs: ['10.0.0.1'] }, { externalTrafficPolicy: 'Cluster' }],
  [{ sessionAffinity: 'ClientIP' }, { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } }],
  [{ clusterIP: 'None' }, { clusterIPs: ['None'] }],
  [{ clusterIPs: ['2001:db8::1'] }, { clusterIP: '2001:db8::1' }],
])('%j means %j', (given, filled) => {
  expect(created(services, service(given)).spec).toMatchObject(filled)
  expect(refusals(services, service(given))).toEqual([])
})

describe('a service is refused', () => {
  const cases: [string, object, string[]][] = [
    [
      'with a name that starts with a digit',
      service({}, '1web'),
      [
        "metadata.name: Invalid value: \"1web\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    ['without ports', service({ ports: [] }), ['spec.ports: Required value']],
    [
      'with two ports without names',
      service({ ports: [{ port: 80 }, { port: 81 }] }),
      ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
    ],
    [
      'with a port twice',
      service({
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 80 },
        ],
      }),
      ['spec.ports[1].name: Duplicate value: "a"', 'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'],
    ],
    [
      'with port 0',
      service({ ports: [{ port: 0, targetPort: 80 }] }),
      ['spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive'],
    ],
    [
      'with a node port of type ClusterIP',
      service({ ports: [{ port: 80, nodePort: 30000 }] }),
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'of an unknown type',
      service({ type: 'Magic' }),
      ['spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
    ],
    [
      'headless of type NodePort',
      service({ type: 'NodePort', clusterIP: 'None' }),
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
    ],
    ['without external name', service({ type: 'ExternalName' }), ['spec.externalName: Required value']],
    [
      'with a bad address',
      service({ clusterIP: '10.0.0' }),
      ['spec.clusterIPs[0]: Invalid value: "10.0.0": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [
      'with two addresses of one family',
      service({ clusterIPs: ['10.0.0.1', '10.0.0.2'], clusterIP: '10.0.0.1' }),
      ['spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family'],
    ],
    [
      'with a traffic policy for outside that nobody reaches',
      service({ externalTrafficPolicy: 'Local' }),
      ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ],
    [
      'with a class of load balancers and none',
      service({ loadBalancerClass: 'a/b' }),
      ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
    ],
    [
      'with bad affinity',
      service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } } }),
      ['spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400'],
    ],
    [
      'with a link-local address from outside',
      service({ externalIPs: ['169.254.0.1'] }),
      ['spec.externalIPs[0]: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ],
  ]
  test.each(cases)('%s', (_name, object, errors) => {
    expect(refusals(services, object)).toEqual(errors)
  })
})

describe('an update of a service', () => {
  function updated(before: object, change: (spec: NonNullable<Service['spec']>) => void): NonNullable<Service['spec']> {
    const previous = created(services, service(before))
    const next = cloneJson(previous)
    change(next.spec!)
    services.strategy!.setDefaults!(next)
    services.strategy!.prepareForUpdate!(next, previous, TEST_CONTEXT)
    return next.spec!
  }

  test('keeps addresses and node ports that the client does not repeat', () => {
    const before = { type: 'NodePort', clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 30080 }] }
    const spec = updated(before, (next) => {
      next.clusterIP = undefined
      next.clusterIPs = undefined
      next.ports = [{ port: 80, protocol: 'TCP', targetPort: 8080 }]
    })
    expect(spec).toMatchObject({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], ports: [{ targetPort: 8080, nodePort: 30080 }] })
  })

  test('drops what the new type has no use for', () => {
    const before = { type: 'LoadBalancer', clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 30080 }] }
    const cluster = updated(before, (next) => (next.type = 'ClusterIP'))
    expect(cluster).toMatchObject({ clusterIP: '10.0.0.1', externalTrafficPolicy: undefined, allocateLoadBalancerNodePorts: undefined })
    expect(cluster.ports![0]!.nodePort).toBeUndefined()
    const external = updated(before, (next) => Object.assign(next, { type: 'ExternalName', externalName: 'a.b' }))
    expect(external).toMatchObject({ clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined, ipFamilyPolicy: undefined })
  })

  test('may not move the address', () => {
    const errors = updateRefusals(services, service({ clusterIP: '10.0.0.1' }), ({ spec }) => {
      spec!.clusterIP = '10.0.0.2'
    })
    expect(errors).toEqual(['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'])
  })

  test('may change type, ports and selector', () => {
    const errors = updateRefusals(services, service({ clusterIP: '10.0.0.1', selector: { a: 'b' } }), ({ spec }) => {
      Object.assign(spec!, { type: 'NodePort', selector: { c: 'd' }, ports: [{ port: 81 }] })
    })
    expect(errors).toEqual([])
  })

  test('of the status is for load balancers', () => {
    const write = (spec: object): string[] =>
      updateRefusals(services, service(spec), (next) => (next.status = { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } }), 'status')
    expect(write({ type: 'LoadBalancer' })).toEqual([])
    expect(write({})).toEqual(["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"])
  })
})
