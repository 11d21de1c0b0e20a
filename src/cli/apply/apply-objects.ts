import type { KindDefinition } from '../../api/kind.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { BUILT_IN_KINDS } from '../../api/registry.ts'
import { patchSchemaOf } from '../../api/schema/patch-schema.ts'
import { isStatus } from '../../base/errors.ts'
import { encodeJson } from '../../base/json.ts'
import { resourcePath } from '../../client/resource-path.ts'
import type { ApiResponse, Transport } from '../../client/transport.ts'
import type { CliError } from '../errors/cli-error.ts'
import { displayName, kindOfObject } from '../objects/find-kind.ts'
import type { Session } from '../connect.ts'
import { explainRefusal } from './explain-refusal.ts'
import { orderManifests } from './order-manifests.ts'
import { isAmbiguous, lastAppliedOf, planPatch, withLastApplied } from './plan-apply.ts'
import type { Manifest } from './read-manifests.ts'

export type ApplyOutcome = 'created' | 'configured' | 'unchanged'

export interface Applied {
  readonly outcome: ApplyOutcome
  readonly kind: KindDefinition
  /** As the server has it now. */
  readonly object: KubeObject
  /** `deployment.apps/web`. */
  readonly name: string
  /** From the server. */
  readonly warnings: readonly string[]
}

export interface ApplyOptions {
  readonly dryRun?: boolean
  /** Told of each object as soon as it is done. */
  readonly onApplied: (applied: Applied) => void
  /** Told of each that failed; the others are applied all the same. */
  readonly onFailed: (error: CliError) => void
}

/** Creates or patches each object, as `kubectl apply` does on the client's side. @returns what was applied */
export async function applyObjects(session: Session, manifests: readonly Manifest[], options: ApplyOptions): Promise<readonly Applied[]> {
  const applied: Applied[] = []
  for (const manifest of orderManifests(manifests)) {
    try {
      const one = await applyObject(session, manifest, options)
      applied.push(one)
      options.onApplied(one)
    } catch (error) {
      options.onFailed(explainRefusal(error, manifest))
    }
  }
  return applied
}

interface Request {
  readonly transport: Transport
  readonly kind: KindDefinition
  readonly namespace: string | undefined
  readonly query: Readonly<Record<string, string>>
}

const FIELD_MANAGER = 'kubectl-client-side-apply'

async function applyObject(session: Session, manifest: Manifest, options: ApplyOptions): Promise<Applied> {
  const { object } = manifest
  const found = await kindOfObject(session.discovery, object, `${manifest.fileName}:${manifest.line}:1`)
  // what is built in is known better than discovery tells: its schema has the merge keys
  const kind = BUILT_IN_KINDS.find((one) => one.kind === found.kind && one.group === found.group && one.version === found.version) ?? found
  const namespace = kind.namespaced ? (object.metadata.namespace ?? session.namespace) : undefined
  const query = { fieldManager: FIELD_MANAGER, fieldValidation: 'Strict', ...(options.dryRun ? { dryRun: 'All' } : {}) }
  const request: Request = { transport: session.client.transport, kind, namespace, query }
  const wanted = withLastApplied(namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } })
  const name = object.metadata.name
  const current = name === undefined ? undefined : await read(request, name)
  const response =
    current === undefined || name === undefined ? await create(request, wanted) : await patch(request, { name, wanted, current })
  const result = (await response.object()) as KubeObject
  return {
    outcome: current === undefined ? 'created' : isUnchanged(current, result) ? 'unchanged' : 'configured',
    kind,
    object: result,
    name: displayName(kind, result.metadata.name),
    warnings: warningsOf(response),
  }
}

/** A dry run leaves the version as it is, so the contents count too. */
function isUnchanged(before: KubeObject, after: KubeObject): boolean {
  const bare = ({ metadata: { managedFields: _fields, resourceVersion: _version, ...metadata }, ...rest }: KubeObject): object => ({
    metadata,
    ...rest,
  })
  return before.metadata.resourceVersion === after.metadata.resourceVersion && deepEqual(bare(before), bare(after))
}

async function read({ transport, kind, namespace }: Request, name: string): Promise<KubeObject | undefined> {
  try {
    const response = await transport.send({ method: 'GET', path: resourcePath(kind, { namespace, name }) })
    return (await response.object()) as KubeObject
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined
    throw error
  }
}

function create({ transport, kind, namespace, query }: Request, object: object): Promise<ApiResponse> {
  const path = resourcePath(kind, { namespace })
  // bytes: the manifest may hold integers that a JavaScript number does not
  return transport.send({
    method: 'POST',
    path,
    query,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(encodeJson(object)),
  })
}

function patch(
  { transport, kind, namespace, query }: Request,
  change: { readonly name: string; readonly wanted: Record<string, unknown>; readonly current: KubeObject },
): Promise<ApiResponse> {
  const known = kind.schema === undefined ? undefined : patchSchemaOf(kind.schema)
  const schema = known && !isAmbiguous(change.wanted, known) ? known : undefined
  const body = Buffer.from(encodeJson(planPatch(lastAppliedOf(change.current), change.wanted, schema)))
  const type = schema === undefined ? 'application/merge-patch+json' : 'application/strategic-merge-patch+json'
  const path = resourcePath(kind, { namespace, name: change.name })
  return transport.send({ method: 'PATCH', path, query, headers: { 'content-type': type }, body })
}

/** Texts of `Warning: 299 - "..."` headers. */
function warningsOf(response: ApiResponse): readonly string[] {
  const header = response.headers['warning'] ?? ''
  return [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text]) => (text ?? '').replaceAll(/\\(.)/g, '$1'))
}
