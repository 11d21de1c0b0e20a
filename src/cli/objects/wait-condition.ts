import { findCondition, type ConditionLike } from '../../api/conditions.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { usageError } from '../errors/cli-error.ts'

/** What `wait --for` waits for. */
export interface WaitCondition {
  /** Such as `condition met`: what kubectl prints then. */
  readonly met: string
  readonly isDone: (object: KubeObject | undefined) => boolean
  /** An object that is not there is an error at once. */
  readonly needsObject: boolean
}

/** Reads `condition=NAME[=VALUE]`, `delete`, `create`, `jsonpath={.path}[=VALUE]`. @throws {CliError} */
export function parseWaitCondition(text: string): WaitCondition {
  if (text === 'delete') return { met: 'deleted', isDone: (object) => object === undefined, needsObject: false }
  if (text === 'create') return { met: 'created', isDone: (object) => object !== undefined, needsObject: false }
  const condition = /^condition=([^=]+)(?:=(.*))?$/.exec(text)
  if (condition) return onCondition(condition[1] as string, condition[2] ?? 'True')
  const path = /^jsonpath=(?:'|")?\{?([^}]*)\}?(?:'|")?(?:=(.*))?$/.exec(text)
  if (path?.[1]) return onPath(path[1], path[2])
  throw usageError(`--for=${text} is not understood`, "use condition=Ready, delete, create, or jsonpath='{.status.phase}'=Running")
}

type WithConditions = KubeObject & {
  readonly status?: { readonly conditions?: readonly ConditionLike[]; readonly observedGeneration?: number }
}

function onCondition(name: string, wanted: string): WaitCondition {
  return {
    met: 'condition met',
    needsObject: true,
    isDone: (object) => {
      const status = (object as WithConditions | undefined)?.status
      // what is said of an older generation does not count
      if ((status?.observedGeneration ?? Infinity) < (object?.metadata.generation ?? 0)) return false
      const found =
        findCondition(status?.conditions, name) ?? status?.conditions?.find(({ type }) => type.toLowerCase() === name.toLowerCase())
      return found?.status.toLowerCase() === wanted.toLowerCase()
    },
  }
}

function onPath(path: string, wanted: string | undefined): WaitCondition {
  return {
    met: 'condition met',
    needsObject: true,
    isDone: (object) => {
      const value = valueAt(object, path)
      if (value === undefined || value === null) return false
      return wanted === undefined || String(value as string | number | boolean) === wanted
    },
  }
}

/** The value at a plain path such as `.status.conditions[0].type`. */
export function valueAt(object: unknown, path: string): unknown {
  let at = object
  for (const [, key, index] of path.matchAll(/\.?([^.[\]]+)|\[(\d+)\]/g)) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<string, unknown>)[key ?? (index as string)]
  }
  return at
}
