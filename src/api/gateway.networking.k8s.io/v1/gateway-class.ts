import type { Condition } from '../../generated/types.ts'
import { findCondition } from '../../conditions.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { pendingConditions } from './pending-conditions.ts'
import { GATEWAY_GROUP, type ObjectReference } from './references.ts'
import { servedAs } from './served-version.ts'

export interface GatewayClassSpec {
  /** Immutable. */
  controllerName: string
  description?: string | undefined
  parametersRef?: ObjectReference | undefined
}

export interface GatewayClassStatus {
  conditions?: Condition[] | undefined
  /** Sorted by name. */
  supportedFeatures?: { name: string }[] | undefined
}

/** Cluster-scoped: gateways that one controller looks after. */
export interface GatewayClass extends KubeObject {
  spec: GatewayClassSpec
  status?: GatewayClassStatus | undefined
}

const SCHEMA = 'io.k8s.api.gateway.v1.GatewayClass'

export const gatewayClasses: KindDefinition<GatewayClass> = defineKind<GatewayClass>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
  shortNames: ['gc'],
  categories: ['gateway-api'],
  namespaced: false,
  schema: SCHEMA,
  status: true,
  columns: [
    {
      name: 'Controller',
      type: 'string',
      description: 'Who looks after gateways of the class.',
      value: ({ spec }) => spec?.controllerName ?? '',
    },
    {
      name: 'Accepted',
      type: 'string',
      description: 'Whether the controller does.',
      value: ({ status }) => findCondition(status?.conditions, 'Accepted')?.status ?? '',
    },
    { name: 'Description', type: 'string', priority: 1, description: 'For people.', value: ({ spec }) => spec?.description ?? '' },
  ],
  strategy: {
    prepareForCreate: (object) => void (object.status = { conditions: pendingConditions('Accepted') }),
    validate: (object) => collectErrors((errors) => checkBounds(errors, SCHEMA, '', object)),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => errors.immutable('spec.controllerName', next.spec.controllerName, previous.spec.controllerName)),
  },
})

export const gatewayClassesV1beta1: KindDefinition<GatewayClass> = servedAs(gatewayClasses, 'v1beta1')
