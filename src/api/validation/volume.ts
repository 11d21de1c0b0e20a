import type { DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection } from '../generated/types.ts'
import { checkLabelName } from '../meta/names.ts'
import { checkFieldRef, checkResourceFieldRef, FILE_FIELDS } from './env.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLocalFilePath, checkFileMode, checkNoBacksteps } from './paths.ts'
import { checkClaimSpec } from './persistent-volume.ts'
import { quantityNanos } from './quantities.ts'
import type { KnownVolumes } from './volume-mount.ts'

const NOT_SOURCES = new Set(['name'])

/**
 * Checks the volumes of a pod and gives those without fault by name: mounts may only name these.
 * @param options.podName where the pod's name is known: its generic ephemeral volumes own claims of the form `<pod>-<volume>`
 */
export function checkVolumes(
  errors: FieldErrors,
  field: string,
  volumes: readonly Volume[] | undefined,
  options: { readonly podName: string | undefined },
): KnownVolumes {
  const good = new Map<string, Volume>()
  const owned = new Set(volumes?.filter((volume) => volume.ephemeral).map((volume) => `${options.podName}-${volume.name}`))
  volumes?.forEach((volume, i) => {
    const path = `${field}[${i}]`
    const before = errors.list.length
    checkSource(errors, path, volume)
    if (!volume.name) errors.required(`${path}.name`)
    else errors.invalidEach(`${path}.name`, volume.name, checkLabelName(volume.name))
    if (good.has(volume.name)) errors.duplicate(`${path}.name`, volume.name)
    if (errors.list.length === before) good.set(volume.name, volume)
    const claim = volume.persistentVolumeClaim?.claimName
    if (options.podName && claim && owned.has(claim)) {
      const text = 'must not reference a PVC that gets created for an ephemeral volume'
      errors.invalid(`${path}.persistentVolumeClaim.claimName`, claim, text)
    }
  })
  return good
}

function checkSource(errors: FieldErrors, field: string, volume: Volume): void {
  const sources = Object.keys(volume).filter((key) => !NOT_SOURCES.has(key) && volume[key as keyof Volume] !== undefined)
  const [first, ...rest] = sources
  if (first === undefined) return errors.required(field, 'must specify a volume type')
  for (const other of rest) errors.forbidden(`${field}.${other}`, 'may not specify more than 1 volume type')
  checkFileSource(errors, field, volume)
  checkOtherSource(errors, field, volume)
}

function checkFileSource(errors: FieldErrors, field: string, volume: Volume): void {
  const { configMap, secret, downwardAPI, projected } = volume
  if (configMap) {
    if (!configMap.name) errors.required(`${field}.configMap.name`)
    checkFileMode(errors, `${field}.configMap.defaultMode`, configMap.defaultMode)
    checkItems(errors, `${field}.configMap.items`, configMap.items)
  }
  if (secret) {
    if (!secret.secretName) errors.required(`${field}.secret.secretName`)
    checkFileMode(errors, `${field}.secret.defaultMode`, secret.defaultMode)
    checkItems(errors, `${field}.secret.items`, secret.items)
  }
  if (downwardAPI) {
    checkFileMode(errors, `${field}.downwardAPI.defaultMode`, downwardAPI.defaultMode)
    for (const file of downwardAPI.items ?? []) checkDownwardFile(errors, `${field}.downwardAPI`, file)
  }
  if (projected) {
    checkFileMode(errors, `${field}.projected.defaultMode`, projected.defaultMode)
    checkProjections(errors, `${field}.projected`, projected.sources ?? [])
  }
}

