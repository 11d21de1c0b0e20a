import type { Deployment } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const deployments: KindDefinition<Deployment> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
  shortNames: ['deploy'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.Deployment',
})
