import { getOwn } from '../../../base/json.ts'

/**
 * A message with the fields of another: messages are merged, an Any only into one of the same type, and lists are put behind each other, as protobuf merges
 * them. Scalars replace.
 */
export function mergeMessage(into: unknown, from: unknown): unknown {
  if (from === undefined || from === null) return into
  if (Array.isArray(from)) return Array.isArray(into) ? [...(into as unknown[]), ...(from as unknown[])] : from
  if (!isRecord(from) || !isRecord(into)) return from
  if (from['@type'] !== into['@type'] && from['@type'] !== undefined) return from
  const out: Record<string, unknown> = { ...into }
  for (const [key, value] of Object.entries(from)) out[key] = mergeMessage(getOwn(out, key), value)
  return out
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * A JSON pointer whose names may be lowerCamelCase, in the names of the tables. Keys of maps that exist under exactly this name, such as types of extensions,
 * stay as they are.
 */
export function snakeCasePointer(document: unknown, pointer: string): string {
  let here: unknown = document
  return pointer
    .split('/')
    .map((segment) => {
      if (segment === '') return segment
      const name = segment.replaceAll('~1', '/').replaceAll('~0', '~')
      const exact = isRecord(here) && Object.hasOwn(here, name)
      const spelled = exact || !/^[a-z][A-Za-z0-9]*$/.test(name) ? name : snakeCase(name)
      here = Array.isArray(here) ? (here as unknown[])[Number(name)] : isRecord(here) ? here[spelled] : undefined
      return spelled.replaceAll('~', '~0').replaceAll('/', '~1')
    })
    .join('/')
}
