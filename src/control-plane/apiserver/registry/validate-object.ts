import { validateSchema } from '../../../api/schema/index.ts'
import type { FieldError } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { uniqueErrors } from '../../../api/validation/field-errors.ts'
import { validateObjectMeta, validateObjectMetaUpdate, type ObjectMetaRules } from '../../../api/validation/object-meta.ts'
import { strategyContext, type RegistryContext, type WriteRequest } from './registry-context.ts'
import type { Resource } from './resource.ts'
import { invalid } from './status-errors.ts'

/** @throws {StatusError} `Invalid` with one cause per wrong field */
export function validateNew(request: WriteRequest, object: KubeObject): void {
  const { resource } = request
  const { strategy } = resource.kind
  refuse(resource, object, [
    ...validateObjectMeta(object.metadata, metaRules(resource)),
    ...schemaErrors(resource, object),
    ...(strategy?.validate?.(object) ?? []),
  ])
  for (const text of strategy?.warnings?.(object) ?? []) request.warn(text)
}

/** @throws {StatusError} `Invalid` with one cause per wrong field */
export function validateChange(context: RegistryContext, request: WriteRequest, change: { next: KubeObject; previous: KubeObject }): void {
  const { resource } = request
  const { next, previous } = change
  const { strategy } = resource.kind
  refuse(resource, next, [
    ...validateObjectMetaUpdate(next.metadata, previous.metadata, metaRules(resource)),
    ...schemaErrors(resource, next),
    ...(strategy?.validate?.(next) ?? []),
    ...(strategy?.validateUpdate?.(next, previous, strategyContext(context, request)) ?? []),
  ])
  for (const text of strategy?.warnings?.(next) ?? []) request.warn(text)
}

function schemaErrors(resource: Resource, object: KubeObject): readonly FieldError[] {
  const schema = resource.schema()
  return schema ? validateSchema(schema, object) : []
}

function metaRules(resource: Resource): ObjectMetaRules {
  const { namespaced, nameRule } = resource.kind
  return { namespaced, nameRule }
}

function refuse(resource: Resource, object: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(resource.kind, object.metadata.name ?? '', uniqueErrors(errors))
}
