import type { FieldError, KindDefinition, StrategyContext } from '../kind.ts'
import { cloneJson } from '../meta/clone.ts'
import type { KubeObject } from '../meta/object.ts'
import { admit, resolveSchema, validateSchema } from '../schema/index.ts'
import { uniqueErrors } from './field-errors.ts'
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts'

// What the API server does to a write, without a server: for tests of kinds. `object` may be any JSON.

export const TEST_CONTEXT: StrategyContext = {
  nowMs: Date.parse('2026-01-31T12:00:00Z'),
  user: 'jane',
  subresource: '',
  uid: (): string => 'uid-1',
}

/** Schema defaults, the kind's defaults and preparation: the object as it would be stored. */
export function created<T extends KubeObject>(kind: KindDefinition<T>, object: unknown): T {
  const next = defaulted(kind, object)
  kind.strategy?.prepareForCreate?.(next, TEST_CONTEXT)
  return next
}

/** What a create is refused for, as lines `<field>: <message>`. */
export function refusals<T extends KubeObject>(kind: KindDefinition<T>, object: unknown): string[] {
  const next = created(kind, object)
  return lines([...validateObjectMeta(next.metadata, kind), ...schemaErrors(kind, next), ...(kind.strategy?.validate?.(next) ?? [])])
}

/** What an update is refused for. `change` gets the stored object. */
export function updateRefusals<T extends KubeObject>(
  kind: KindDefinition<T>,
  object: unknown,
  change: (stored: T) => void,
  subresource = '',
): string[] {
  const context = { ...TEST_CONTEXT, subresource }
  const previous = created(kind, object)
  previous.metadata.resourceVersion = '1'
  const next = cloneJson(previous)
  change(next)
  kind.strategy?.setDefaults?.(next)
  kind.strategy?.prepareForUpdate?.(next, previous, context)
  return lines([
    ...validateObjectMetaUpdate(next.metadata, previous.metadata, kind),
    ...schemaErrors(kind, next),
    ...(kind.strategy?.validate?.(next) ?? []),
    ...(kind.strategy?.validateUpdate?.(next, previous, context) ?? []),
  ])
}

function defaulted<T extends KubeObject>(kind: KindDefinition<T>, object: unknown): T {
  const value = cloneJson(object) as { metadata?: { namespace?: string } }
  if (kind.namespaced) value.metadata = { namespace: 'default', ...value.metadata }
  const schema = kind.schema ? resolveSchema(kind.schema) : undefined
  const next = (schema ? admit(schema, value).value : value) as T
  kind.strategy?.setDefaults?.(next)
  return next
}

function schemaErrors<T extends KubeObject>(kind: KindDefinition<T>, object: T): readonly FieldError[] {
  const schema = kind.schema ? resolveSchema(kind.schema) : undefined
  return schema ? validateSchema(schema, object) : []
}

function lines(errors: readonly FieldError[]): string[] {
  return uniqueErrors(errors).map(({ field, message }) => `${field}: ${message}`)
}
