import { StatusError, type StatusCause } from '../../../base/errors.ts'
import type { FieldError } from '../../../api/kind.ts'
import { StoreError } from '../../store/contract.ts'
import type { RequestInfo, UserInfo } from '../contract.ts'

/** What an error is about: the plural and its group, as `details` and messages name it. */
export interface GroupResource {
  readonly group: string
  readonly plural: string
}

/** `pods`, or `deployments.apps`. */
export function qualified(resource: GroupResource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

/** Source: k8s.io/apimachinery errors.NewNotFound. */
export function notFound(resource: GroupResource, name: string): StatusError {
  return new StatusError('NotFound', `${qualified(resource)} "${name}" not found`, { details: detailsOf(resource, name) })
}

/** Source: k8s.io/apimachinery errors.NewAlreadyExists. */
export function alreadyExists(resource: GroupResource, name: string): StatusError {
  return new StatusError('AlreadyExists', `${qualified(resource)} "${name}" already exists`, { details: detailsOf(resource, name) })
}

/** Every name tried for a `generateName` was taken. Source: errors.NewGenerateNameConflict. */
export function generateNameConflict(resource: GroupResource, name: string): StatusError {
  const text = `${qualified(resource)} "${name}" already exists, the server was not able to generate a unique name for the object`
  return new StatusError('AlreadyExists', text, { details: { ...detailsOf(resource, name), retryAfterSeconds: 1 } })
}

/** Source: k8s.io/apimachinery errors.NewConflict. */
export function conflict(resource: GroupResource, name: string, why: string = MODIFIED): StatusError {
  const text = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`
  return new StatusError('Conflict', text, { details: detailsOf(resource, name) })
}

const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again'

/** Source: k8s.io/apimachinery errors.NewForbidden. */
export function forbidden(resource: GroupResource, name: string, why: string, causes?: readonly StatusCause[]): StatusError {
  const about = name === '' ? qualified(resource) : `${qualified(resource)} "${name}"`
  const details = { ...detailsOf(resource, name), ...(causes ? { causes } : {}) }
  return new StatusError('Forbidden', `${about} is forbidden: ${why}`, { details })
}

/** What the authorizer refused, in upstream's words. Source: apiserver responsewriters.Forbidden. */
export function unauthorizedAccess(user: UserInfo, info: RequestInfo, reason: string): StatusError {
  const resource = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`
  const where = info.namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(info.namespace)}`
  const what = `cannot ${info.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(info.group)} ${where}`
  const why = `User ${JSON.stringify(user.name)} ${what}${reason === '' ? '' : `: ${reason}`}`
  return forbidden({ group: info.group, plural: info.resource }, info.name, why)
}

/** Source: k8s.io/apimachinery errors.NewInvalid and utilerrors.Aggregate. */
export function invalid(kind: { readonly group: string; readonly kind: string }, name: string, errors: readonly FieldError[]): StatusError {
  const texts = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))]
  const text = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const about = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
  const causes = errors.map(({ type, message, field }) => ({ reason: type, message, field }))
  const details = { ...(name === '' ? {} : { name }), ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.kind, causes }
  return new StatusError('Invalid', `${about} ${JSON.stringify(name)} is invalid: ${text}`, { details })
}

export function badRequest(text: string): StatusError {
  return new StatusError('BadRequest', text)
}

export function methodNotAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
}

export function unknownResource(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource')
}

/** Source: k8s.io/apiserver storage.NewTooLargeResourceVersionError. */
export function resourceVersionTooLarge(asked: bigint, current: bigint): StatusError {
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  const text = `Timeout: Too large resource version: ${asked}, current: ${current}`
  return new StatusError('Timeout', text, { details: { causes, retryAfterSeconds: 1 } })
}

/** Turns an error of the store into what the client is told; anything else stays as it is. */
export function fromStoreError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error
  switch (error.code) {
    case 'Compacted':
      return new StatusError('Expired', 'The resourceVersion for the provided request is too old.', { cause: error })
    case 'FutureRevision':
      return new StatusError('Timeout', `Timeout: ${error.message}`, { details: { retryAfterSeconds: 1 }, cause: error })
    case 'InvalidArgument':
      return new StatusError('RequestEntityTooLarge', `the object cannot be stored: ${error.message}`, { cause: error })
    case 'Overloaded':
      return new StatusError('TooManyRequests', error.message, { details: { retryAfterSeconds: 1 }, cause: error })
    case 'ReadOnly':
    case 'Closed':
    case 'Locked':
      return new StatusError('ServiceUnavailable', `the store takes no writes: ${error.message}`, { cause: error })
    case 'Corrupt':
    case 'LeaseNotFound':
    case 'SlowWatcher':
      return new StatusError('InternalError', error.message, { cause: error })
  }
}

function detailsOf(resource: GroupResource, name: string): { name?: string; group?: string; kind: string } {
  return { ...(name === '' ? {} : { name }), ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural }
}
