import type { KindDefinition } from '../../api/kind.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import type { Session } from '../connect.ts'
import { usageError } from '../errors/cli-error.ts'
import { findKinds } from './find-kind.ts'
import { parseTargets } from './parse-targets.ts'

/** Which objects of the kinds that were named. */
export interface Selection {
  readonly allNamespaces?: boolean
  readonly selector?: string
  readonly fieldSelector?: string
}

/** One kind a command line means, with the names of it that were given; none means all. */
export interface ResolvedTarget {
  readonly kind: KindDefinition
  readonly names: readonly string[]
}

/** Finds the kinds of a command line's words. Names of one kind are gathered. @throws {CliError} */
export async function resolveTargets(session: Session, words: readonly string[]): Promise<readonly ResolvedTarget[]> {
  const found = new Map<KindDefinition, string[]>()
  for (const target of parseTargets(words)) {
    for (const kind of await findKinds(session.discovery, target.kind)) {
      const names = found.get(kind) ?? []
      found.set(kind, names)
      if (target.name !== undefined) names.push(target.name)
    }
  }
  return [...found].map(([kind, names]) => ({ kind, names }))
}

/** Where objects of a kind are looked for; undefined means everywhere. */
export function namespaceFor(session: Session, kind: KindDefinition, selection: Selection): string | undefined {
  return kind.namespaced && !selection.allNamespaces ? session.namespace : undefined
}

/** An object and its kind. */
export interface Found {
  readonly kind: KindDefinition
  readonly object: KubeObject
}

/** Reads what a command line names. @throws {CliError | StatusError} `NotFound` for a name that is not there */
export async function fetchObjects(session: Session, words: readonly string[], selection: Selection): Promise<readonly Found[]> {
  const found: Found[] = []
  for (const { kind, names } of await resolveTargets(session, words)) {
    const namespace = namespaceFor(session, kind, selection)
    checkSelection(names, selection)
    const client = session.client.of(kind)
    if (names.length > 0) for (const name of names) found.push({ kind, object: await client.get(name, { namespace }) })
    else {
      const { items } = await client.listAll({
        namespace,
        ...(selection.selector === undefined ? {} : { labelSelector: selection.selector }),
        ...(selection.fieldSelector === undefined ? {} : { fieldSelector: selection.fieldSelector }),
      })
      found.push(...items.map((object) => ({ kind, object })))
    }
  }
  return found
}

/** @throws {CliError} for names together with what selects among all */
export function checkSelection(names: readonly string[], selection: Selection): void {
  if (names.length === 0) return
  if (selection.selector !== undefined || selection.fieldSelector !== undefined) throw usageError('names and a selector exclude each other')
  if (selection.allNamespaces) throw usageError('an object has its name in one namespace: use -n instead of -A')
}
