import type { Pod } from '../../generated/types.ts'
import { defineKind, type FieldError, type KindDefinition, type Strategy, type StrategyContext } from '../../kind.ts'
import { podPhaseIsTerminal, qosClassOf } from '../../pod-status.ts'
import { podColumns } from '../../print/pod-columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkPodSpec } from '../../validation/pod-spec.ts'
import { checkEphemeralContainersUpdate, checkPodStatusUpdate, checkPodUpdate } from '../../validation/pod-update.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'
import { admitPod, setPodDefaults } from './pod-defaults.ts'

const strategy: Strategy<Pod> = {
  setDefaults: setPodDefaults,
  prepareForCreate(pod) {
    if (pod.spec) admitPod(pod.spec)
    pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) }
    if (pod.spec?.schedulingGates?.length) pod.status.conditions = [GATED]
  },
  prepareForUpdate(next, previous, { subresource }) {
    // the class is decided once, when the pod is made: a status written by somebody who does not know it keeps it
    if (subresource === 'status' && next.status) next.status.qosClass ??= previous.status?.qosClass
  },
  validate: (pod) =>
    collectErrors((errors) => checkPodSpec(errors, 'spec', pod.spec ?? NO_SPEC, { podName: pod.metadata.name, isPod: true })),
  validateUpdate,
  warnings: (pod) => podSpecWarnings(pod.spec, 'spec'),
  gracePeriodSeconds(pod, asked) {
    const seconds = asked ?? pod.spec?.terminationGracePeriodSeconds ?? 0
    // nobody has to be waited for: it never ran or has ended
    if (!pod.spec?.nodeName || podPhaseIsTerminal(pod.status?.phase)) return 0
    return seconds < 0 ? 1 : seconds
  },
}

export const pods: KindDefinition<Pod> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.Pod',
  status: true,
  columns: podColumns,
  fieldSelectors: {
    'spec.nodeName': (pod) => pod.spec?.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec?.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec?.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.podIPs': (pod) => (pod.status?.podIPs ?? []).map((one) => one.ip).join(','),
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
  strategy,
})

const NO_SPEC = { containers: [] }

const GATED = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
}

function validateUpdate(next: Pod, previous: Pod, context: StrategyContext): readonly FieldError[] {
  return collectErrors((errors) => {
    const [spec, old] = [next.spec ?? NO_SPEC, previous.spec ?? NO_SPEC]
    if (context.subresource === '') checkPodUpdate(errors, spec, old)
    if (context.subresource === 'status') checkPodStatusUpdate(errors, next, previous)
    if (context.subresource === 'ephemeralcontainers') checkEphemeralContainersUpdate(errors, spec, old)
  })
}
