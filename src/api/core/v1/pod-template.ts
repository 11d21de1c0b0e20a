import type { PodTemplate } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const podTemplates: KindDefinition<PodTemplate> = defineKind({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.PodTemplate',
})
