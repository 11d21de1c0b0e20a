import type { Ingress } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { withMore } from '../../print/columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkIngress } from '../../validation/ingress.ts'

const SHOWN_HOSTS = 3

export const ingresses: KindDefinition<Ingress> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
  shortNames: ['ing'],
  schema: 'io.k8s.api.networking.v1.Ingress',
  status: true,
  columns: [
    {
      name: 'Class',
      type: 'string',
      description: 'The name of the IngressClass resource that should be used for additional configuration',
      value: ({ spec }) => spec?.ingressClassName ?? '<none>',
    },
    {
      name: 'Hosts',
      type: 'string',
      description: 'Hosts that incoming requests are matched against before the ingress rule',
      value: hostsCell,
    },
    {
      name: 'Address',
      type: 'string',
      description: 'Address is a list containing ingress points for the load-balancer',
      value: addressCell,
    },
    {
      name: 'Ports',
      type: 'string',
      description: 'Ports of TLS configurations that open',
      value: ({ spec }) => (spec?.tls?.length ? '80, 443' : '80'),
    },
  ],
  strategy: {
    prepareForCreate(ingress) {
      ingress.status = { loadBalancer: {} }
    },
    validate: ({ spec }) => collectErrors((errors) => checkIngress(errors, spec ?? {})),
  },
})

function hostsCell({ spec }: Ingress): string {
  const rules = spec?.rules ?? []
  const hosts = rules.map((rule) => rule.host ?? '').filter(Boolean)
  if (hosts.length === 0) return '*'
  return hosts.length > SHOWN_HOSTS ? withMore(hosts, rules.length, SHOWN_HOSTS) : hosts.join(',')
}

function addressCell({ status }: Ingress): string {
  const addresses = (status?.loadBalancer?.ingress ?? []).map((one) => one.ip || one.hostname || '')
  return [...new Set(addresses.filter(Boolean))].toSorted().join(',')
}
