/** An OpenAPI v3 parameter object. */
export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path'
  readonly description: string
  readonly required?: true
  readonly schema: Readonly<Record<string, unknown>>
}

const query = (name: string, type: 'string' | 'integer' | 'boolean', description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
})
const path = (name: string, description: string): Parameter => ({
  name,
  in: 'path',
  description,
  required: true,
  schema: { type: 'string', uniqueItems: true },
})

export const NAME: Parameter = path('name', 'name of the object')
export const NAMESPACE: Parameter = path('namespace', 'namespace of the object')
export const PRETTY: Parameter = query('pretty', 'string', "If 'true', the answer is indented.")

const DRY_RUN = query('dryRun', 'string', "Nothing is stored when set. The only value is 'All': every stage of the request is run.")
const FIELD_MANAGER = query('fieldManager', 'string', 'Name of the actor that makes these changes, at most 128 printable characters.')
const FIELD_VALIDATION = query(
  'fieldValidation',
  'string',
  'What to do with unknown and duplicate fields. Ignore: drop them silently. Warn (the default): drop them and say so in Warning headers. Strict: refuse the request.',
)
const FORCE = query('force', 'boolean', 'Takes over fields that other managers own. Only for apply patches.')

/** Of every write of a whole object. */
export const WRITE_PARAMETERS: readonly Parameter[] = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION]
export const PATCH_PARAMETERS: readonly Parameter[] = [...WRITE_PARAMETERS, FORCE]

const SELECTORS = [
  query('fieldSelector', 'string', 'Restricts the objects by their fields. Default: everything.'),
  query('labelSelector', 'string', 'Restricts the objects by their labels. Default: everything.'),
]
const LIST_WINDOW = [
  query('continue', 'string', 'Continues a list at the same revision; the value comes from the previous answer.'),
  query('limit', 'integer', 'Most objects in one answer. The answer carries `continue` when there are more.'),
  query('resourceVersion', 'string', 'Which revision the answer may come from; see resourceVersionMatch.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is understood: Exact or NotOlderThan.'),
  query('timeoutSeconds', 'integer', 'Ends the call after this time, whether or not there is anything to send.'),
]

export const LIST_PARAMETERS: readonly Parameter[] = [
  query('allowWatchBookmarks', 'boolean', 'Asks a watch for BOOKMARK events from time to time.'),
  ...LIST_WINDOW,
  ...SELECTORS,
  query('sendInitialEvents', 'boolean', 'Starts a watch with synthetic events of all present objects, ended by a bookmark.'),
  query('watch', 'boolean', 'Sends changes as they happen instead of a list.'),
]

export const DELETE_PARAMETERS: readonly Parameter[] = [
  DRY_RUN,
  query('gracePeriodSeconds', 'integer', 'Seconds before the object is removed. Zero: at once. Default: what the kind says.'),
  query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
]
export const DELETE_COLLECTION_PARAMETERS: readonly Parameter[] = [...DELETE_PARAMETERS, ...LIST_WINDOW, ...SELECTORS]

/** Of `GET .../pods/NAME/log`. */
export const LOG_PARAMETERS: readonly Parameter[] = [
  query('container', 'string', 'Container to read. Default: the only one.'),
  query('follow', 'boolean', 'Goes on with what is written from now on.'),
  query('limitBytes', 'integer', 'Ends after so many bytes.'),
  query('previous', 'boolean', 'Reads the previous run of the container.'),
  query('sinceSeconds', 'integer', 'Starts so many seconds ago.'),
  query('tailLines', 'integer', 'Starts so many lines before the end.'),
  query('timestamps', 'boolean', 'Puts a time in RFC 3339 before every line.'),
]
