import type { Schema } from '../../api/schema/index.ts'
import { didYouMean } from '../errors/did-you-mean.ts'

/** What field may have been meant by one that does not exist. */
export function suggestField(root: Schema | undefined, path: string): string | undefined {
  const steps = stepsOf(path)
  const last = steps.at(-1)
  let schema = root
  for (const step of steps.slice(0, -1)) {
    if (schema?.type === 'object') schema = schema.properties.get(String(step))?.schema
    else if (schema?.type === 'array') schema = schema.items
    else if (schema?.type === 'map') schema = schema.values
    else return undefined
  }
  return schema?.type === 'object' && typeof last === 'string' ? didYouMean(last, schema.properties.keys()) : undefined
}

/** Steps of a path such as `spec.containers[0].name`. Keys that hold dots are taken apart: such a field gets no suggestion. */
function stepsOf(path: string): readonly (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) => (index === undefined ? (key as string) : Number(index)))
}
