import type { EndpointSlice, Service, ServicePort } from '../../api/generated/types.ts'
import { annotationLines, fieldLines, mapLines, type Field } from './fields.ts'

/** `describe service`, without events. @param slices its endpoints */
export function serviceLines({ metadata, spec, status }: Service, slices: readonly EndpointSlice[]): readonly string[] {
  const ingress = status?.loadBalancer?.ingress?.map(({ ip, hostname }) => ip ?? hostname ?? '')
  return fieldLines([
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Labels', mapLines(metadata.labels)],
    ['Annotations', annotationLines(metadata.annotations)],
    ['Selector', mapLines(spec?.selector).join(',') || '<none>'],
    ['Type', spec?.type],
    ['IP', spec?.clusterIP],
    ['External Name', spec?.externalName],
    ['LoadBalancer Ingress', ingress && ingress.length > 0 ? ingress.join(', ') : undefined],
    ...(spec?.ports ?? []).flatMap((port) => portFields(port, slices)),
    ['Session Affinity', spec?.sessionAffinity],
  ])
}

function portFields(port: ServicePort, slices: readonly EndpointSlice[]): readonly Field[] {
  const { name, protocol = 'TCP', targetPort, nodePort } = port
  return [
    ['Port', `${name ?? '<unset>'}  ${port.port}/${protocol}`],
    ['TargetPort', `${targetPort ?? port.port}/${protocol}`],
    ['NodePort', nodePort === undefined ? undefined : `${nodePort}/${protocol}`],
    ['Endpoints', endpointsOf(port, slices)],
  ]
}

function endpointsOf(port: ServicePort, slices: readonly EndpointSlice[]): string {
  const found = slices.flatMap((slice) => {
    const target = slice.ports?.find(({ name }) => (name ?? '') === (port.name ?? ''))
    if (!target) return []
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions }) =>
      addresses.map((address) => `${address}:${target.port ?? ''}${conditions?.ready === false ? ' (not ready)' : ''}`),
    )
  })
  return found.length === 0 ? '<none>' : found.join(', ')
}
