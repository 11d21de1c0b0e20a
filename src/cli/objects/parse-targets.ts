import { usageError } from '../errors/cli-error.ts'

/** What a user means: a kind, and a name where one was given. */
export interface Target {
  /** As typed: `pods`, `po`, `deployments.apps`. */
  readonly kind: string
  readonly name?: string
}

/**
 * Reads `KIND`, `KIND NAME...`, `KIND/NAME...` and `KIND,KIND`, as kubectl does.
 * @throws {CliError} usage errors
 */
export function parseTargets(words: readonly string[]): readonly Target[] {
  const [first, ...rest] = words
  if (first === undefined) throw usageError('say what: a KIND, KIND NAME or KIND/NAME')
  if (words.some((word) => word.includes('/'))) return words.map(parseSlash)
  const kinds = first.split(',').filter((kind) => kind !== '')
  if (rest.length === 0) return kinds.map((kind) => ({ kind }))
  return kinds.flatMap((kind) => rest.map((name) => ({ kind, name })))
}

function parseSlash(word: string): Target {
  const [kind, name, ...more] = word.split('/')
  if (!kind || !name || more.length > 0) {
    throw usageError(`"${word}" is not KIND/NAME`, 'either give all objects as KIND/NAME, or one KIND and then names')
  }
  return { kind, name }
}
