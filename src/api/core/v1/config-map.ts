import type { ConfigMap } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const configMaps: KindDefinition<ConfigMap> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  shortNames: ['cm'],
  schema: 'io.k8s.api.core.v1.ConfigMap',
})
