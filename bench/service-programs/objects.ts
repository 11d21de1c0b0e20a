import type { EndpointSlice, Service } from '../../src/api/generated/types.ts'

export const vipOf = (index: number): string => `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`

/** Service number `index`: one TCP port. */
export function serviceObject(index: number): Service {
  const vip = vipOf(index)
  return {
    metadata: { name: `s${index}`, namespace: 'default' },
    spec: {
      type: 'ClusterIP',
      clusterIP: vip,
      clusterIPs: [vip],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    },
  }
}

/** Its three endpoints, addresses that no other service has. */
export function sliceObject(index: number): EndpointSlice {
  return {
    metadata: { name: `s${index}-a`, namespace: 'default', labels: { 'kubernetes.io/service-name': `s${index}` } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: [0, 1, 2].map((k) => ({
      addresses: [`10.${244 + k}.${(index >> 8) & 255}.${index & 255}`],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'elsewhere',
    })),
  }
}
