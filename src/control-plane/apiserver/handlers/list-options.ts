import type { FieldError, KindDefinition } from '../../../api/kind.ts'
import type { RequestInfo, ServerRequest } from '../contract.ts'
import { badRequest, decodeContinue, invalid, selectionOf, type ContinueToken, type Selection } from '../registry/index.ts'
import { countOf, firstOf, flagOf, notSupported, revisionOf } from './query-options.ts'

/** What a list or watch asks for. Source: metav1.ListOptions. */
export interface ListOptions {
  readonly selection: Selection
  /** 0: everything. */
  readonly limit: number
  readonly token: ContinueToken | undefined
  /** As sent; 0n means any. */
  readonly resourceVersion: bigint | undefined
  readonly match: '' | 'Exact' | 'NotOlderThan'
  readonly bookmarks: boolean
  readonly sendInitialEvents: boolean | undefined
  readonly timeoutSeconds: number | undefined
}

/** @throws {StatusError} `BadRequest` or `Invalid` for what is malformed or does not go together */
export function listOptions(request: ServerRequest, info: RequestInfo, kind: KindDefinition): ListOptions {
  const { query } = request
  const text = firstOf(query, 'continue')
  const options: ListOptions = {
    selection: selectionOf(kind, info.resource === 'namespaces' ? '' : info.namespace, {
      labels: firstOf(query, 'labelSelector'),
      fields: info.fieldSelector ?? firstOf(query, 'fieldSelector'),
    }),
    limit: countOf(query, 'limit') ?? 0,
    token: text ? decodeContinue(text) : undefined,
    resourceVersion: revisionOf(query),
    match: (firstOf(query, 'resourceVersionMatch') ?? '') as ListOptions['match'],
    bookmarks: flagOf(query, 'allowWatchBookmarks'),
    sendInitialEvents: firstOf(query, 'sendInitialEvents') === undefined ? undefined : flagOf(query, 'sendInitialEvents'),
    timeoutSeconds: countOf(query, 'timeoutSeconds'),
  }
  const errors = info.verb === 'watch' ? watchErrors(options) : listErrors(options)
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors)
  if (options.token && options.resourceVersion !== undefined && options.resourceVersion !== 0n) {
    throw badRequest('specifying resource version is not allowed when using continue')
  }
  return options
}

/** Source: k8s.io/apimachinery internalversion/validation.ValidateListOptions. */
function listErrors(options: ListOptions): readonly FieldError[] {
  const { match, resourceVersion, token } = options
  const errors: FieldError[] = []
  if (options.sendInitialEvents !== undefined) errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  if (match === '') return errors
  const wrong = (text: string): void => void errors.push(forbidden(MATCH, text))
  if (resourceVersion === undefined) wrong('resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (token) wrong('resourceVersionMatch is forbidden when continue is provided')
  if (match !== 'Exact' && match !== 'NotOlderThan') errors.push(notSupported(MATCH, match, ['Exact', 'NotOlderThan', '']))
  if (match === 'Exact' && resourceVersion === 0n) wrong('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  return errors
}

/** Source: the same, validateWatchOptions. */
function watchErrors(options: ListOptions): readonly FieldError[] {
  const { match, sendInitialEvents, token } = options
  const errors: FieldError[] = []
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(forbidden(MATCH, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  }
  if (match === '') return errors
  if (sendInitialEvents === undefined) {
    errors.push(forbidden(MATCH, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
  }
  if (match !== 'NotOlderThan') errors.push(notSupported(MATCH, match, ['NotOlderThan']))
  if (token) errors.push(forbidden(MATCH, 'resourceVersionMatch is forbidden when continue is provided'))
  return errors
}

const MATCH = 'resourceVersionMatch'

function forbidden(field: string, text: string): FieldError {
  return { type: 'FieldValueForbidden', field, message: `Forbidden: ${text}` }
}
