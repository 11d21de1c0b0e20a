import type { Service, ServiceSpec } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition } from '../../kind.ts'
import { formatLabels } from '../../print/columns.ts'
import { serviceStrategy } from './service-strategy.ts'

const columns: readonly Column<Service>[] = [
  { name: 'Type', type: 'string', description: 'How the service is exposed.', value: (service) => service.spec?.type ?? '' },
  {
    name: 'Cluster-IP',
    type: 'string',
    description: 'Address of the service inside the cluster.',
    value: ({ spec }) => spec?.clusterIPs?.[0] || spec?.clusterIP || '<none>',
  },
  { name: 'External-IP', type: 'string', description: 'Addresses by which it is reached from outside.', value: externalIp },
  { name: 'Port(s)', type: 'string', description: 'Ports and protocols, with the node port where there is one.', value: portsCell },
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: 'Labels of the pods behind the service.',
    value: (service) => formatLabels(service.spec?.selector),
  },
]

export const services: KindDefinition<Service> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
  shortNames: ['svc'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.Service',
  status: true,
  nameRule: 'rfc1035',
  columns,
  fieldSelectors: {
    'spec.clusterIP': (service) => service.spec?.clusterIP ?? '',
    'spec.type': (service) => service.spec?.type ?? '',
  },
  strategy: serviceStrategy,
})

function externalIp(service: Service): string {
  const spec: ServiceSpec = service.spec ?? {}
  const given = spec.externalIPs ?? []
  switch (spec.type) {
    case 'ExternalName':
      return spec.externalName ?? ''
    case 'LoadBalancer': {
      const ingress = (service.status?.loadBalancer?.ingress ?? []).map((one) => one.ip || one.hostname || '')
      const addresses = [...new Set(ingress.filter(Boolean))].toSorted()
      return [...addresses, ...given].join(',') || '<pending>'
    }
    case 'ClusterIP':
    case 'NodePort':
      return given.join(',') || '<none>'
    default:
      return '<unknown>'
  }
}

function portsCell(service: Service): string {
  const ports = (service.spec?.ports ?? []).map(({ port, nodePort, protocol = 'TCP' }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  )
  return ports.join(',') || '<none>'
}
