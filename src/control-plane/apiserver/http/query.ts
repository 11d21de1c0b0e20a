import { StatusError } from '../../../base/errors.ts'

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * Query parameters without their leading `?`. The result has no prototype, so that a parameter may have any name.
 * @throws {StatusError} `BadRequest` for broken percent-encoding
 */
export function parseQuery(text: string): Query {
  const query = Object.create(null) as Record<string, string | string[]>
  if (text === '') return query
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw new StatusError('BadRequest', 'the query has a broken percent-encoding')
  for (const [name, value] of new URLSearchParams(text)) {
    const before = query[name]
    if (before === undefined) query[name] = value
    else if (typeof before === 'string') query[name] = [before, value]
    else before.push(value)
  }
  return query
}

/** The first value of a parameter. */
export function firstOf(query: Query | undefined, name: string): string | undefined {
  const value = query?.[name]
  return typeof value === 'string' || value === undefined ? value : value[0]
}

/** A boolean parameter: present and neither `false` nor `0`. Source: k8s.io/apimachinery Convert_Slice_string_To_bool. */
export function flagOf(query: Query | undefined, name: string): boolean {
  const value = firstOf(query, name)
  return value !== undefined && value !== '0' && value.toLowerCase() !== 'false'
}
