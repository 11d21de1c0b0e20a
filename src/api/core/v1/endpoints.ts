import type { EndpointAddress, EndpointPort, Endpoints, EndpointSubset } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkLabelName, checkQualifiedName, checkSubdomainName } from '../../meta/names.ts'
import { withMore } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkEndpointIp, checkIp } from '../../validation/ip.ts'
import { checkPortNumber } from '../../validation/names.ts'

const SHOWN = 3

export const endpoints: KindDefinition<Endpoints> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  namespaced: true,
  shortNames: ['ep'],
  schema: 'io.k8s.api.core.v1.Endpoints',
  columns: [{ name: 'Endpoints', type: 'string', description: 'Addresses and ports that are ready.', value: endpointsCell }],
  strategy: {
    allowCreateOnUpdate: true,
    validate: ({ subsets }) =>
      collectErrors((errors) => {
        subsets?.forEach((subset, i) => checkSubset(errors, `subsets[${i}]`, subset))
      }),
  },
})

function endpointsCell({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return '<none>'
  const list = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map((address) => address.ip)
      : ports.flatMap((port) => addresses.map((address) => `${hostOf(address)}:${port.port}`)),
  )
  return withMore(list, list.length, SHOWN)
}

function hostOf({ ip }: EndpointAddress): string {
  return ip.includes(':') ? `[${ip}]` : ip
}

function checkSubset(errors: FieldErrors, field: string, { addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset): void {
  if (addresses.length + notReadyAddresses.length === 0) errors.required(field, 'must specify `addresses` or `notReadyAddresses`')
  addresses.forEach((address, i) => checkAddress(errors, `${field}.addresses[${i}]`, address))
  notReadyAddresses.forEach((address, i) => checkAddress(errors, `${field}.notReadyAddresses[${i}]`, address))
  ports.forEach((port, i) => checkPort(errors, `${field}.ports[${i}]`, port, { needsName: ports.length > 1 }))
}

function checkAddress(errors: FieldErrors, field: string, address: EndpointAddress): void {
  if (checkIp(errors, `${field}.ip`, address.ip ?? '')) checkEndpointIp(errors, `${field}.ip`, address.ip)
  if (address.hostname) errors.invalidEach(`${field}.hostname`, address.hostname, checkLabelName(address.hostname))
  if (address.nodeName !== undefined) errors.invalidEach(`${field}.nodeName`, address.nodeName, checkSubdomainName(address.nodeName))
}

function checkPort(errors: FieldErrors, field: string, port: EndpointPort, options: { readonly needsName: boolean }): void {
  if (port.name) errors.invalidEach(`${field}.name`, port.name, checkLabelName(port.name))
  else if (options.needsName) errors.required(`${field}.name`)
  errors.invalidEach(`${field}.port`, port.port ?? 0, checkPortNumber(port.port ?? 0))
  if (port.appProtocol !== undefined) errors.invalidEach(`${field}.appProtocol`, port.appProtocol, checkQualifiedName(port.appProtocol))
}
