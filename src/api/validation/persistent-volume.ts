import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  TypedObjectReference,
} from '../generated/types.ts'
import { checkLabelName, checkSubdomainName } from '../meta/names.ts'
import { checkNodeSelector } from './affinity.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabelSelector } from './labels.ts'
import { checkNoBacksteps } from './paths.ts'
import { checkPositiveQuantity, checkResourceQuantity, compareIfQuantities } from './quantities.ts'
import { semanticEqual } from './semantic-equal.ts'

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

/** Fields of a volume's spec that are not the source of its data. */
const PLAIN_FIELDS = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

/** Source: k8s.io/kubernetes core/validation.ValidatePersistentVolumeSpec. */
export function checkVolumeSpec(errors: FieldErrors, field: string, spec: PersistentVolumeSpec): void {
  checkAccessModes(errors, `${field}.accessModes`, spec.accessModes)
  const capacity = spec.capacity ?? {}
  if (Object.keys(capacity).length === 0) errors.required(`${field}.capacity`)
  else if (capacity.storage === undefined || Object.keys(capacity).length > 1)
    errors.notSupported(`${field}.capacity`, capacity, ['storage'])
  for (const [name, text] of Object.entries(capacity)) checkPositiveQuantity(errors, `${field}.capacity[${name}]`, text)
  if (spec.nodeAffinity && !spec.nodeAffinity.required) {
    errors.required(`${field}.nodeAffinity.required`, 'must specify required node constraints')
  }
  if (spec.nodeAffinity?.required) checkNodeSelector(errors, `${field}.nodeAffinity.required`, spec.nodeAffinity.required)
  checkVolumeData(errors, field, spec)
  if (spec.storageClassName)
    errors.invalidEach(`${field}.storageClassName`, spec.storageClassName, checkSubdomainName(spec.storageClassName))
}

export function checkVolumeUpdate(errors: FieldErrors, next: PersistentVolume, previous: PersistentVolume): void {
  const sourceOf = (volume: PersistentVolume): unknown =>
    Object.fromEntries(Object.entries(volume.spec ?? {}).filter(([key]) => !PLAIN_FIELDS.has(key)))
  if (!semanticEqual(sourceOf(next), sourceOf(previous))) {
    errors.forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation')
  }
  errors.immutable('volumeMode', next.spec?.volumeMode, previous.spec?.volumeMode)
  if (previous.spec?.nodeAffinity && !semanticEqual(next.spec?.nodeAffinity, previous.spec.nodeAffinity)) {
    errors.invalid('nodeAffinity', next.spec?.nodeAffinity, 'field is immutable, except for updating from beta label to GA')
  }
}

/** Source: k8s.io/kubernetes core/validation.ValidatePersistentVolumeClaimSpec. */
export function checkClaimSpec(errors: FieldErrors, field: string, spec: PersistentVolumeClaimSpec): void {
  checkAccessModes(errors, `${field}.accessModes`, spec.accessModes)
  checkLabelSelector(errors, `${field}.selector`, spec.selector)
  const storage = spec.resources?.requests?.storage
  if (storage === undefined) errors.required(`${field}.resources[storage]`)
  else {
    const before = errors.list.length
    checkPositiveQuantity(errors, `${field}.resources[storage]`, storage)
    if (errors.list.length === before) checkResourceQuantity(errors, `${field}.resources[storage]`, 'storage', storage)
  }
  if (spec.storageClassName)
    errors.invalidEach(`${field}.storageClassName`, spec.storageClassName, checkSubdomainName(spec.storageClassName))
  if (spec.dataSource) checkDataSource(errors, `${field}.dataSource`, spec.dataSource)
  if (spec.dataSourceRef) checkDataSource(errors, `${field}.dataSourceRef`, spec.dataSourceRef)
  if (!spec.dataSource || !spec.dataSourceRef) return
  if (spec.dataSourceRef.namespace) {
    errors.invalid(field, `${field}.dataSource`, 'may not be specified when dataSourceRef.namespace is specified')
  } else if (!semanticEqual(spec.dataSource, { ...spec.dataSourceRef, namespace: undefined })) {
    errors.invalid(field, `${field}.dataSource`, 'must match dataSourceRef')
  }
}

