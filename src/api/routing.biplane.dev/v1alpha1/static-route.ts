import type { LabelSelector } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkBetween, checkPrefix, checkUnicast } from './routing-checks.ts'

export interface StaticNextHop {
  address?: string | undefined
  device?: string | undefined
  /** 1 to 256. Default 1. */
  weight?: number | undefined
}

export interface StaticRouteSpec {
  prefix: string
  /** Absent: all nodes. */
  nodeSelector?: LabelSelector | undefined
  nextHops?: StaticNextHop[] | undefined
  /** Default Unicast. */
  type?: 'Unicast' | 'Blackhole' | 'Unreachable' | 'Prohibit' | undefined
  /** Default 1. */
  distance?: number | undefined
}

/** Cluster-scoped: a configured route. */
export interface StaticRoute extends KubeObject {
  spec: StaticRouteSpec
  /** By name of the node: `Installed`, or what is in the way. */
  status?: { nodes?: { [node: string]: string } | undefined }
}

export const staticRoutes: KindDefinition<StaticRoute> = defineKind<StaticRoute>({
  group: 'routing.biplane.dev',
  version: 'v1alpha1',
  kind: 'StaticRoute',
  plural: 'staticroutes',
  shortNames: ['sroute'],
  namespaced: false,
  schema: 'dev.biplane.routing.v1alpha1.StaticRoute',
  status: true,
  columns: [
    { name: 'Prefix', type: 'string', description: 'Destination.', value: ({ spec }) => spec?.prefix ?? '' },
    { name: 'Via', type: 'string', description: 'Next hops, or what happens instead.', value: viaCell },
    { name: 'Distance', type: 'integer', description: 'Administrative distance.', value: ({ spec }) => spec?.distance ?? 1 },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkStaticRoute(errors, spec ?? {})) },
})

function viaCell({ spec }: StaticRoute): string {
  if (spec?.type !== undefined && spec.type !== 'Unicast') return spec.type
  return (spec?.nextHops ?? []).map(({ address, device }) => [address, device].filter(Boolean).join('%')).join(',')
}

function checkStaticRoute(errors: FieldErrors, spec: Partial<StaticRouteSpec>): void {
  checkLabelSelector(errors, 'spec.nodeSelector', spec.nodeSelector)
  if (spec.prefix === undefined) errors.required('spec.prefix', 'a destination such as 192.0.2.0/24')
  else checkPrefix(errors, 'spec.prefix', spec.prefix)
  checkBetween(errors, 'spec.distance', spec.distance, 1, 255)
  const hops = spec.nextHops ?? []
  const isUnicast = (spec.type ?? 'Unicast') === 'Unicast'
  if (isUnicast && hops.length === 0) errors.required('spec.nextHops', 'at least one, or another type')
  if (!isUnicast && hops.length > 0) errors.forbidden('spec.nextHops', 'may only be set for type Unicast')
  if (hops.length > 256) errors.tooMany('spec.nextHops', hops.length, 256)
  hops.forEach(({ address, device, weight }, i) => {
    const field = `spec.nextHops[${i}]`
    if (address === undefined && device === undefined) errors.required(`${field}.address`, 'an address, a device or both')
    if (address !== undefined) checkUnicast(errors, `${field}.address`, address)
    if (device !== undefined && !/^[^\s/]{1,15}$/.test(device)) {
      errors.invalid(`${field}.device`, device, 'must be the name of an interface, at most 15 characters')
    }
    checkBetween(errors, `${field}.weight`, weight, 1, 256)
  })
}
