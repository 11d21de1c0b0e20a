import type { StatefulSet, StatefulSetSpec } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { containerColumns } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkWorkload } from '../../validation/pod-template.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'
import { semanticEqual } from '../../validation/semantic-equal.ts'
import { setTemplateDefaults } from '../../core/v1/pod-defaults.ts'

const columns: readonly Column<StatefulSet>[] = [
  {
    name: 'Ready',
    type: 'string',
    description: 'Number of the pod with ready state',
    value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
  },
  ...containerColumns<StatefulSet>(({ spec }) => spec?.template?.spec),
]

/** What may change once a StatefulSet exists, in the order upstream names them. */
const MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

const strategy: Strategy<StatefulSet> = {
  setDefaults: ({ spec }) => setTemplateDefaults(spec?.template),
  prepareForCreate(statefulSet) {
    statefulSet.status = { replicas: 0, availableReplicas: 0 }
  },
  validate: (statefulSet) => collectErrors((errors) => checkStatefulSet(errors, statefulSet.spec ?? EMPTY)),
  validateUpdate: (next, previous) =>
    collectErrors((errors) => {
      if (semanticEqual(fixedPart(next.spec), fixedPart(previous.spec))) return
      const list = MUTABLE.map((name) => `'${name}'`)
      const text = `updates to statefulset spec for fields other than ${list.slice(0, -1).join(', ')} and ${list.at(-1)} are forbidden`
      errors.forbidden('spec', text)
    }),
  warnings: (statefulSet) => podSpecWarnings(statefulSet.spec?.template?.spec, 'spec.template.spec'),
}

export const statefulSets: KindDefinition<StatefulSet> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  namespaced: true,
  shortNames: ['sts'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  status: true,
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', selectorPath: '.spec.selector' },
  columns,
  strategy,
})

const EMPTY = {} as StatefulSetSpec

function checkStatefulSet(errors: FieldErrors, spec: StatefulSetSpec): void {
  const { updateStrategy } = spec
  if (updateStrategy?.type === 'OnDelete' && updateStrategy.rollingUpdate) {
    const text = "only allowed for updateStrategy 'RollingUpdate'"
    errors.invalid('spec.updateStrategy.rollingUpdate', updateStrategy.rollingUpdate, text)
  }
  errors.nonNegative('spec.updateStrategy.rollingUpdate.partition', updateStrategy?.rollingUpdate?.partition)
  for (const key of ['replicas', 'minReadySeconds', 'revisionHistoryLimit'] as const) errors.nonNegative(`spec.${key}`, spec[key])
  errors.nonNegative('spec.ordinals.start', spec.ordinals?.start)
  const claims = (spec.volumeClaimTemplates ?? []).map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claim.metadata.name },
  }))
  checkWorkload(errors, 'spec', withClaims(spec, claims), { kind: 'StatefulSet' })
}

/** Claims made from templates become volumes of the pods and may be mounted; they win over volumes of the same name. */
function withClaims(
  spec: StatefulSetSpec,
  claims: readonly { name: string; persistentVolumeClaim: { claimName: string } }[],
): StatefulSetSpec {
  const podSpec = spec.template?.spec
  if (!podSpec || claims.length === 0) return spec
  const own = (podSpec.volumes ?? []).filter((volume) => !claims.some((claim) => claim.name === volume.name))
  return { ...spec, template: { ...spec.template, spec: { ...podSpec, volumes: [...own, ...claims] } } }
}

function fixedPart(spec: StatefulSetSpec | undefined): unknown {
  return Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !MUTABLE.includes(key)))
}
