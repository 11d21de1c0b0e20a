import { StatusError } from '../../../base/errors.ts'
import { meshAuthorizationPolicies, meshRequestAuthentications } from '../../../api/biplane.dev/v1alpha1/mesh-request-policies.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { meshPolicies } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { Client } from '../../../client/client.ts'
import type { ProxyView } from '../../../policy/traffic/input/index.ts'
import { explainCall } from '../../../policy/traffic/explain/index.ts'
import { POLICY_PLUGINS } from '../../../policy/traffic/policies/index.ts'
import { MESH_VIEW_PATH } from '../../../protocols/mesh-view.ts'
import { decodeBody } from '../../apiserver/handlers/body.ts'
import type { Handler, ServerRequest } from '../../apiserver/index.ts'
import { SYSTEM_NAMESPACE, type BuiltWorld, type MeshControl, type SeenCall } from '../control/index.ts'
import { configAnswer } from './config-answer.ts'
import { dryRunAnswer } from './dry-run-answer.ts'
import { explainQuery } from './explain-query.ts'
import { policiesAnswer } from './policies-answer.ts'
import { proxiesAnswer } from './proxies-answer.ts'
import { strictAnswer } from './strict-answer.ts'

export interface MeshViewOptions {
  /** Undefined: it has not been started yet. */
  readonly control: () => MeshControl | undefined
  /** Decodes and checks policies of a dry run, by a dry run of its own. */
  readonly client: () => Client
}

type Answer = (mesh: Mesh, request: ServerRequest, name: string) => unknown

interface Mesh {
  readonly control: MeshControl
  readonly built: BuiltWorld
  readonly client: Client
}

/** Answers what `protocols/mesh-view` says. Read-only, a dry run too. Authorized before: as paths that are no resources. @throws {StatusError} */
export function createMeshViewHandler({ control, client }: MeshViewOptions): Handler {
  return async (request) => {
    const [method, answer, name] = routeOf(request.path)
    if (request.method !== method) {
      throw new StatusError('MethodNotAllowed', `${request.path} is asked for by ${method}, not by ${request.method}`)
    }
    const running = control()
    const built = running?.built
    if (!running || !built) throw new StatusError('ServiceUnavailable', 'the control plane of the mesh is starting: ask again in a moment')
    return { status: 200, body: { type: 'object', value: await answer({ control: running, built, client: client() }, request, name) } }
  }
}

function routeOf(path: string): readonly ['GET' | 'POST', Answer, string] {
  const below = path.startsWith(`${MESH_VIEW_PATH}/`) ? path.slice(MESH_VIEW_PATH.length + 1) : ''
  const [, name] = /^proxies\/([^/]+)\/config$/.exec(below) ?? []
  const answer = ANSWERS.get(name === undefined ? below : 'config')
  if (!answer) throw new StatusError('NotFound', 'the server could not find the requested resource')
  return [below === 'dry-run' ? 'POST' : 'GET', answer, name === undefined ? '' : decoded(name)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new StatusError('BadRequest', `${JSON.stringify(text)} has a broken percent-encoding`)
  }
}

const ANSWERS: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['proxies', ({ control }) => proxiesAnswer(control.proxies.values(), control.xds.view(), (proxy) => control.seesAll(proxy))],
  ['config', config],
  ['explain', explain],
  ['strict', strict],
  [
    'policies',
    ({ control, built }) =>
      policiesAnswer(built.world, {
        findings: control.findings,
        acks: (origin) => control.xds.truth.of(origin),
        quarantined: (origin) => control.quarantine.of(origin),
      }),
  ],
  ['dry-run', judge],
])

/** What proxies tell of calls. @param sees whether one would see what is asked about; undefined: none tells that does */
function seen(
  { ledger, proxies, xds }: MeshControl,
  sees: (proxy: ProxyView) => boolean = () => true,
): { readonly calls: Iterable<SeenCall>; readonly silent: readonly string[] } | undefined {
  const asked = xds.view().filter(({ connected, proxy }) => connected && (proxies.get(proxy)?.kind ?? 'gateway') !== 'gateway')
  const silent = asked.map(({ proxy }) => proxy).filter((name) => !ledger.tells(name) || !sees(proxies.get(name) as ProxyView))
  return silent.length < asked.length ? { calls: ledger.calls, silent } : undefined
}

