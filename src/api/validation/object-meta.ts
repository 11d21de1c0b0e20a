import type { ObjectMeta, OwnerReference } from '../generated/types.ts'
import type { FieldError, NameRule } from '../kind.ts'
import { deepEqual } from '../meta/equality.ts'
import { checkLabelName, checkQualifiedName } from '../meta/names.ts'
import { collectErrors, type FieldErrors } from './field-errors.ts'
import { checkLabels } from './labels.ts'
import { checkName } from './names.ts'

export interface ObjectMetaRules {
  readonly namespaced: boolean
  /** Default `subdomain`. */
  readonly nameRule?: NameRule | undefined
}

/** Sum of the lengths of keys and values of all annotations, in bytes. */
const MAX_ANNOTATION_BYTES = 256 * 1024
const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion'])

/**
 * Checks the metadata of an object that is to be created; a generated name must be filled in before.
 * Source: k8s.io/apimachinery api/validation.ValidateObjectMeta.
 */
export function validateObjectMeta(meta: ObjectMeta, rules: ObjectMetaRules): readonly FieldError[] {
  return collectErrors((errors) => checkObjectMeta(errors, meta, rules))
}

/**
 * Checks what an update does to metadata. The server has put back what no client may change before (uid, creationTimestamp,
 * deletionTimestamp). Source: k8s.io/apimachinery api/validation.ValidateObjectMetaUpdate.
 */
export function validateObjectMetaUpdate(next: ObjectMeta, previous: ObjectMeta, rules: ObjectMetaRules): readonly FieldError[] {
  return collectErrors((errors) => {
    checkFinalizersOfDeleted(errors, next, previous)
    if ((next.generation ?? 0) < (previous.generation ?? 0)) {
      errors.invalid('metadata.generation', next.generation ?? 0, 'must not be decremented')
    }
    for (const key of IMMUTABLE) {
      if (!deepEqual(next[key], previous[key])) errors.invalid(`metadata.${key}`, next[key], 'field is immutable')
    }
    checkCommon(errors, next, rules)
  })
}

/** Labels and annotations of an embedded template, whose metadata has no name. */
export function checkTemplateMeta(errors: FieldErrors, field: string, meta: ObjectMeta | undefined): void {
  checkLabels(errors, `${field}.labels`, meta?.labels)
  checkAnnotations(errors, `${field}.annotations`, meta?.annotations)
}

const IMMUTABLE = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const

function checkObjectMeta(errors: FieldErrors, meta: ObjectMeta, rules: ObjectMetaRules): void {
  const rule = rules.nameRule ?? 'subdomain'
  if (meta.generateName) errors.invalidEach('metadata.generateName', meta.generateName, checkName(rule, meta.generateName, true))
  if (!meta.name) errors.required('metadata.name', 'name or generateName is required')
  else errors.invalidEach('metadata.name', meta.name, checkName(rule, meta.name, false))
  checkCommon(errors, meta, rules)
}

function checkCommon(errors: FieldErrors, meta: ObjectMeta, rules: ObjectMetaRules): void {
  if (rules.namespaced) {
    if (!meta.namespace) errors.required('metadata.namespace')
    else errors.invalidEach('metadata.namespace', meta.namespace, checkLabelName(meta.namespace))
  } else if (meta.namespace) {
    errors.forbidden('metadata.namespace', 'not allowed on this type')
  }
  errors.nonNegative('metadata.generation', meta.generation)
  checkTemplateMeta(errors, 'metadata', meta)
  checkOwners(errors, meta.ownerReferences ?? [])
  checkFinalizers(errors, meta.finalizers ?? [])
}

function checkAnnotations(errors: FieldErrors, field: string, annotations: Readonly<Record<string, string>> | undefined): void {
  let bytes = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    // case does not matter in keys of annotations
    errors.invalidEach(field, key, checkQualifiedName(key.toLowerCase()))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (bytes > MAX_ANNOTATION_BYTES) errors.tooLong(field, MAX_ANNOTATION_BYTES)
}

function checkOwners(errors: FieldErrors, owners: readonly OwnerReference[]): void {
  let controller: string | undefined
  owners.forEach((owner, i) => {
    const field = `metadata.ownerReferences[${i}]`
    checkOwner(errors, field, owner)
    if (!owner.controller) return
    const name = `${owner.kind}/${owner.name}`
    if (controller === undefined) controller = name
    else {
      const text = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`
      errors.invalid('metadata.ownerReferences', owners, text)
    }
  })
}

function checkOwner(errors: FieldErrors, field: string, owner: OwnerReference): void {
  if (!owner.apiVersion) errors.required(`${field}.apiVersion`, 'must not be empty')
  else if (!/^([^/]+\/)?[^/]+$/.test(owner.apiVersion)) {
    errors.invalid(`${field}.apiVersion`, owner.apiVersion, 'must be <group>/<version> or <version>')
  }
  for (const key of ['kind', 'name', 'uid'] as const) if (!owner[key]) errors.required(`${field}.${key}`, 'must not be empty')
  if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
    errors.invalid(field, owner, '/v1, Kind=Event is disallowed from being an owner')
  }
}

function checkFinalizers(errors: FieldErrors, finalizers: readonly string[]): void {
  finalizers.forEach((finalizer, i) => {
    const problems = checkQualifiedName(finalizer)
    errors.invalidEach('metadata.finalizers', finalizer, problems)
    if (problems.length === 0 && !isKnownFinalizer(finalizer)) {
      const text = 'name is neither a standard finalizer name nor is it fully qualified'
      errors.invalid(`metadata.finalizers[${i}]`, finalizer, text)
    }
  })
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.invalid('metadata.finalizers', finalizers, 'finalizer orphan and foregroundDeletion cannot be both set')
  }
}

/** Finalizers need a domain, but for the three that Kubernetes itself uses. */
export function isKnownFinalizer(finalizer: string): boolean {
  return finalizer.includes('/') || STANDARD_FINALIZERS.has(finalizer)
}

function checkFinalizersOfDeleted(errors: FieldErrors, next: ObjectMeta, previous: ObjectMeta): void {
  if (!previous.deletionTimestamp) return
  const had = new Set(previous.finalizers)
  const added = (next.finalizers ?? []).filter((finalizer) => !had.has(finalizer))
  if (added.length === 0) return
  const list = added.toSorted().map((finalizer) => JSON.stringify(finalizer))
  const text = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list.join(', ')}}`
  errors.forbidden('metadata.finalizers', text)
}
