import type {
  V2HorizontalPodAutoscaler,
  V2HorizontalPodAutoscalerSpec,
  V2MetricSpec,
  V2MetricStatus,
  V2MetricTarget,
  V2MetricValueStatus,
} from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition } from '../../kind.ts'
import { checkPathSegmentName } from '../../meta/names.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

const SHOWN_METRICS = 2
/** Type of a metric -> field that describes it. */
const SOURCES = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
} as const

const columns: readonly Column<V2HorizontalPodAutoscaler>[] = [
  {
    name: 'Reference',
    type: 'string',
    description: 'What is scaled.',
    value: ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`,
  },
  { name: 'Targets', type: 'string', description: 'Current and wanted value of each metric.', value: targetsCell },
  {
    name: 'MinPods',
    type: 'string',
    description: 'Fewest pods.',
    value: ({ spec }) => (spec?.minReplicas === undefined ? '<unset>' : `${spec.minReplicas}`),
  },
  { name: 'MaxPods', type: 'string', description: 'Most pods.', value: ({ spec }) => spec?.maxReplicas ?? 0 },
  { name: 'Replicas', type: 'string', description: 'Pods that there are.', value: ({ status }) => status?.currentReplicas ?? 0 },
]

export const horizontalPodAutoscalers: KindDefinition<V2HorizontalPodAutoscaler> = defineKind({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
  shortNames: ['hpa'],
  categories: ['all'],
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  status: true,
  columns,
  strategy: {
    prepareForCreate(autoscaler) {
      autoscaler.status = { desiredReplicas: 0, currentMetrics: undefined }
    },
    validate: ({ spec }) => collectErrors((errors) => checkSpec(errors, spec ?? {})),
  },
})

function targetsCell({ spec, status }: V2HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? []
  if (metrics.length === 0) return '<none>'
  const list = metrics.map((metric, i) => metricCell(metric, status?.currentMetrics?.[i]))
  const shown = list.slice(0, SHOWN_METRICS).join(', ')
  return list.length > SHOWN_METRICS ? `${shown} + ${list.length - SHOWN_METRICS} more...` : shown
}

function metricCell(metric: V2MetricSpec, status: V2MetricStatus | undefined): string {
  switch (metric.type) {
    case 'Resource':
    case 'ContainerResource': {
      const key = SOURCES[metric.type]
      return `${metric[key]?.name ?? ''}: ${resourceCell(metric[key]?.target, status?.[key]?.current)}`
    }
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? '<unknown>'}/${metric.pods?.target.averageValue ?? ''}`
    case 'Object':
    case 'External': {
      const key = SOURCES[metric.type]
      return valueCell(metric[key]?.target, status?.[key]?.current)
    }
    default:
      return '<unknown type>'
  }
}

function resourceCell(target: V2MetricTarget | undefined, current: V2MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? '<unknown>'}/${target.averageValue}`
  const percent = (value: number | undefined, none: string): string => (value === undefined ? none : `${value}%`)
  return `${percent(current?.averageUtilization, '<unknown>')}/${percent(target?.averageUtilization, '<auto>')}`
}

function valueCell(target: V2MetricTarget | undefined, current: V2MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? '<unknown>'}/${target.averageValue} (avg)`
  return `${current?.value ?? '<unknown>'}/${target?.value ?? ''}`
}

function checkSpec(errors: FieldErrors, spec: Partial<V2HorizontalPodAutoscalerSpec>): void {
  const { minReplicas, maxReplicas = 0, scaleTargetRef } = spec
  if (minReplicas !== undefined && minReplicas < 1) errors.invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1')
  if (maxReplicas < 1) errors.invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0')
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')
  }
  for (const key of ['kind', 'name'] as const) {
    const value = scaleTargetRef?.[key]
    if (!value) errors.required(`spec.scaleTargetRef.${key}`)
    else errors.invalidEach(`spec.scaleTargetRef.${key}`, value, checkPathSegmentName(value))
  }
  spec.metrics?.forEach((metric, i) => checkMetric(errors, `spec.metrics[${i}]`, metric))
  for (const key of ['scaleUp', 'scaleDown'] as const) checkRules(errors, `spec.behavior.${key}`, spec.behavior?.[key])
}

function checkMetric(errors: FieldErrors, field: string, metric: V2MetricSpec): void {
  if (!metric.type) return errors.required(`${field}.type`, 'must specify a metric source type')
  if (!Object.hasOwn(SOURCES, metric.type)) return
  const wanted = SOURCES[metric.type as keyof typeof SOURCES]
  for (const key of Object.values(SOURCES)) {
    if (key !== wanted && metric[key]) errors.forbidden(`${field}.${key}`, 'must populate the given metric source only')
  }
  const source = metric[wanted]
  if (!source) return errors.required(`${field}.${wanted}`, 'must populate information for the given metric source')
  if ('name' in source && !source.name) errors.required(`${field}.${wanted}.name`, 'must specify a resource name')
  checkTarget(errors, `${field}.${wanted}.target`, source.target)
}

function checkTarget(errors: FieldErrors, field: string, target: V2MetricTarget | undefined): void {
  if (!target?.type) return errors.required(`${field}.type`, 'must specify a metric target type')
  const { averageUtilization, averageValue, value } = target
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.invalid(`${field}.averageUtilization`, averageUtilization, 'must be greater than 0')
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    errors.forbidden(`${field}.averageValue`, 'may not set both a target raw value and a target utilization')
  }
  if (averageUtilization === undefined && averageValue === undefined && value === undefined) {
    errors.required(`${field}.averageUtilization`, 'must set either a target raw value or a target utilization')
  }
}

type Rules = NonNullable<NonNullable<V2HorizontalPodAutoscalerSpec['behavior']>['scaleUp']>

function checkRules(errors: FieldErrors, field: string, rules: Rules | undefined): void {
  if (!rules) return
  errors.nonNegative(`${field}.stabilizationWindowSeconds`, rules.stabilizationWindowSeconds)
  if ((rules.stabilizationWindowSeconds ?? 0) > 3600) {
    errors.invalid(`${field}.stabilizationWindowSeconds`, rules.stabilizationWindowSeconds, 'must be less than or equal to 3600')
  }
  if (!rules.policies?.length) errors.required(`${field}.policies`, 'must specify at least one Policy')
  rules.policies?.forEach((policy, i) => {
    errors.positive(`${field}.policies[${i}].value`, policy.value)
    errors.positive(`${field}.policies[${i}].periodSeconds`, policy.periodSeconds)
    if (policy.periodSeconds > 1800) {
      errors.invalid(`${field}.policies[${i}].periodSeconds`, policy.periodSeconds, 'must be less than or equal to 1800')
    }
  })
}
