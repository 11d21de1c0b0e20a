import type { CronJob } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const cronJobs: KindDefinition<CronJob> = defineKind({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  namespaced: true,
  shortNames: ['cj'],
  categories: ['all'],
  schema: 'io.k8s.api.batch.v1.CronJob',
})
