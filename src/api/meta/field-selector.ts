import { StatusError } from '../../base/errors.ts'
import type { KindDefinition } from '../kind.ts'
import type { KubeObject } from './object.ts'

export interface FieldRequirement {
  /** Path of a field, such as `spec.nodeName`. */
  readonly key: string
  readonly op: '=' | '!='
  readonly value: string
}

export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[]
}

/**
 * Parses the text of a `fieldSelector` query parameter: `metadata.name=a,status.phase!=Running`. In values `\,`, `\=`
 * and `\\` stand for the plain characters. Source: apimachinery fields.ParseSelector.
 * @throws {StatusError} BadRequest
 */
export function parseFieldSelector(text: string): FieldSelector {
  const terms = splitTerms(text).filter((term) => term !== '')
  return { requirements: terms.map((term) => parseTerm(term, text)) }
}

/** Text that parseFieldSelector reads back as `selector`. */
export function formatFieldSelector(selector: FieldSelector): string {
  return selector.requirements.map(({ key, op, value }) => `${key}${op}${value.replaceAll(/[\\,=]/g, '\\$&')}`).join(',')
}

/**
 * Compiles `selector` for objects of `kind`: metadata.name, metadata.namespace and what `kind.fieldSelectors` adds.
 * @throws {StatusError} BadRequest for any other field
 */
export function fieldSelectorMatcher<T extends KubeObject>(
  selector: FieldSelector,
  kind: Pick<KindDefinition<T>, 'fieldSelectors'>,
): (object: T) => boolean {
  const tests = selector.requirements.map(({ key, op, value }) => {
    const read = fieldReader(key, kind)
    return (object: T): boolean => (read(object) === value) === (op === '=')
  })
  return (object) => tests.every((test) => test(object))
}

/** The one value that `key` must have, or undefined where the selector leaves it open. Serves to turn a list into a get. */
export function requiredField(selector: FieldSelector, key: string): string | undefined {
  return selector.requirements.find((requirement) => requirement.key === key && requirement.op === '=')?.value
}

function fieldReader<T extends KubeObject>(key: string, kind: Pick<KindDefinition<T>, 'fieldSelectors'>): (object: T) => string {
  if (key === 'metadata.name') return (object) => object.metadata.name
  if (key === 'metadata.namespace') return (object) => object.metadata.namespace ?? ''
  const fields = kind.fieldSelectors ?? {}
  const read = Object.hasOwn(fields, key) ? fields[key] : undefined
  if (read === undefined) throw new StatusError('BadRequest', `field label not supported: ${key}`)
  return read
}

function parseTerm(term: string, text: string): FieldRequirement {
  // the first operator splits: keys hold none of these characters
  const match = /^([^=!\\]*)(!=|==|=)(.*)$/s.exec(term)
  if (!match) throw new StatusError('BadRequest', `invalid selector: '${text}'; can't understand '${term}'`)
  const [, key, op, value] = match as unknown as [string, string, string, string]
  return { key, op: op === '!=' ? '!=' : '=', value: unescape(value, text) }
}

function splitTerms(text: string): string[] {
  const terms: string[] = []
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === ',') {
      terms.push(text.slice(start, i))
      start = i + 1
    }
  }
  terms.push(text.slice(start))
  return terms
}

function unescape(value: string, text: string): string {
  if (!/[\\=]/.test(value)) return value
  const bad = /^(?:[^\\=]|\\[\\,=])*/.exec(value) as RegExpExecArray
  if (bad[0].length < value.length) {
    throw new StatusError('BadRequest', `invalid selector: '${text}'; unescaped character or bad escape in value '${value}'`)
  }
  return value.replaceAll(/\\(.)/g, '$1')
}