function checkOtherSource(errors: FieldErrors, field: string, volume: Volume): void {
  const { emptyDir, hostPath, nfs, persistentVolumeClaim, csi, ephemeral } = volume
  if ((quantityNanos(emptyDir?.sizeLimit) ?? 0n) < 0n) {
    errors.forbidden(`${field}.emptyDir.sizeLimit`, 'SizeLimit field must be a valid resource quantity')
  }
  if (hostPath) {
    if (!hostPath.path) errors.required(`${field}.hostPath.path`)
    else checkNoBacksteps(errors, `${field}.hostPath.path`, hostPath.path)
  }
  if (nfs) {
    if (!nfs.server) errors.required(`${field}.nfs.server`)
    if (!nfs.path) errors.required(`${field}.nfs.path`)
    else if (!nfs.path.startsWith('/')) errors.invalid(`${field}.nfs.path`, nfs.path, 'must be an absolute path')
  }
  if (persistentVolumeClaim && !persistentVolumeClaim.claimName) errors.required(`${field}.persistentVolumeClaim.claimName`)
  if (csi && !csi.driver) errors.required(`${field}.csi.driver`)
  if (!ephemeral) return
  const template = ephemeral.volumeClaimTemplate
  if (!template) errors.required(`${field}.ephemeral.volumeClaimTemplate`)
  else checkClaimSpec(errors, `${field}.ephemeral.volumeClaimTemplate.spec`, template.spec ?? {})
}

function checkItems(errors: FieldErrors, field: string, items: readonly KeyToPath[] | undefined): void {
  items?.forEach((item, i) => checkKeyToPath(errors, `${field}[${i}]`, item))
}

function checkKeyToPath(errors: FieldErrors, field: string, item: KeyToPath): void {
  if (!item.key) errors.required(`${field}.key`)
  if (!item.path) errors.required(`${field}.path`)
  else checkLocalFilePath(errors, `${field}.path`, item.path)
  checkFileMode(errors, `${field}.mode`, item.mode)
}

function checkDownwardFile(errors: FieldErrors, field: string, file: DownwardAPIVolumeFile): void {
  if (!file.path) errors.required(`${field}.path`)
  else checkLocalFilePath(errors, `${field}.path`, file.path)
  if (file.fieldRef) {
    checkFieldRef(errors, `${field}.fieldRef`, file.fieldRef, FILE_FIELDS)
    if (file.resourceFieldRef) errors.invalid(field, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')
  } else if (file.resourceFieldRef) {
    checkResourceFieldRef(errors, `${field}.resourceFieldRef`, file.resourceFieldRef, { needsContainer: true })
  } else {
    errors.required(field, 'one of fieldRef and resourceFieldRef is required')
  }
  checkFileMode(errors, `${field}.mode`, file.mode)
}

function checkProjections(errors: FieldErrors, field: string, projections: readonly VolumeProjection[]): void {
  const paths = new Set<string>()
  const claim = (path: string | undefined, shown: string): void => {
    if (!path) return
    if (paths.has(path)) errors.invalid(field, shown, 'conflicting duplicate paths')
    paths.add(path)
  }
  projections.forEach((projection, i) => {
    const path = `${field}.sources[${i}]`
    for (const key of ['secret', 'configMap'] as const) {
      const source = projection[key]
      if (source && !source.name) errors.required(`${path}.${key}.name`)
      checkItems(errors, `${path}.${key}.items`, source?.items)
      for (const item of source?.items ?? []) claim(item.path, source?.name ?? '')
    }
    for (const file of projection.downwardAPI?.items ?? []) {
      checkDownwardFile(errors, `${path}.downwardAPI`, file)
      claim(file.path, file.path)
    }
    checkToken(errors, { path, volume: field }, projection)
    if (Object.values(projection).filter((source) => source !== undefined).length > 1) {
      errors.forbidden(path, 'may not specify more than 1 volume type per source')
    }
  })
}

function checkToken(
  errors: FieldErrors,
  at: { readonly path: string; readonly volume: string },
  { serviceAccountToken: token }: VolumeProjection,
): void {
  if (!token) return
  const seconds = token.expirationSeconds
  const field = `${at.path}.serviceAccountToken.expirationSeconds`
  if (seconds !== undefined && seconds < 600) errors.invalid(field, seconds, 'may not specify a duration less than 10 minutes')
  if (seconds !== undefined && seconds > 2 ** 32) {
    errors.invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')
  }
  if (!token.path) errors.required(`${at.volume}.path`)
  else checkLocalFilePath(errors, `${at.volume}.path`, token.path)
}
