import type { ControllerRevision } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const controllerRevisions: KindDefinition<ControllerRevision> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
})
