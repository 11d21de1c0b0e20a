import type { Deployment, DeploymentSpec, DeploymentStrategy } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkWorkload } from '../../validation/pod-template.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'
import { setTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { checkCountOrPercent, checkShare, isZero, workloadColumns } from './workload.ts'

const columns: readonly Column<Deployment>[] = [
  {
    name: 'Ready',
    type: 'string',
    description: 'Number of the pod with ready state',
    value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
  },
  {
    name: 'Up-to-date',
    type: 'string',
    description: 'Pods that have the desired template.',
    value: ({ status }) => status?.updatedReplicas ?? 0,
  },
  {
    name: 'Available',
    type: 'string',
    description: 'Pods that have been ready for at least minReadySeconds.',
    value: ({ status }) => status?.availableReplicas ?? 0,
  },
  ...workloadColumns<Deployment>(),
]

const strategy: Strategy<Deployment> = {
  setDefaults: ({ spec }) => setTemplateDefaults(spec?.template),
  prepareForCreate(deployment) {
    deployment.status = {}
  },
  validate: (deployment) => collectErrors((errors) => checkDeployment(errors, deployment.spec ?? EMPTY)),
  validateUpdate: (next, previous) =>
    collectErrors((errors) => errors.immutable('spec.selector', next.spec?.selector, previous.spec?.selector)),
  warnings: (deployment) => podSpecWarnings(deployment.spec?.template?.spec, 'spec.template.spec'),
}

export const deployments: KindDefinition<Deployment> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
  shortNames: ['deploy'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.Deployment',
  status: true,
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', selectorPath: '.spec.selector' },
  columns,
  strategy,
})

const EMPTY = {} as DeploymentSpec

function checkDeployment(errors: FieldErrors, spec: DeploymentSpec): void {
  for (const key of ['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'] as const) {
    errors.nonNegative(`spec.${key}`, spec[key])
  }
  checkWorkload(errors, 'spec', spec, { kind: 'ReplicaSet' })
  checkStrategy(errors, spec.strategy ?? {})
  const deadline = spec.progressDeadlineSeconds
  if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
    errors.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')
  }
}

function checkStrategy(errors: FieldErrors, { type, rollingUpdate }: DeploymentStrategy): void {
  const field = 'spec.strategy.rollingUpdate'
  if (type === 'Recreate' && rollingUpdate) {
    return errors.forbidden(field, "may not be specified when strategy `type` is 'Recreate'")
  }
  if (type !== 'RollingUpdate') return
  if (!rollingUpdate) return errors.required(field, 'this should be defaulted and never be nil')
  checkShare(errors, `${field}.maxUnavailable`, rollingUpdate.maxUnavailable)
  checkCountOrPercent(errors, `${field}.maxSurge`, rollingUpdate.maxSurge)
  if (isZero(rollingUpdate.maxUnavailable) && isZero(rollingUpdate.maxSurge)) {
    errors.invalid(`${field}.maxUnavailable`, rollingUpdate.maxUnavailable, 'may not be 0 when `maxSurge` is 0')
  }
}
