import { BUILT_IN_KINDS } from '../../api/registry.ts'
import { apiVersionOf } from '../../api/meta/object.ts'
import { admit, resolveSchema, type Schema } from '../../api/schema/index.ts'
import { isStatus, type StatusError } from '../../base/errors.ts'
import { CliError } from '../errors/cli-error.ts'
import { explainError } from '../errors/render-error.ts'
import { placeOf, type Manifest } from './read-manifests.ts'
import { suggestField } from './suggest-field.ts'

/** Why a server did not take an object, with the place in the manifest and, for a field that does not exist, the one that was meant. */
export function explainRefusal(error: unknown, manifest: Manifest): CliError {
  if (error instanceof CliError) return error
  const { object } = manifest
  const what = `${object.kind} "${object.metadata.name ?? object.metadata.generateName ?? ''}" was not applied`
  const at = (path: string): string => placeOf(manifest, path)
  if (isStatus(error, 'BadRequest')) {
    const problem = findProblem(manifest)
    if (problem) return new CliError(what, { where: at(problem.path), why: problem.why, fix: problem.fix, cause: error })
  }
  if (isStatus(error, 'Invalid')) return explainInvalid(error, { what, at, start: at('') })
  const explained = explainError(error)
  return isStatus(error)
    ? new CliError(what, { where: at(''), why: explained.message, fix: explained.fix ?? fixOf(error, manifest), cause: error })
    : explained
}

function explainInvalid(
  error: StatusError,
  place: { readonly what: string; readonly at: (path: string) => string; readonly start: string },
): CliError {
  const causes = error.details?.causes ?? []
  const [first, ...others] = causes
  if (!first?.field) return new CliError(place.what, { where: place.start, why: error.message, cause: error })
  const why = [first, ...others].map(({ field = '', message = '' }, index) =>
    index === 0 ? `${field}: ${message}` : `${field}: ${message} (${place.at(field)})`,
  )
  return new CliError(place.what, { where: place.at(first.field), why: why.join('\n'), cause: error })
}

function fixOf(error: StatusError, { object }: Manifest): string | undefined {
  const { namespace } = object.metadata
  if (error.reason === 'NotFound' && namespace) return `make the namespace first: put a Namespace "${namespace}" into the manifests`
  return undefined
}

/** The first field that does not exist or has a value of the wrong type: found with the very code the server uses. */
function findProblem({ object }: Manifest): { readonly path: string; readonly why: string; readonly fix: string | undefined } | undefined {
  const kind = BUILT_IN_KINDS.find((one) => one.kind === object.kind && apiVersionOf(one) === object.apiVersion)
  const schema: Schema | undefined = kind?.schema === undefined ? undefined : resolveSchema(kind.schema)
  if (!schema) return undefined
  const { unknown, errors } = admit(schema, structuredClone(object), { unknownFields: 'strict' })
  const [wrong] = errors
  if (wrong) return { path: wrong.field, why: `${wrong.field}: ${wrong.message}`, fix: undefined }
  const [path, ...more] = unknown
  if (path === undefined) return undefined
  const why = `unknown field "${path}"${more.length > 0 ? ` (and ${more.map((one) => `"${one}"`).join(', ')})` : ''}`
  return { path, why, fix: suggestField(schema, path) ?? `see the fields with: kubectl explain ${object.kind.toLowerCase()}` }
}
