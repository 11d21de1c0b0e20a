import type { Pod, Toleration } from '../../api/generated/types.ts'
import { annotationLines, fieldLines, mapLines } from './fields.ts'
import { containerLines, volumeLines } from './pod-template.ts'

/** `describe pod`, without events. */
export function podLines({ metadata, spec, status }: Pod): readonly string[] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)
  const head = fieldLines([
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Priority', String(spec?.priority ?? 0)],
    ['Service Account', spec?.serviceAccountName],
    ['Node', spec?.nodeName ? `${spec.nodeName}/${status?.hostIP ?? ''}` : '<none>'],
    ['Start Time', status?.startTime],
    ['Labels', mapLines(metadata.labels)],
    ['Annotations', annotationLines(metadata.annotations)],
    ['Status', metadata.deletionTimestamp ? `Terminating (since ${metadata.deletionTimestamp})` : status?.phase],
    ['Reason', status?.reason],
    ['Message', status?.message],
    ['IP', status?.podIP ?? ''],
    ['Controlled By', owner && `${owner.kind}/${owner.name}`],
  ])
  const conditions = (status?.conditions ?? []).map(
    ({ type, status, reason, message }) => `  ${type.padEnd(28)}${status}${reason ? `  ${reason}: ${message ?? ''}` : ''}`,
  )
  return [
    ...head,
    ...containerLines('Init Containers', spec?.initContainers, status?.initContainerStatuses),
    ...containerLines('Containers', spec?.containers, status?.containerStatuses),
    ...(conditions.length > 0 ? ['Conditions:', ...conditions] : []),
    ...volumeLines(spec?.volumes),
    ...fieldLines([
      ['QoS Class', status?.qosClass],
      ['Node-Selectors', mapLines(spec?.nodeSelector)],
      ['Tolerations', (spec?.tolerations ?? []).map(tolerationText)],
    ]),
  ]
}

function tolerationText({ key, operator, value, effect, tolerationSeconds }: Toleration): string {
  const what = `${key ?? ''}${value ? `=${value}` : ''}${effect ? `:${effect}` : ''}`
  return `${what}${operator === 'Exists' ? ' op=Exists' : ''}${tolerationSeconds === undefined ? '' : ` for ${tolerationSeconds}s`}`
}
