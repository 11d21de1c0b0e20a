import { join } from 'node:path'
import type { Pod } from '../../../api/generated/types.ts'
import { HOSTED_ANNOTATION, type AppProbes, type HostedProxy } from '../../../policy/traffic/model/index.ts'
import type { Sandbox } from '../runtime.ts'

/** What the agent tells the node's proxy of one pod: a file for each. */
export interface HostedPod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  /** Primary first. */
  readonly ips: readonly string[]
  readonly node: string
  readonly serviceAccount: string
  /** With the table of services, where nothing is intercepted. */
  readonly podDir: string
  /** Path; absent: the pod has no network of its own. */
  readonly networkNamespace?: string
  /** File with the token that names the pod. */
  readonly tokenPath: string
  readonly drainToken?: string
  readonly probes: AppProbes
}

/** Where agent and proxy of a node meet. */
export interface HostedLayout {
  /** `<uid>.json` for each pod: written by the agent. */
  readonly pods: string
  /** `<uid>` for each pod: written by the agent. */
  readonly tokens: string
  /** `<uid>/` for each pod, with its keys: the proxy's own. */
  readonly state: string
  /** Unix socket on which the proxy says that it is ready. */
  readonly socket: string
}

export function hostedLayout(dir: string): HostedLayout {
  const state = join(dir, 'state')
  return { pods: join(dir, 'pods'), tokens: join(dir, 'tokens'), state, socket: join(state, 'node.sock') }
}

/** What the proxy has to know of a pod. Annotations that somebody has spoilt cost the pod its probes, not its connections. */
export function describeHosted(pod: Pod, sandbox: Sandbox, layout: HostedLayout): HostedPod {
  const { uid = '', namespace = '', name, annotations } = pod.metadata
  const { drainToken, probes = {} } = readHosted(annotations?.[HOSTED_ANNOTATION])
  return {
    uid,
    namespace,
    name,
    ips: sandbox.ips,
    node: pod.spec?.nodeName ?? '',
    serviceAccount: pod.spec?.serviceAccountName || 'default',
    podDir: sandbox.dir,
    ...(sandbox.networkNamespace === undefined ? {} : { networkNamespace: sandbox.networkNamespace }),
    tokenPath: join(layout.tokens, uid),
    ...(typeof drainToken === 'string' ? { drainToken } : {}),
    probes,
  }
}

function readHosted(text: string | undefined): Partial<HostedProxy> {
  try {
    return (JSON.parse(text ?? '{}') ?? {}) as Partial<HostedProxy>
  } catch {
    return {}
  }
}
