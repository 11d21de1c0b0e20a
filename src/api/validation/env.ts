import type { EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector } from '../generated/types.ts'
import { checkLabelName, checkQualifiedName, checkSubdomainName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkConfigKey, checkEnvName } from './names.ts'
import { checkNoBacksteps } from './paths.ts'
import { shownQuantity } from './resources.ts'
import { quantityNanos } from './quantities.ts'

/** Fields that an environment variable may take over from its pod. */
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]
/** Fields that a file may take over from its pod. */
export const FILE_FIELDS: readonly string[] = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]
/** Every field that has a label for the downward API; the rest cannot even be converted. */
const KNOWN_FIELDS = new Set([...ENV_FIELDS, ...FILE_FIELDS, 'spec.restartPolicy', 'spec.schedulerName', 'status.phase'])

const RESOURCE_FIELDS = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]
const SIZE_DIVISORS = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']

export function checkEnv(errors: FieldErrors, field: string, variables: readonly EnvVar[] | undefined): void {
  variables?.forEach((variable, i) => {
    const path = `${field}[${i}]`
    if (!variable.name) errors.required(`${path}.name`)
    else errors.invalidEach(`${path}.name`, variable.name, checkEnvName(variable.name))
    if (variable.valueFrom) checkValueFrom(errors, `${path}.valueFrom`, { source: variable.valueFrom, value: variable.value })
  })
}

export function checkEnvFrom(errors: FieldErrors, field: string, sources: readonly EnvFromSource[] | undefined): void {
  sources?.forEach((source, i) => {
    const path = `${field}[${i}]`
    if (source.prefix) errors.invalidEach(`${path}.prefix`, source.prefix, checkEnvName(source.prefix))
    for (const key of ['configMapRef', 'secretRef'] as const) {
      const reference = source[key]
      if (reference) checkReference(errors, `${path}.${key}.name`, reference.name)
    }
    if (!source.configMapRef && !source.secretRef) {
      errors.invalid(field, '', 'must specify one of: `configMapRef` or `secretRef`')
    } else if (source.configMapRef && source.secretRef) {
      errors.invalid(field, '', 'may not have more than one field specified at a time')
    }
  })
}

/** A field of the pod, by path; labels and annotations may be picked by key: `metadata.labels['app']`. */
export function checkFieldRef(errors: FieldErrors, field: string, selector: ObjectFieldSelector, supported: readonly string[]): void {
  const { fieldPath } = selector
  if (!fieldPath) return errors.required(`${field}.fieldPath`)
  const subscript = /^(.*)\['(.*)'\]$/s.exec(fieldPath)
  if (subscript) return checkSubscript(errors, field, subscript[1]!, subscript[2]!)
  if (!KNOWN_FIELDS.has(fieldPath)) {
    return errors.invalid(`${field}.fieldPath`, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)
  }
  if (!supported.includes(fieldPath)) errors.notSupported(`${field}.fieldPath`, fieldPath, supported)
}

/** Requests or limits of a container; a file, unlike a variable, must say of which. */
export function checkResourceFieldRef(
  errors: FieldErrors,
  field: string,
  selector: ResourceFieldSelector,
  options: { readonly needsContainer: boolean },
): void {
  const { resource } = selector
  if (options.needsContainer && !selector.containerName) errors.required(`${field}.containerName`)
  else if (!resource) errors.required(`${field}.resource`)
  else if (!RESOURCE_FIELDS.includes(resource) && !/^(requests|limits)\.hugepages-/.test(resource)) {
    errors.notSupported(`${field}.resource`, resource, RESOURCE_FIELDS)
  }
  checkDivisor(errors, `${field}.divisor`, resource ?? '', selector.divisor)
}

function checkValueFrom(
  errors: FieldErrors,
  field: string,
  variable: { readonly source: EnvVarSource; readonly value: string | undefined },
): void {
  const { source } = variable
  let sources = 0
  if (source.fieldRef && ++sources) checkFieldRef(errors, `${field}.fieldRef`, source.fieldRef, ENV_FIELDS)
  if (source.resourceFieldRef && ++sources) {
    checkResourceFieldRef(errors, `${field}.resourceFieldRef`, source.resourceFieldRef, { needsContainer: false })
  }
  for (const key of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = source[key]
    if (reference && ++sources) checkKeyRef(errors, `${field}.${key}`, reference)
  }
  if (source.fileKeyRef && ++sources) checkFileKeyRef(errors, `${field}.fileKeyRef`, source.fileKeyRef)
  if (sources === 0) {
    errors.invalid(field, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`')
  } else if (variable.value) {
    errors.invalid(field, '', 'may not be specified when `value` is not empty')
  } else if (sources > 1) {
    errors.invalid(field, '', 'may not have more than one field specified at a time')
  }
}

function checkKeyRef(errors: FieldErrors, field: string, reference: { readonly name?: string | undefined; readonly key: string }): void {
  errors.invalidEach(`${field}.name`, reference.name ?? '', checkSubdomainName(reference.name ?? ''))
  if (!reference.key) errors.required(`${field}.key`)
  else errors.invalidEach(`${field}.key`, reference.key, checkConfigKey(reference.key))
}

function checkFileKeyRef(errors: FieldErrors, field: string, reference: NonNullable<EnvVarSource['fileKeyRef']>): void {
  const { key, volumeName, path } = reference
  if (!key) errors.required(`${field}.key`)
  else errors.invalidEach(`${field}.key`, key, checkEnvName(key))
  if (!volumeName) errors.required(`${field}.volumeName`)
  else errors.invalidEach(`${field}.volumeName`, volumeName, checkLabelName(volumeName))
  if (!path) errors.required(`${field}.path`)
  else checkNoBacksteps(errors, `${field}.path`, path)
}

function checkReference(errors: FieldErrors, field: string, name: string | undefined): void {
  if (!name) errors.required(field)
  else errors.invalidEach(field, name, checkSubdomainName(name))
}

function checkSubscript(errors: FieldErrors, field: string, path: string, key: string): void {
  if (path === 'metadata.annotations') errors.invalidEach(field, key.toLowerCase(), checkQualifiedName(key.toLowerCase()))
  else if (path === 'metadata.labels') errors.invalidEach(field, key, checkQualifiedName(key))
  else errors.invalid(field, path, 'does not support subscript')
}

function checkDivisor(errors: FieldErrors, field: string, resource: string, divisor: string | undefined): void {
  const nanos = quantityNanos(divisor)
  if (divisor === undefined || nanos === 0n) return
  const text = shownQuantity(divisor)
  const name = resource.replace(/^(requests|limits)\./, '')
  if (name === 'cpu') {
    if (text !== '1m' && text !== '1') errors.invalid(field, resource, "only divisor's values 1m and 1 are supported with the cpu resource")
    return
  }
  const what = DIVISOR_NAMES.find(([prefix]) => name.startsWith(prefix))?.[1]
  if (what && !SIZE_DIVISORS.includes(text)) {
    errors.invalid(field, resource, `only divisor's values ${SIZE_DIVISORS.join(', ')} are supported with the ${what} resource`)
  }
}

const DIVISOR_NAMES = [
  ['memory', 'memory'],
  ['ephemeral-storage', 'local ephemeral storage'],
  ['hugepages-', 'hugepages'],
] as const
