import type { Container, Volume, VolumeMount } from '../generated/types.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLocalPath } from './paths.ts'

/** The valid volumes of a pod by name. */
export type KnownVolumes = ReadonlyMap<string, Volume>

/** Mounts of a container: of volumes that exist, each at a path of its own. */
export function checkVolumeMounts(errors: FieldErrors, field: string, container: Container, volumes: KnownVolumes): void {
  const paths = new Set<string>()
  const devices = container.volumeDevices ?? []
  container.volumeMounts?.forEach((mount, i) => {
    const path = `${field}[${i}]`
    if (!mount.name) errors.required(`${path}.name`)
    if (!volumes.has(mount.name)) errors.notFound(`${path}.name`, mount.name ?? '')
    if (!mount.mountPath) errors.required(`${path}.mountPath`)
    if (paths.has(mount.mountPath)) errors.invalid(`${path}.mountPath`, mount.mountPath, 'must be unique')
    paths.add(mount.mountPath)
    if (devices.some((device) => device.name === mount.name)) {
      errors.invalid(`${path}.name`, mount.name, 'must not already exist in volumeDevices')
    }
    if (devices.some((device) => device.devicePath === mount.mountPath)) {
      errors.invalid(`${path}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices')
    }
    checkSubPaths(errors, field, mount, i)
    checkPropagation(errors, field, mount, container)
  })
}

/** Raw block devices of a container: claims only, each at a path of its own. */
export function checkVolumeDevices(errors: FieldErrors, field: string, container: Container, volumes: KnownVolumes): void {
  const names = new Set<string>()
  const paths = new Set<string>()
  const mounts = container.volumeMounts ?? []
  container.volumeDevices?.forEach(({ name, devicePath }, i) => {
    const path = `${field}[${i}]`
    if (!name) errors.required(`${path}.name`)
    if (names.has(name)) errors.invalid(`${path}.name`, name, 'must be unique')
    names.add(name)
    const volume = volumes.get(name)
    if (!volume) errors.notFound(`${path}.name`, name ?? '')
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      errors.invalid(`${path}.name`, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode')
    }
    if (!devicePath) errors.required(`${path}.devicePath`)
    else if (paths.has(devicePath)) errors.invalid(`${path}.devicePath`, devicePath, 'must be unique')
    else if (devicePath.split('/').includes('..')) errors.invalid(`${path}.devicePath`, devicePath, "can not contain backsteps ('..')")
    paths.add(devicePath)
    if (mounts.some((mount) => mount.name === name)) errors.invalid(`${path}.name`, name, 'must not already exist in volumeMounts')
    if (mounts.some((mount) => mount.mountPath === devicePath)) {
      errors.invalid(`${path}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts')
    }
  })
}

// upstream leaves the index out of some of these paths; clients match on them
function checkSubPaths(errors: FieldErrors, field: string, mount: VolumeMount, index: number): void {
  if (mount.subPath) checkLocalPath(errors, `${field}.subPath`, mount.subPath)
  if (!mount.subPathExpr) return
  if (mount.subPath) {
    errors.invalid(`${field}[${index}].subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive')
  }
  checkLocalPath(errors, `${field}.subPathExpr`, mount.subPathExpr)
}

function checkPropagation(errors: FieldErrors, field: string, mount: VolumeMount, container: Container): void {
  const { mountPropagation, recursiveReadOnly } = mount
  if (mountPropagation === 'Bidirectional' && !container.securityContext?.privileged) {
    const text = 'Bidirectional mount propagation is available only to privileged containers'
    errors.forbidden(`${field}.mountPropagation`, text)
  }
  const path = `${field}.recursiveReadOnly`
  errors.oneOf(path, recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'])
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') return
  if (!mount.readOnly) errors.forbidden(path, 'may only be specified when readOnly is true')
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    errors.forbidden(path, 'may only be specified when mountPropagation is None or not specified')
  }
}
