import type { ReplicationController } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const replicationControllers: KindDefinition<ReplicationController> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  namespaced: true,
  shortNames: ['rc'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.ReplicationController',
})
