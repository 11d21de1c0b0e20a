import type { Container, EphemeralContainer, Pod, Volume } from '../../../api/generated/types.ts'

/** Names of the `configmaps`, `secrets` or `serviceaccounts` in the pod's namespace that the pod refers to. Source: upstream node authorizer graph. */
export function references(pod: Pod, resource: string): ReadonlySet<string> {
  const spec = pod.spec
  const names = new Set<string>()
  if (!spec) return names
  if (resource === 'serviceaccounts') names.add(spec.serviceAccountName ?? 'default')
  if (resource !== 'configmaps' && resource !== 'secrets') return names
  const add = (name: string | undefined): unknown => name && names.add(name)
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    addFromEnvironment(container, resource, add)
  }
  for (const volume of spec.volumes ?? []) addFromVolume(volume, resource, add)
  if (resource === 'secrets') for (const secret of spec.imagePullSecrets ?? []) add(secret.name)
  // the root certificates that every pod's projected token volume shows
  if (resource === 'configmaps') add('kube-root-ca.crt')
  return names
}

type Add = (name: string | undefined) => unknown

function addFromEnvironment(container: Container | EphemeralContainer, resource: 'configmaps' | 'secrets', add: Add): void {
  const secrets = resource === 'secrets'
  for (const source of container.envFrom ?? []) add(secrets ? source.secretRef?.name : source.configMapRef?.name)
  for (const { valueFrom } of container.env ?? []) add(secrets ? valueFrom?.secretKeyRef?.name : valueFrom?.configMapKeyRef?.name)
}

function addFromVolume(volume: Volume, resource: 'configmaps' | 'secrets', add: Add): void {
  const projected = volume.projected?.sources ?? []
  if (resource === 'secrets') {
    add(volume.secret?.secretName)
    for (const source of projected) add(source.secret?.name)
  } else {
    add(volume.configMap?.name)
    for (const source of projected) add(source.configMap?.name)
  }
}