function strict({ control, built }: Mesh): unknown {
  const isIntercepted = (proxy: ProxyView): boolean => control.seesAll(proxy)
  const why = built.proxies.some(isIntercepted)
    ? 'no proxy tells of the calls that it has seen'
    : 'nothing is intercepted on the nodes of these proxies (`biplane proxies -o wide`), so plain text goes past them'
  return strictAnswer(seen(control, isIntercepted) ?? why, { world: built.world, proxies: built.proxies, pods: control.pods.list() })
}

function config({ control }: Mesh, { query }: ServerRequest, name: string): unknown {
  const compiled = control.compiled(name)
  if (!compiled) throw new StatusError('NotFound', `there is no proxy ${JSON.stringify(name)}: names are those of pods, as POD.NAMESPACE`)
  return configAnswer(name, compiled, [query?.['type'] ?? []].flat())
}

function explain({ control, built }: Mesh, { query = {} }: ServerRequest): unknown {
  const { from, to, request } = explainQuery(query)
  const proxy = built.proxies.find(({ namespace, pod }) => namespace === from.namespace && pod === from.pod)
  const pod = control.pods.get(`${from.namespace}/${from.pod}`)
  if (!proxy && !pod)
    throw new StatusError('NotFound', `pods ${JSON.stringify(from.pod)} not found in namespace ${JSON.stringify(from.namespace)}`)
  const ips = (pod?.status?.podIPs ?? []).map(({ ip }) => ip)
  return explainCall({
    world: built.world,
    plugins: POLICY_PLUGINS,
    proxies: built.proxies,
    from: proxy ?? { kind: 'plain', ...from, ips },
    to,
    request,
    ...(control.compiler ? { compiler: control.compiler } : {}),
  })
}

const POLICY_KINDS = [...meshPolicies, meshRequestAuthentications, meshAuthorizationPolicies] as readonly KindDefinition<any>[]

async function judge({ client, built, control }: Mesh, request: ServerRequest): Promise<unknown> {
  const sent = decodeBody(request)?.value as (KubeObject & { readonly [field: string]: unknown }) | undefined
  const { apiVersion, kind } = sent ?? {}
  const definition = POLICY_KINDS.find((one) => one.kind === kind && `${one.group}/${one.version}` === apiVersion)
  if (!sent || !definition) {
    const text = typeof kind === 'string' && typeof apiVersion === 'string' ? `${apiVersion} ${kind}` : 'the body'
    throw new StatusError('BadRequest', `${text} is no policy of the mesh; those are ${POLICY_KINDS.map((one) => one.kind).join(', ')}`)
  }
  const policy = { ...(await asWritten(client, definition, sent)), apiVersion, kind } as KubeObject
  const { calls, silent = [] } = seen(control) ?? {}
  return dryRunAnswer({ policy, world: built.world, proxies: built.proxies, systemNamespace: SYSTEM_NAMESPACE, seen: calls, silent })
}

/** The object as it would be stored: defaults are set, everything is checked. */
async function asWritten(client: Client, kind: KindDefinition<KubeObject>, sent: KubeObject): Promise<KubeObject> {
  const { name, namespace = 'default' } = sent.metadata ?? {}
  if (typeof name !== 'string' || name === '') throw new StatusError('BadRequest', 'metadata.name: is missing')
  const resource = client.of(kind)
  const present = await resource.get(name, { namespace }).catch((error: unknown) => {
    if (error instanceof StatusError && error.reason === 'NotFound') return undefined
    throw error
  })
  const metadata = { ...sent.metadata, name, namespace }
  const options = { dryRun: true, fieldValidation: 'Strict', namespace } as const
  if (!present) return resource.create({ ...sent, metadata }, options)
  return resource.update({ ...sent, metadata: { ...metadata, resourceVersion: present.metadata.resourceVersion } } as KubeObject, options)
}
