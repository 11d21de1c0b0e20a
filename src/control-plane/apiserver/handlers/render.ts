import { encodeJson } from '../../../base/json.ts'
import type { KubeObject, WatchEventType } from '../../../api/meta/object.ts'
import { dumpYaml } from '../../../api/yaml.ts'
import type { Payload, ServerResponse, ServerWatchEvent } from '../contract.ts'
import {
  ChunkPacker,
  WHOLE_OBJECTS,
  wireChunks,
  type EventForm,
  type ObjectState,
  type Resource,
  type StoredObject,
} from '../registry/index.ts'
import type { View } from './accept.ts'
import { partialObject, tableHead, tableRow, type IncludeObject, type TableOptions } from './table.ts'

/** How one request wants objects shown. */
export interface Rendering {
  readonly view: View
  readonly yaml: boolean
  readonly includeObject: IncludeObject
  readonly nowMs: () => number
}

/** Answers with one object. */
export function renderObject(stored: StoredObject, rendering: Rendering, status = 200): ServerResponse {
  return answer(status, objectChunks(stored.resource, stored, rendering), rendering.yaml)
}

/** Answers with any value that is not stored (Scale, Status). */
export function renderValue(value: unknown, status = 200): ServerResponse {
  return answer(status, [Buffer.from(encodeJson(value))], false)
}

/** Collects a list piece by piece, so that no list exists as objects. */
export class ListRenderer {
  readonly #resource: Resource
  readonly #rendering: Rendering
  readonly #items = new ChunkPacker()
  #count = 0

  constructor(resource: Resource, rendering: Rendering) {
    this.#resource = resource
    this.#rendering = rendering
  }

  add(state: Pick<StoredObject, 'value'> & { readonly revision: bigint; readonly object: () => KubeObject }): void {
    if (this.#count++ > 0) this.#items.add(COMMA)
    const { view } = this.#rendering
    if (view.as === 'object') for (const chunk of wireChunks(this.#resource, state.value, state.revision)) this.#items.add(chunk)
    else if (view.as === 'partial') this.#items.addText(encodeJson(partialObject(state.object(), view.version)))
    else this.#items.addText(tableRow(this.#resource, state.object(), tableOptions(view.version, this.#rendering)))
  }

  finish(metadata: object): ServerResponse {
    return answer(200, [Buffer.from(this.#head(metadata)), ...this.#items.finish(), END], this.#rendering.yaml)
  }

  #head(metadata: object): string {
    const { view } = this.#rendering
    if (view.as === 'table') return `${tableHead(this.#resource, view.version, metadata)},"rows":[`
    const partial = view.as === 'partial'
    const kind = partial ? 'PartialObjectMetadataList' : this.#resource.listKind
    const apiVersion = partial ? `meta.k8s.io/${view.version}` : this.#resource.apiVersion
    return `${JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1)},"items":[`
  }
}

const COMMA = Buffer.from(',')
const END = Buffer.from(']}')
const LINE_END = Buffer.from('}\n')

/** The form in which a watch wants its events. */
export function eventForm(resource: Resource, rendering: Rendering): EventForm {
  const { view, includeObject } = rendering
  const id = view.as === 'object' ? WHOLE_OBJECTS : `${view.as} ${view.version} ${includeObject}`
  return {
    id,
    encode: (type, state) => {
      const chunks = view.as === 'object' ? wireChunks(resource, state.value, state.revision) : viewChunks(resource, rendering, state)
      return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), ...chunks, LINE_END])
    },
  }
}

/** A bookmark: a revision and nothing else, in the form of the watch's objects. */
export function bookmarkEvent(resource: Resource, rendering: Rendering, at: { revision: bigint; initialEnd: boolean }): ServerWatchEvent {
  const { view } = rendering
  const annotations = at.initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const metadata = { resourceVersion: String(at.revision), creationTimestamp: null, ...annotations }
  const { kind, apiVersion } = view.as === 'object' ? { kind: resource.kind.kind, apiVersion: resource.apiVersion } : viewType(view)
  const rest = view.as === 'table' ? { columnDefinitions: [], rows: [] } : {}
  const type: WatchEventType = 'BOOKMARK'
  const object = { kind, apiVersion, metadata, ...rest }
  return { type, object: object as unknown as KubeObject, line: Buffer.from(`${JSON.stringify({ type, object })}\n`) }
}

function viewType(view: Exclude<View, { as: 'object' }>): { kind: string; apiVersion: string } {
  return { kind: view.as === 'table' ? 'Table' : 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${view.version}` }
}

function objectChunks(resource: Resource, stored: StoredObject, rendering: Rendering): readonly Uint8Array[] {
  if (rendering.view.as !== 'object') {
    return viewChunks(resource, rendering, { ...stored, revision: stored.revision ?? 0n, object: () => stored.object })
  }
  if (stored.revision === undefined) return [Buffer.from(encodeJson(stored.object))]
  return wireChunks(resource, stored.value, stored.revision)
}

function viewChunks(resource: Resource, rendering: Rendering, state: ObjectState): readonly Uint8Array[] {
  const { view } = rendering
  const object = state.object()
  if (view.as !== 'table') return [Buffer.from(encodeJson(partialObject(object, view.as === 'partial' ? view.version : 'v1')))]
  const metadata = { resourceVersion: object.metadata.resourceVersion ?? '' }
  const row = tableRow(resource, object, tableOptions(view.version, rendering))
  return [Buffer.from(`${tableHead(resource, view.version, metadata)},"rows":[${row}]}`)]
}

function tableOptions(version: 'v1' | 'v1beta1', rendering: Rendering): TableOptions {
  return { version, includeObject: rendering.includeObject, nowMs: rendering.nowMs() }
}

function answer(status: number, chunks: readonly Uint8Array[], yaml: boolean): ServerResponse {
  const parse = (): unknown => JSON.parse(textOf(chunks))
  if (!yaml) return { status, body: { type: 'json', chunks, parse } }
  const body: Payload = { type: 'json', chunks: [Buffer.from(dumpYaml(parse()))], parse }
  return { status, headers: { 'content-type': 'application/yaml' }, body }
}

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString()
}
