import { describe, expect, test } from 'vitest'
import { created, refusals, updateRefusals } from '../../validation/create-as-server.ts'
import { cronJobs } from './cron-job.ts'
import { CronScheduleError, parseCronSchedule, type CronFields } from './cron-schedule.ts'
import { jobs } from './job.ts'

const template = { metadata: { labels: { app: 'x' } }, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i:1' }] } }
const job = (spec: object = {}): object => ({ metadata: { name: 'x' }, spec: { template, ...spec } })
const cronJob = (spec: object = {}, name = 'x'): object => ({
  metadata: { name },
  spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template } }, ...spec },
})

test('a job selects by its uid', () => {
  const labels = {
    app: 'x',
    'batch.kubernetes.io/controller-uid': 'uid-1',
    'batch.kubernetes.io/job-name': 'x',
    'controller-uid': 'uid-1',
    'job-name': 'x',
  }
  const object = created(jobs, job())
  expect(object).toMatchObject({
    metadata: { labels: { app: 'x' } },
    spec: { completions: 1, parallelism: 1, backoffLimit: 6, completionMode: 'NonIndexed', suspend: false, manualSelector: false },
    status: {},
  })
  expect(object.spec?.template.metadata?.labels).toEqual(labels)
  expect(object.spec?.selector).toEqual({ matchLabels: { 'batch.kubernetes.io/controller-uid': 'uid-1' } })
  expect(refusals(jobs, job())).toEqual([])
})

test.each([
  [
    { template: { ...template, spec: { ...template.spec, restartPolicy: undefined } } },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  [{ parallelism: -1 }, ['spec.parallelism: Invalid value: -1: must be greater than or equal to 0']],
  [{ completionMode: 'Indexed', parallelism: 1 }, ['spec.completions: Required value: when completion mode is Indexed']],
  [{ completionMode: 'Odd' }, ['spec.completionMode: Unsupported value: "Odd": supported values: "Indexed", "NonIndexed"']],
  [
    { manualSelector: true, selector: { matchLabels: { app: 'y' } } },
    ['spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'],
  ],
  [{ manualSelector: true }, ['spec.selector: Required value']],
])('a job with %j', (spec, errors) => {
  expect(refusals(jobs, job(spec))).toEqual(errors)
})

test('the pods of a job are fixed, how many run at once is not', () => {
  const update = (change: (spec: any) => void, before: object = {}): string[] =>
    updateRefusals(jobs, job(before), ({ spec }) => change(spec))
  expect(update((spec) => Object.assign(spec, { parallelism: 3, suspend: true, backoffLimit: 1 }))).toEqual([])
  expect(update((spec) => (spec.completions = 5))).toEqual(['spec.completions: Invalid value: 5: field is immutable'])
  const [error] = update((spec) => (spec.template.spec.containers[0].image = 'i:2'))
  expect(error).toMatch(/^spec\.template: Invalid value: .*: field is immutable$/)
  expect(update((spec) => (spec.template.spec.nodeSelector = { a: 'b' }), { suspend: true })).toEqual([])
  const indexed = { completionMode: 'Indexed', completions: 2, parallelism: 2 }
  expect(update((spec) => Object.assign(spec, { completions: 3, parallelism: 3 }), indexed)).toEqual([])
  expect(update((spec) => (spec.completions = 3), indexed)).toEqual([
    'spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism',
  ])
})

test.each([
  [{}, []],
  [{ schedule: '' }, ['spec.schedule: Required value']],
  [{ schedule: '* * *' }, ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]']],
  [
    { schedule: 'TZ=UTC * * * * *' },
    ['spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
  ],
  [{ timeZone: 'Mars/Olympus' }, ['spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus']],
  [{ timeZone: 'Europe/Berlin', concurrencyPolicy: 'Forbid' }, []],
  [{ concurrencyPolicy: 'Maybe' }, ['spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"']],
  [
    { jobTemplate: { spec: { template: { ...template, spec: { containers: [] } } } } },
    [
      'spec.jobTemplate.spec.template.spec.containers: Required value',
      'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
  ],
])('a cron job with %j', (spec, errors) => {
  expect(refusals(cronJobs, cronJob(spec))).toEqual(errors)
})

test('jobs are named after their cron job, so its name is shorter', () => {
  expect(refusals(cronJobs, cronJob({}, 'x'.repeat(52)))).toEqual([])
  expect(refusals(cronJobs, cronJob({}, 'x'.repeat(53)))).toEqual([
    `metadata.name: Invalid value: "${'x'.repeat(53)}": must be no more than 52 characters`,
  ])
})

describe('a schedule', () => {
  test('has sets of values', () => {
    const fields = parseCronSchedule('0,30 9-17/4 1 jan,DEC mon-fri') as CronFields
    expect([...fields.minutes]).toEqual([0, 30])
    expect([...fields.hours]).toEqual([9, 13, 17])
    expect([...fields.daysOfMonth]).toEqual([1])
    expect([...fields.months]).toEqual([1, 12])
    expect([...fields.daysOfWeek]).toEqual([1, 2, 3, 4, 5])
    expect(fields.restrictsDays).toBe(true)
    expect((parseCronSchedule('5/20 * ? * *') as CronFields).minutes).toEqual(new Set([5, 25, 45]))
  })

  test('may be a word or a duration', () => {
    expect(parseCronSchedule('@daily')).toEqual(parseCronSchedule('0 0 * * *'))
    expect(parseCronSchedule('@every 1h30m')).toEqual({ everyMs: 5_400_000 })
  })

  test.each([
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-3 * * * *', 'beginning of range (5) beyond end of range (3): 5-3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['@often', 'unrecognized descriptor: @often'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ])('%s has no meaning', (text, why) => {
    expect(() => parseCronSchedule(text)).toThrow(new CronScheduleError(why))
  })
})
