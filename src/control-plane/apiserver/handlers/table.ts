import { encodeJson } from '../../../base/json.ts'
import { tableColumns } from '../../../api/print/columns.ts'
import type { Column } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { ServerRequest } from '../contract.ts'
import { badRequest, type Resource } from '../registry/index.ts'
import { firstOf } from './query-options.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

export interface TableOptions {
  readonly version: 'v1' | 'v1beta1'
  readonly includeObject: IncludeObject
  readonly nowMs: number
}

/** What each row carries besides its cells. Source: metav1.TableOptions. @throws {StatusError} `BadRequest` */
export function includeObjectOf(request: ServerRequest): IncludeObject {
  const value = firstOf(request.query, 'includeObject') || 'Metadata'
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value
  throw badRequest(`invalid includeObject value ${JSON.stringify(value)}: use None, Metadata or Object`)
}

/** A table without its rows: `{"kind":"Table",...,"columnDefinitions":[...]`, to which a reader adds `,"rows":[...]}`. */
export function tableHead(resource: Resource, version: string, metadata: object): string {
  const columnDefinitions = tableColumns(resource.kind).map(definitionOf)
  const head = JSON.stringify({ kind: 'Table', apiVersion: `meta.k8s.io/${version}`, metadata, columnDefinitions })
  return head.slice(0, -1)
}

/** One row. */
export function tableRow(resource: Resource, object: KubeObject, options: TableOptions): string {
  const cells = tableColumns(resource.kind).map((column) => cellOf(column, object, options.nowMs))
  const row: { cells: unknown[]; object?: unknown } = { cells }
  if (options.includeObject === 'Metadata') row.object = partialObject(object, options.version)
  else if (options.includeObject === 'Object') row.object = object
  return encodeJson(row)
}

/** Metadata alone, as metadata informers and the garbage collector read it. */
export function partialObject(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata }
}

function definitionOf(column: Column<never>): object {
  const { name, type, format, description, priority } = column
  return { name, type, format: format ?? '', description, priority: priority ?? 0 }
}

function cellOf(column: Column<KubeObject>, object: KubeObject, nowMs: number): unknown {
  try {
    return column.value(object, nowMs)
  } catch {
    // an odd object must not hide the others of its list
    return '<error>'
  }
}
