import type { Job } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const jobs: KindDefinition<Job> = defineKind({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  namespaced: true,
  categories: ['all'],
  schema: 'io.k8s.api.batch.v1.Job',
})
