import { fieldsOf, textOf } from './descriptor-fields.ts'

/** How a method is called over HTTP. Source: google/api/http.proto. */
export interface HttpBinding {
  /** `GET`, or whatever a custom rule names; `*`: any. */
  readonly method: string
  readonly template: string
  /** Field of the request that the body is; `*`: the whole request; empty: there is none. */
  readonly body: string
  /** Field of the response that the answer is; empty: all of it. */
  readonly responseBody: string
}

/** The binding of a rule, and additional ones. */
export type HttpRule = readonly HttpBinding[]

const METHODS = [
  [2, 'GET'],
  [3, 'PUT'],
  [4, 'POST'],
  [5, 'DELETE'],
  [6, 'PATCH'],
] as const

/** Of the fields of a google.api.HttpRule. */
export function readHttpRule(fields: ReturnType<typeof fieldsOf>): HttpRule {
  const parts = { body: textOf(fields, 7), responseBody: textOf(fields, 12) }
  const own: HttpBinding[] = METHODS.flatMap(([number, method]) =>
    fields.has(number) ? [{ method, template: textOf(fields, number), ...parts }] : [],
  )
  const custom = fields.get(8)?.at(-1)
  if (custom !== undefined) {
    const pattern = fieldsOf(custom)
    own.push({ method: textOf(pattern, 1), template: textOf(pattern, 2), ...parts })
  }
  return [...own, ...(fields.get(11) ?? []).flatMap((one) => readHttpRule(fieldsOf(one)))]
}
