import type { Condition } from '../../generated/types.ts'
import { findCondition } from '../../conditions.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { checkListeners, defaultListeners, type Listener, type ListenerStatus } from './listener.ts'
import { pendingConditions } from './pending-conditions.ts'
import { GATEWAY_GROUP, type ParentReference } from './references.ts'

export interface ListenerSetStatus {
  conditions?: Condition[] | undefined
  listeners?: ListenerStatus[] | undefined
}

/** Listeners that are added to a Gateway which allows it. */
export interface ListenerSet extends KubeObject {
  spec: { parentRef: ParentReference; listeners: Listener[] }
  status?: ListenerSetStatus | undefined
}

const SCHEMA = 'io.k8s.api.gateway.v1.ListenerSet'
const condition =
  (type: string) =>
  ({ status }: ListenerSet): string =>
    findCondition(status?.conditions, type)?.status ?? ''

export const listenerSets: KindDefinition<ListenerSet> = defineKind<ListenerSet>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'ListenerSet',
  plural: 'listenersets',
  shortNames: ['lset'],
  categories: ['gateway-api'],
  namespaced: true,
  schema: SCHEMA,
  status: true,
  columns: [
    { name: 'Accepted', type: 'string', description: 'Whether the gateway takes the listeners.', value: condition('Accepted') },
    { name: 'Programmed', type: 'string', description: 'Whether proxies run them.', value: condition('Programmed') },
  ],
  strategy: {
    setDefaults: ({ spec }) => defaultListeners(spec?.listeners),
    prepareForCreate: (object) => void (object.status = { conditions: pendingConditions('Accepted', 'Programmed') }),
    validate: (object) =>
      collectErrors((errors) => {
        checkBounds(errors, SCHEMA, '', object)
        checkListeners(errors, object.spec?.listeners ?? [])
      }),
  },
})
