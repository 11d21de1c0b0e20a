import type { Deployment, ReplicaSet } from '../../api/generated/types.ts'
import { formatLabelSelector } from '../../api/meta/selector.ts'
import { annotationLines, fieldLines, mapLines } from './fields.ts'
import { containerLines, volumeLines } from './pod-template.ts'

const HASH_LABEL = 'pod-template-hash'

/** `describe deployment`, without events. @param sets its replica sets */
export function deploymentLines({ metadata, spec, status }: Deployment, sets: readonly ReplicaSet[]): readonly string[] {
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, unavailableReplicas = 0 } = status ?? {}
  const rolling = spec?.strategy?.rollingUpdate
  const revision = metadata.annotations?.['deployment.kubernetes.io/revision']
  // the newest has the revision of the deployment
  const current = sets.find((set) => set.metadata.annotations?.['deployment.kubernetes.io/revision'] === revision)
  const old = sets.filter((set) => set !== current && (set.spec?.replicas ?? 0) > 0)
  const setText = (set: ReplicaSet): string =>
    `${set.metadata.name} (${set.status?.replicas ?? 0}/${set.spec?.replicas ?? 0} replicas created)`
  const conditions = (status?.conditions ?? []).map(({ type, status, reason }) => `  ${type.padEnd(16)}${status.padEnd(8)}${reason ?? ''}`)
  const template = spec?.template
  const { [HASH_LABEL]: _hash, ...labels } = template?.metadata?.labels ?? {}
  return [
    ...fieldLines([
      ['Name', metadata.name],
      ['Namespace', metadata.namespace],
      ['CreationTimestamp', metadata.creationTimestamp],
      ['Labels', mapLines(metadata.labels)],
      ['Annotations', annotationLines(metadata.annotations)],
      ['Selector', formatLabelSelector(spec?.selector)],
      [
        'Replicas',
        `${spec?.replicas ?? 1} desired | ${updatedReplicas} updated | ${replicas} total | ${availableReplicas} available | ${unavailableReplicas} unavailable`,
      ],
      ['StrategyType', spec?.strategy?.type],
      ['MinReadySeconds', String(spec?.minReadySeconds ?? 0)],
      ['RollingUpdateStrategy', rolling && `${rolling.maxUnavailable ?? '25%'} max unavailable, ${rolling.maxSurge ?? '25%'} max surge`],
      ['Paused', spec?.paused ? 'True' : undefined],
    ]),
    'Pod Template:',
    ...fieldLines([['Labels', mapLines(labels)]], 2),
    ...[
      ...containerLines('Init Containers', template?.spec?.initContainers),
      ...containerLines('Containers', template?.spec?.containers),
      ...volumeLines(template?.spec?.volumes),
    ].map((line) => `  ${line}`),
    ...(conditions.length > 0 ? ['Conditions:', ...conditions] : []),
    ...fieldLines([
      ['OldReplicaSets', old.length > 0 ? old.map(setText) : '<none>'],
      ['NewReplicaSet', current ? setText(current) : '<none>'],
    ]),
  ]
}
