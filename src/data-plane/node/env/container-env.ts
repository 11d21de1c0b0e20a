import type { ConfigMap, Container, Pod, Secret } from '../../../api/generated/types.ts'
import { ContainerConfigError } from '../pods/container-config-error.ts'
import { expandAll } from '../recipes/expand.ts'
import { fieldValue, resourceFieldValue, type NodeFacts } from '../volumes/downward.ts'

export interface EnvSources {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>
  secret(namespace: string, name: string): Promise<Secret | undefined>
}

export interface EnvContext {
  readonly pod: Pod
  readonly facts: NodeFacts
  /** Of the image, or what stands for it; the weakest. */
  readonly imageEnv: Readonly<Record<string, string>>
  /** `SVC_SERVICE_HOST` and so on; weaker than what the manifest says. */
  readonly serviceEnv: Readonly<Record<string, string>>
}

/**
 * The environment of a container: image, services, envFrom in order, then env in order with `$(VAR)` expanded from what
 * came before. Source: kubernetes/pkg/kubelet/kubelet_pods.go makeEnvironmentVariables.
 * @throws ContainerConfigError `CreateContainerConfigError` for a missing ConfigMap, Secret or key that is not optional
 */
export async function containerEnv(container: Container, context: EnvContext, sources: EnvSources): Promise<Record<string, string>> {
  const { pod, facts } = context
  const namespace = pod.metadata.namespace ?? ''
  const env: Record<string, string> = { ...context.imageEnv, ...context.serviceEnv }
  for (const from of container.envFrom ?? []) {
    if (from.configMapRef) {
      const map = await sources.configMap(namespace, from.configMapRef.name ?? '')
      if (!map && !from.configMapRef.optional)
        throw new ContainerConfigError('CreateContainerConfigError', `configmap "${from.configMapRef.name}" not found`)
      for (const [key, value] of Object.entries(map?.data ?? {})) env[`${from.prefix ?? ''}${key}`] = value
    }
    if (from.secretRef) {
      const secret = await sources.secret(namespace, from.secretRef.name ?? '')
      if (!secret && !from.secretRef.optional)
        throw new ContainerConfigError('CreateContainerConfigError', `secret "${from.secretRef.name}" not found`)
      for (const [key, value] of Object.entries(secret?.data ?? {}))
        env[`${from.prefix ?? ''}${key}`] = Buffer.from(value, 'base64').toString()
    }
  }
  for (const variable of container.env ?? []) {
    const source = variable.valueFrom
    if (!source) env[variable.name] = expandAll([variable.value ?? ''], env)[0] ?? ''
    else if (source.fieldRef) env[variable.name] = fieldValue(pod, source.fieldRef.fieldPath, facts)
    else if (source.resourceFieldRef) env[variable.name] = resourceFieldValue(pod, source.resourceFieldRef, container.name, facts)
    else if (source.configMapKeyRef) {
      const value = await keyOf(
        { kind: 'ConfigMap', namespace, ref: source.configMapKeyRef },
        async (name) => (await sources.configMap(namespace, name))?.data,
      )
      if (value !== undefined) env[variable.name] = value
    } else if (source.secretKeyRef) {
      const value = await keyOf(
        { kind: 'Secret', namespace, ref: source.secretKeyRef },
        async (name) => (await sources.secret(namespace, name))?.data,
      )
      if (value !== undefined) env[variable.name] = Buffer.from(value, 'base64').toString()
    }
  }
  return env
}

interface KeyRef {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly namespace: string
  readonly ref: { readonly name?: string | undefined; readonly key: string; readonly optional?: boolean | undefined }
}

async function keyOf(
  { kind, namespace, ref }: KeyRef,
  data: (name: string) => Promise<Readonly<Record<string, string>> | undefined>,
): Promise<string | undefined> {
  const found = await data(ref.name ?? '')
  const value = found?.[ref.key]
  if (value !== undefined || ref.optional) return value
  const message = found
    ? `couldn't find key ${ref.key} in ${kind} ${namespace}/${ref.name}`
    : `${kind.toLowerCase()} "${ref.name}" not found`
  throw new ContainerConfigError('CreateContainerConfigError', message)
}
