import { setTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import type { CronJob, CronJobSpec } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition } from '../../kind.ts'
import { containerColumns, formatLabelSelector } from '../../print/columns.ts'
import { ageSince } from '../../print/human-duration.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkJobTemplate } from '../../validation/job.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'
import { CronScheduleError, parseCronSchedule } from './cron-schedule.ts'

/** Jobs are named after it, with a dash and up to ten digits. */
const MAX_NAME = 52

const columns: readonly Column<CronJob>[] = [
  { name: 'Schedule', type: 'string', description: 'When it runs, in the syntax of cron.', value: ({ spec }) => spec?.schedule ?? '' },
  { name: 'Timezone', type: 'string', description: 'Time zone of the schedule.', value: ({ spec }) => spec?.timeZone ?? '<none>' },
  {
    name: 'Suspend',
    type: 'boolean',
    description: 'Whether no more jobs are started.',
    value: ({ spec }) => (spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'),
  },
  { name: 'Active', type: 'integer', description: 'Jobs that run.', value: ({ status }) => status?.active?.length ?? 0 },
  {
    name: 'Last Schedule',
    type: 'string',
    description: 'Time since a job was started.',
    value: ({ status }, nowMs) => (status?.lastScheduleTime ? ageSince(status.lastScheduleTime, nowMs) : '<none>'),
  },
  ...containerColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template?.spec),
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: 'Labels by which the jobs find their pods.',
    value: ({ spec }) => formatLabelSelector(spec?.jobTemplate?.spec?.selector),
  },
]

export const cronJobs: KindDefinition<CronJob> = defineKind({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  namespaced: true,
  shortNames: ['cj'],
  categories: ['all'],
  schema: 'io.k8s.api.batch.v1.CronJob',
  status: true,
  columns,
  strategy: {
    setDefaults: ({ spec }) => setTemplateDefaults(spec?.jobTemplate?.spec?.template),
    prepareForCreate(cronJob) {
      cronJob.status = {}
    },
    validate: ({ metadata, spec }) =>
      collectErrors((errors) => {
        if ((metadata.name?.length ?? 0) > MAX_NAME) {
          errors.invalid('metadata.name', metadata.name, `must be no more than ${MAX_NAME} characters`)
        }
        checkCronJob(errors, spec ?? ({} as CronJobSpec))
      }),
    warnings: ({ spec }) => podSpecWarnings(spec?.jobTemplate?.spec?.template?.spec, 'spec.jobTemplate.spec.template.spec'),
  },
})

function checkCronJob(errors: FieldErrors, spec: CronJobSpec): void {
  checkSchedule(errors, spec.schedule)
  checkTimeZone(errors, spec.timeZone)
  for (const key of ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit'] as const) {
    errors.nonNegative(`spec.${key}`, spec[key])
  }
  if (!spec.jobTemplate?.spec) return errors.required('spec.jobTemplate.spec.template')
  checkJobTemplate(errors, 'spec.jobTemplate.spec', spec.jobTemplate.spec)
}

function checkSchedule(errors: FieldErrors, schedule: string | undefined): void {
  if (!schedule) return errors.required('spec.schedule')
  if (schedule.includes('TZ')) {
    return errors.invalid('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead')
  }
  try {
    parseCronSchedule(schedule)
  } catch (error) {
    if (!(error instanceof CronScheduleError)) throw error
    errors.invalid('spec.schedule', schedule, error.message)
  }
}

function checkTimeZone(errors: FieldErrors, timeZone: string | undefined): void {
  if (timeZone === undefined) return
  if (timeZone === '') return errors.invalid('spec.timeZone', timeZone, 'timeZone must be nil or non-empty string')
  if (timeZone.toLowerCase() === 'local') {
    const text = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'
    return errors.invalid('spec.timeZone', timeZone, text)
  }
  try {
    Intl.DateTimeFormat('en', { timeZone })
  } catch {
    errors.invalid('spec.timeZone', timeZone, `unknown time zone ${timeZone}`)
  }
}
