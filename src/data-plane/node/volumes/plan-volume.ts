import type { ConfigMap, KeyToPath, Pod, Secret, Volume } from '../../../api/generated/types.ts'
import { fieldValue, resourceFieldValue, type NodeFacts } from './downward.ts'

/** Where a planned volume's bytes come from. */
export type VolumePlan =
  /** Files written by the agent, replaced as one when they change. */
  | { readonly type: 'files'; readonly files: readonly VolumeFile[] }
  | { readonly type: 'emptyDir' }
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
}

const DEFAULT_MODE = 0o644

/** What planning needs besides the pod. */
export interface VolumeContext {
  readonly sources: VolumeSources
  readonly facts: NodeFacts
}

/** Whether a volume consists of files that the agent writes, and writes again when their source changes. */
export function isRefreshed(volume: Volume): boolean {
  return Boolean(volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected)
}

/**
 * What one volume of a pod amounts to on this node.
 * @throws Error while something it refers to is missing, and for kinds of volumes that a process node cannot give
 */
export async function planVolume(volume: Volume, pod: Pod, context: VolumeContext): Promise<VolumePlan> {
  const { sources } = context
  const namespace = pod.metadata.namespace ?? ''
  if (volume.emptyDir) return { type: 'emptyDir' }
  if (volume.hostPath) return { type: 'hostPath', path: volume.hostPath.path, kind: volume.hostPath.type ?? '' }
  if (volume.configMap) {
    const { name = '', items, optional, defaultMode } = volume.configMap
    const map = await sources.configMap(namespace, name)
    return { type: 'files', files: configMapFiles(map, name, { items, optional, mode: defaultMode ?? DEFAULT_MODE }) }
  }
  if (volume.secret) {
    const { secretName = '', items, optional, defaultMode } = volume.secret
    const secret = await sources.secret(namespace, secretName)
    return { type: 'files', files: secretFiles(secret, secretName, { items, optional, mode: defaultMode ?? DEFAULT_MODE }) }
  }
  if (volume.downwardAPI) {
    const { items = [], defaultMode } = volume.downwardAPI
    return { type: 'files', files: downwardFiles(items, pod, { facts: context.facts, mode: defaultMode ?? DEFAULT_MODE }) }
  }
  if (volume.projected) return { type: 'files', files: await projectedFiles(volume, pod, context) }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'
  throw new Error(
    `volumes of kind ${kind} cannot be mounted by process pods: use emptyDir, hostPath, configMap, secret, downwardAPI or projected`,
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
  throw new Error(`${kind} "${name}" not found`)
}

function select(all: ReadonlyMap<string, Buffer>, what: string, selection: Selection): VolumeFile[] {
  if (!selection.items) return [...all].map(([path, content]) => ({ path, content, mode: selection.mode }))
  const files: VolumeFile[] = []
  for (const item of selection.items) {
    const content = all.get(item.key)
    if (content) files.push({ path: item.path, content, mode: item.mode ?? selection.mode })
    else if (!selection.optional) throw new Error(`${what} references non-existent key: ${item.key}`)
  }
  return files
}

function downwardFiles(
  items: NonNullable<NonNullable<Volume['downwardAPI']>['items']>,
  pod: Pod,
  options: { readonly facts: NodeFacts; readonly mode: number },
): VolumeFile[] {
  return items.map((item) => {
    const text = item.fieldRef
      ? fieldValue(pod, item.fieldRef.fieldPath, options.facts)
      : item.resourceFieldRef
        ? resourceFieldValue(pod, item.resourceFieldRef, item.resourceFieldRef.containerName ?? '', options.facts)
        : ''
    return { path: item.path, content: Buffer.from(text), mode: item.mode ?? options.mode }
  })
}

async function projectedFiles(volume: Volume, pod: Pod, context: VolumeContext): Promise<VolumeFile[]> {
  const { sources, facts } = context
  const mode = volume.projected?.defaultMode ?? DEFAULT_MODE
  const namespace = pod.metadata.namespace ?? ''
  const files = new Map<string, VolumeFile>()
  // a later source wins over an earlier one, as upstream has it
  const add = (more: readonly VolumeFile[]): void => more.forEach((file) => files.set(file.path, file))
  for (const { configMap, secret, downwardAPI, serviceAccountToken } of volume.projected?.sources ?? []) {
    if (configMap) {
      const name = configMap.name ?? ''
      add(configMapFiles(await sources.configMap(namespace, name), name, { ...configMap, mode }))
    }
    if (secret) add(secretFiles(await sources.secret(namespace, secret.name ?? ''), secret.name ?? '', { ...secret, mode }))
    if (downwardAPI) add(downwardFiles(downwardAPI.items ?? [], pod, { facts, mode }))
    if (serviceAccountToken) {
      const { audience, expirationSeconds, path } = serviceAccountToken
      const options = { ...(audience ? { audience } : {}), expirationSeconds: expirationSeconds ?? 3600 }
      const token = await sources.serviceAccountToken(pod, pod.spec?.serviceAccountName ?? 'default', options)
      add([{ path, content: Buffer.from(token), mode }])
    }
  }
  return [...files.values()]
}
