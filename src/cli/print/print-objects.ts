import { dumpYaml } from '../../api/yaml.ts'
import { encodeJson } from '../../base/json.ts'
import { displayName } from '../objects/find-kind.ts'
import type { Found } from '../objects/fetch-objects.ts'

/**
 * Objects as data. @param single whether one object was asked for: it is printed alone, anything else as a List
 */
export function printObjects(found: readonly Found[], format: 'json' | 'yaml' | 'name', single: boolean): string {
  if (format === 'name') return found.map(({ kind, object }) => `${displayName(kind, object.metadata.name)}\n`).join('')
  const objects = found.map(({ object }) => object)
  const value =
    single && objects.length === 1 ? objects[0] : { apiVersion: 'v1', items: objects, kind: 'List', metadata: { resourceVersion: '' } }
  return format === 'yaml' ? dumpYaml(value) : printJson(value)
}

/** JSON over several lines, indented as kubectl does it, integers of any size as they are. */
export function printJson(value: unknown): string {
  return `${indentJson(encodeJson(value))}\n`
}

/** Lays out JSON text without reading its values. */
function indentJson(text: string): string {
  let depth = 0
  let result = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    if (char === '"') {
      let end = i + 1
      while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1
      result += text.slice(i, end + 1)
      i = end
    } else if ((char === '{' && text[i + 1] === '}') || (char === '[' && text[i + 1] === ']')) {
      result += char + (text[++i] as string)
    } else if (char === '{' || char === '[') result += `${char}${newline(++depth)}`
    else if (char === '}' || char === ']') result += `${newline(--depth)}${char}`
    else if (char === ',') result += `,${newline(depth)}`
    else result += char === ':' ? ': ' : char
  }
  return result
}

function newline(depth: number): string {
  return `\n${'    '.repeat(depth)}`
}
