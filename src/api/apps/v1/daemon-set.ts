import type { DaemonSet } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const daemonSets: KindDefinition<DaemonSet> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  namespaced: true,
  shortNames: ['ds'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.DaemonSet',
})
