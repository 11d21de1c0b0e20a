import type { Condition, LabelSelector } from '../../generated/types.ts'
import { findCondition } from '../../conditions.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { addressValue, commonRange, parseAddressRange } from './address-range.ts'

export interface AddressPoolSpec {
  /** CIDRs (`192.0.2.0/24`) and ranges (`192.0.2.10-192.0.2.20`) of either family. */
  addresses: string[]
  /** False: only services that ask for the pool or for an address of it get one. Default true. */
  autoAssign?: boolean | undefined
  /** Leaves out IPv4 addresses that end in 0 or 255: old devices drop them. Default false. */
  avoidBuggyIPs?: boolean | undefined
  /** Absent: all services. */
  serviceSelector?: LabelSelector | undefined
  /** Absent: all namespaces. */
  namespaceSelector?: LabelSelector | undefined
  /** Pools with a larger one are used up first; then by name. Default 0. */
  priority?: number | undefined
}

export interface AddressPoolStatus {
  observedGeneration?: number | undefined
  /** Addresses that services have. Counts beyond 2^53 are given as 2^53 - 1. */
  assignedIPv4?: number | undefined
  assignedIPv6?: number | undefined
  availableIPv4?: number | undefined
  availableIPv6?: number | undefined
  /** `Conflicting`: whether other pools have addresses of this one. */
  conditions?: Condition[] | undefined
}

/** Cluster-scoped: addresses for services of type LoadBalancer. */
export interface AddressPool extends KubeObject {
  spec: AddressPoolSpec
  status?: AddressPoolStatus
}

const MAX_RANGES = 1000

export const addressPools: KindDefinition<AddressPool> = defineKind<AddressPool>({
  group: 'routing.biplane.dev',
  version: 'v1alpha1',
  kind: 'AddressPool',
  plural: 'addresspools',
  namespaced: false,
  schema: 'dev.biplane.routing.v1alpha1.AddressPool',
  status: true,
  columns: [
    { name: 'Addresses', type: 'string', description: 'What is in it.', value: ({ spec }) => (spec?.addresses ?? []).join(',') },
    { name: 'Auto', type: 'boolean', description: 'Services get them unasked.', value: ({ spec }) => spec?.autoAssign ?? true },
    { name: 'Assigned', type: 'integer', description: 'Addresses that services have.', value: countCell('assigned') },
    { name: 'Available', type: 'integer', description: 'Addresses that are free.', value: countCell('available') },
    {
      name: 'Conflicting',
      type: 'string',
      description: 'Whether other pools have addresses of this one.',
      value: ({ status }) => findCondition(status?.conditions, 'Conflicting')?.status ?? 'Unknown',
    },
    {
      name: 'Priority',
      type: 'integer',
      priority: 1,
      description: 'Pools with a larger one are used up first.',
      value: ({ spec }) => spec?.priority ?? 0,
    },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkAddressPool(errors, spec ?? {})) },
})

function countCell(what: 'assigned' | 'available'): (pool: AddressPool) => number {
  return ({ status }) => {
    const sum = (status?.[`${what}IPv4`] ?? 0) + (status?.[`${what}IPv6`] ?? 0)
    return Math.min(sum, Number.MAX_SAFE_INTEGER)
  }
}

function checkAddressPool(errors: FieldErrors, spec: Partial<AddressPoolSpec>): void {
  const field = 'spec.addresses'
  const addresses = spec.addresses ?? []
  if (addresses.length === 0) errors.required(field, 'must have at least one CIDR or range, such as 192.0.2.0/24')
  if (addresses.length > MAX_RANGES) return errors.tooMany(field, addresses.length, MAX_RANGES)
  const ranges = addresses.map(parseAddressRange)
  addresses.forEach((text, i) => {
    const range = ranges[i]
    if (!range) {
      errors.invalid(`${field}[${i}]`, text, 'must be a CIDR such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20')
      return
    }
    const bad = UNUSABLE.find((one) => commonRange(parseAddressRange(one.text)!, range))
    if (bad) errors.invalid(`${field}[${i}]`, text, `must not have ${bad.what} addresses (${bad.text})`)
    const slash = text.indexOf('/')
    if (slash >= 0 && addressValue(text.slice(0, slash))?.address !== range.first)
      errors.invalid(`${field}[${i}]`, text, 'must not have bits set beyond the prefix length')
    const other = ranges.findIndex((one, j) => j < i && one && commonRange(one, range))
    if (other >= 0) errors.invalid(`${field}[${i}]`, text, `overlaps ${field}[${other}]`)
  })
  checkLabelSelector(errors, 'spec.serviceSelector', spec.serviceSelector)
  checkLabelSelector(errors, 'spec.namespaceSelector', spec.namespaceSelector)
}

const UNUSABLE = [
  { text: '0.0.0.0/8', what: 'unspecified' },
  { text: '127.0.0.0/8', what: 'loopback' },
  { text: '169.254.0.0/16', what: 'link-local' },
  { text: '224.0.0.0/3', what: 'multicast or reserved' },
  { text: '::/127', what: 'unspecified or loopback' },
  { text: '::ffff:0:0/96', what: 'mapped IPv4' },
  { text: 'fe80::/10', what: 'link-local' },
  { text: 'ff00::/8', what: 'multicast' },
]
