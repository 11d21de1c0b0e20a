import { isIPv6 } from 'node:net'
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkLabelName, checkQualifiedName, checkSubdomainName } from '../../meta/names.ts'
import { withMore } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkEndpointIp, checkIp } from '../../validation/ip.ts'
import { checkPortNumber } from '../../validation/names.ts'

const SHOWN = 3
const MAX_ENDPOINTS = 1000
const MAX_PORTS = 20_000
const MAX_ADDRESSES = 100
const MAX_ZONE_HINTS = 8

export const endpointSlices: KindDefinition<EndpointSlice> = defineKind({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  columns: [
    { name: 'AddressType', type: 'string', description: 'IPv4, IPv6 or FQDN.', value: ({ addressType }) => addressType },
    { name: 'Ports', type: 'string', description: 'Ports of every endpoint.', value: ({ ports }) => listCell((ports ?? []).map(portCell)) },
    {
      name: 'Endpoints',
      type: 'string',
      description: 'Addresses of the endpoints.',
      value: ({ endpoints }) => listCell((endpoints ?? []).flatMap((endpoint) => endpoint.addresses)),
    },
  ],
  strategy: {
    validate: (slice) => collectErrors((errors) => checkSlice(errors, slice)),
    validateUpdate: (next, previous) => collectErrors((errors) => errors.immutable('addressType', next.addressType, previous.addressType)),
  },
})

function portCell({ port, name }: DiscoveryEndpointPort): string {
  return port === undefined ? (name ?? '*') : `${port}`
}

function listCell(list: readonly string[]): string {
  return withMore(list, list.length, SHOWN) || '<unset>'
}

function checkSlice(errors: FieldErrors, slice: EndpointSlice): void {
  const { addressType, endpoints = [], ports = [] } = slice
  if (!addressType) errors.required('addressType')
  if (endpoints.length > MAX_ENDPOINTS) errors.tooMany('endpoints', endpoints.length, MAX_ENDPOINTS)
  else endpoints.forEach((endpoint, i) => checkEndpoint(errors, `endpoints[${i}]`, endpoint, { addressType }))
  if (ports.length > MAX_PORTS) return errors.tooMany('ports', ports.length, MAX_PORTS)
  const names = new Set<string>()
  ports.forEach((port, i) => {
    const name = port.name ?? ''
    if (name !== '') errors.invalidEach(`ports[${i}].name`, name, checkLabelName(name))
    if (names.has(name)) errors.duplicate('ports', name)
    names.add(name)
    if (port.port !== undefined) errors.invalidEach(`ports[${i}].port`, port.port, checkPortNumber(port.port))
    if (port.appProtocol !== undefined)
      errors.invalidEach(`ports[${i}].appProtocol`, port.appProtocol, checkQualifiedName(port.appProtocol))
  })
}

function checkEndpoint(errors: FieldErrors, field: string, endpoint: Endpoint, options: { readonly addressType: string }): void {
  const addresses = endpoint.addresses ?? []
  if (addresses.length === 0) errors.required(`${field}.addresses`, 'must contain at least 1 address')
  else if (addresses.length > MAX_ADDRESSES) errors.tooMany(`${field}.addresses`, addresses.length, MAX_ADDRESSES)
  addresses.forEach((address, i) => checkAddress(errors, `${field}.addresses[${i}]`, address, options))
  const { nodeName, hostname, hints } = endpoint
  if (nodeName !== undefined) errors.invalidEach(`${field}.nodeName`, nodeName, checkSubdomainName(nodeName))
  if (hostname !== undefined) errors.invalidEach(`${field}.hostname`, hostname, checkLabelName(hostname))
  const zones = hints?.forZones ?? []
  if (zones.length > MAX_ZONE_HINTS) errors.tooMany(`${field}.hints.forZones`, zones.length, MAX_ZONE_HINTS)
}

function checkAddress(errors: FieldErrors, field: string, address: string, { addressType }: { readonly addressType: string }): void {
  if (addressType === 'FQDN') return errors.invalidEach(field, address, checkSubdomainName(address.replace(/\.$/, '')))
  if (!checkIp(errors, field, address)) return
  if (isIPv6(address) !== (addressType === 'IPv6')) errors.invalid(field, address, `must be a valid ${addressType} address`)
  checkEndpointIp(errors, field, address)
}
