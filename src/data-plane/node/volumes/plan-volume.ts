import type { ConfigMap, KeyToPath, Pod, Secret, ServiceAccount, Volume } from '../../../api/generated/types.ts'
import { ContainerConfigError } from '../pods/container-config-error.ts'
import { fieldValue, resourceFieldValue } from './downward.ts'

/** Where a planned volume's bytes come from. */
export type VolumePlan =
  /** Files written by the agent, replaced as one when they change. */
  | { readonly type: 'files'; readonly files: readonly VolumeFile[]; readonly secret: boolean }
  | { readonly type: 'emptyDir'; readonly memory: boolean }
  | { readonly type: 'hostPath'; readonly path: string; readonly kind: string }

export interface VolumeFile {
  /** Relative, without `..`. */
  readonly path: string
  readonly content: Buffer
  readonly mode: number
}

/** What volumes may refer to, looked up by the agent. Undefined: not there (yet). */
export interface VolumeSources {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>
  secret(namespace: string, name: string): Promise<Secret | undefined>
  serviceAccountToken(
    pod: Pod,
    account: string,
    options: { readonly audience?: string; readonly expirationSeconds: number },
  ): Promise<string>
  serviceAccount(namespace: string, name: string): Promise<ServiceAccount | undefined>
}

const DEFAULT_MODE = 0o644

/**
 * What one volume of a pod amounts to on this node.
 * @throws ContainerConfigError `CreateContainerConfigError` while a ConfigMap or Secret it needs is missing; `UnsupportedVolume` for kinds a process node cannot give
 */
export async function planVolume(volume: Volume, pod: Pod, sources: VolumeSources): Promise<VolumePlan> {
  if (volume.emptyDir) return { type: 'emptyDir', memory: volume.emptyDir.medium === 'Memory' }
  if (volume.hostPath) return { type: 'hostPath', path: volume.hostPath.path, kind: volume.hostPath.type ?? '' }
  if (volume.configMap) {
    const { name, items, optional, defaultMode } = volume.configMap
    const map = await sources.configMap(pod.metadata.namespace ?? '', name ?? '')
    return { type: 'files', secret: false, files: configMapFiles(map, name ?? '', { items, optional, mode: defaultMode ?? DEFAULT_MODE }) }
  }
  if (volume.secret) {
    const { secretName, items, optional, defaultMode } = volume.secret
    const secret = await sources.secret(pod.metadata.namespace ?? '', secretName ?? '')
    return {
      type: 'files',
      secret: true,
      files: secretFiles(secret, secretName ?? '', { items, optional, mode: defaultMode ?? DEFAULT_MODE }),
    }
  }
  if (volume.downwardAPI)
    return {
      type: 'files',
      secret: false,
      files: downwardFiles(volume.downwardAPI.items ?? [], pod, volume.downwardAPI.defaultMode ?? DEFAULT_MODE),
    }
  if (volume.projected) return { type: 'files', secret: true, files: await projectedFiles(volume, pod, sources) }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'
  throw new ContainerConfigError(
    'UnsupportedVolume',
    `volume "${volume.name}" is of kind ${kind}, which process pods cannot mount; use emptyDir, hostPath, configMap, secret, downwardAPI or projected`,
  )
}

interface Selection {
  readonly items?: readonly KeyToPath[] | undefined
  readonly optional?: boolean | undefined
  readonly mode: number
}

function configMapFiles(map: ConfigMap | undefined, name: string, selection: Selection): VolumeFile[] {
  if (!map) return missing('configmap', name, selection.optional)
  const all = new Map<string, Buffer>()
  for (const [key, value] of Object.entries(map.data ?? {})) all.set(key, Buffer.from(value))
  for (const [key, value] of Object.entries(map.binaryData ?? {})) all.set(key, Buffer.from(value, 'base64'))
  return select(all, `configmap "${name}"`, selection)
}

function secretFiles(secret: Secret | undefined, name: string, selection: Selection): VolumeFile[] {
  if (!secret) return missing('secret', name, selection.optional)
  const all = new Map(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
  return select(all, `secret "${name}"`, selection)
}

function missing(kind: string, name: string, optional: boolean | undefined): VolumeFile[] {
  if (optional) return []
  throw new ContainerConfigError('ContainerCreating', `${kind} "${name}" not found`)
}

function select(all: ReadonlyMap<string, Buffer>, what: string, selection: Selection): VolumeFile[] {
  if (!selection.items) return [...all].map(([path, content]) => ({ path, content, mode: selection.mode }))
  const files: VolumeFile[] = []
  for (const item of selection.items) {
    const content = all.get(item.key)
    if (content) files.push({ path: item.path, content, mode: item.mode ?? selection.mode })
    else if (!selection.optional) throw new ContainerConfigError('ContainerCreating', `${what} references non-existent key: ${item.key}`)
  }
  return files
}

function downwardFiles(items: NonNullable<NonNullable<Volume['downwardAPI']>['items']>, pod: Pod, mode: number): VolumeFile[] {
  return items.map((item) => {
    const text = item.fieldRef
      ? fieldValue(pod, item.fieldRef.fieldPath, {})
      : item.resourceFieldRef
        ? resourceFieldValue(pod, item.resourceFieldRef, item.resourceFieldRef.containerName ?? '')
        : ''
    return { path: item.path, content: Buffer.from(text), mode: item.mode ?? mode }
  })
}

async function projectedFiles(volume: Volume, pod: Pod, sources: VolumeSources): Promise<VolumeFile[]> {
  const mode = volume.projected?.defaultMode ?? DEFAULT_MODE
  const namespace = pod.metadata.namespace ?? ''
  const files: VolumeFile[] = []
  for (const source of volume.projected?.sources ?? []) {
    if (source.configMap)
      files.push(
        ...configMapFiles(await sources.configMap(namespace, source.configMap.name ?? ''), source.configMap.name ?? '', {
          ...source.configMap,
          mode,
        }),
      )
    if (source.secret)
      files.push(
        ...secretFiles(await sources.secret(namespace, source.secret.name ?? ''), source.secret.name ?? '', { ...source.secret, mode }),
      )
    if (source.downwardAPI) files.push(...downwardFiles(source.downwardAPI.items ?? [], pod, mode))
    if (source.serviceAccountToken) {
      const { audience, expirationSeconds, path } = source.serviceAccountToken
      const token = await sources.serviceAccountToken(pod, pod.spec?.serviceAccountName ?? 'default', {
        ...(audience ? { audience } : {}),
        expirationSeconds: expirationSeconds ?? 3600,
      })
      files.push({ path, content: Buffer.from(token), mode })
    }
  }
  return files
}