export function checkClaimUpdate(errors: FieldErrors, next: PersistentVolumeClaim, previous: PersistentVolumeClaim): void {
  if (!semanticEqual(maskClaim(next, previous), previous.spec)) {
    const text = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'
    errors.forbidden('spec', text)
  }
  const [size, oldSize] = [next.spec?.resources?.requests?.storage, previous.spec?.resources?.requests?.storage]
  const shrinks = (compareIfQuantities(size, oldSize) ?? 0) < 0
  // a failed expansion may be taken back, down to what there is
  if (shrinks && (compareIfQuantities(size, previous.status?.capacity?.storage ?? '0') ?? 0) <= 0) {
    errors.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')
  }
  errors.immutable('volumeMode', next.spec?.volumeMode, previous.spec?.volumeMode)
}

/** The new spec with what may change put back. */
function maskClaim(next: PersistentVolumeClaim, previous: PersistentVolumeClaim): PersistentVolumeClaimSpec {
  const [spec, old] = [next.spec ?? {}, previous.spec ?? {}]
  const masked: PersistentVolumeClaimSpec = { ...spec }
  // the binder sets the volume once; a class may be given to a claim that came without
  if (!old.volumeName) masked.volumeName = old.volumeName
  if (old.storageClassName === undefined) masked.storageClassName = undefined
  if (previous.status?.phase !== 'Bound') return masked
  masked.volumeAttributesClassName = old.volumeAttributesClassName
  const storage = old.resources?.requests?.storage
  const requests = { ...spec.resources?.requests, ...(storage === undefined ? {} : { storage }) }
  masked.resources = { ...spec.resources, requests }
  return masked
}

function checkAccessModes(errors: FieldErrors, field: string, modes: readonly string[] | undefined): void {
  if (!modes?.length) return errors.required(field, 'at least 1 access mode is required')
  const known = modes.filter((mode) => ACCESS_MODES.includes(mode))
  if (known.includes('ReadWriteOncePod') && known.some((mode) => mode !== 'ReadWriteOncePod')) {
    errors.forbidden(field, 'may not use ReadWriteOncePod with other access modes')
  }
}

function checkVolumeData(errors: FieldErrors, field: string, spec: PersistentVolumeSpec): void {
  const sources = Object.keys(spec).filter((key) => !PLAIN_FIELDS.has(key) && spec[key as keyof PersistentVolumeSpec] !== undefined)
  if (sources.length === 0) errors.required(field, 'must specify a volume type')
  for (const other of sources.slice(1)) errors.forbidden(`${field}.${other}`, 'may not specify more than 1 volume type')
  const { hostPath, local, csi, nfs } = spec
  if (hostPath) {
    if (!hostPath.path) errors.required(`${field}.hostPath.path`)
    else checkNoBacksteps(errors, `${field}.hostPath.path`, hostPath.path)
    if (/^\/+\.?$/.test(hostPath.path) && spec.persistentVolumeReclaimPolicy === 'Recycle') {
      errors.forbidden(`${field}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'")
    }
  }
  if (local) {
    if (!local.path) errors.required(`${field}.local.path`)
    if (!spec.nodeAffinity) errors.required(`${field}.nodeAffinity`, 'Local volume requires node affinity')
  }
  if (nfs && !nfs.server) errors.required(`${field}.nfs.server`)
  if (csi && !csi.driver) errors.required(`${field}.csi.driver`)
  if (csi && !csi.volumeHandle) errors.required(`${field}.csi.volumeHandle`)
}

function checkDataSource(errors: FieldErrors, field: string, source: TypedObjectReference): void {
  if (!source.name) errors.required(`${field}.name`)
  if (!source.kind) errors.required(`${field}.kind`)
  if (!source.apiGroup) {
    if (source.kind === 'PersistentVolumeClaim') return
    return errors.invalid(field, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
  }
  errors.invalidEach(`${field}.apiGroup`, source.apiGroup, checkSubdomainName(source.apiGroup))
  if (source.namespace) errors.invalidEach(`${field}.namespace`, source.namespace, checkLabelName(source.namespace))
}
