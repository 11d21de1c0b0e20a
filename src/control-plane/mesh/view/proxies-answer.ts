import type { ProxiesAnswer, ProxyStatusView, TypeStatusView } from '../../../protocols/mesh-view.ts'
import { compareText } from '../../../policy/traffic/gateway-api/index.ts'
import type { ProxyView } from '../../../policy/traffic/input/index.ts'
import type { ProxyTruth, ProxyTypeTruth } from '../xds/index.ts'

/**
 * Every proxy that there should be, by namespace and pod, with what it has confirmed: those that have never come are not connected and have no types.
 * @param seesAll whether the kernel leads all that comes in to a proxy
 */
export function proxiesAnswer(
  proxies: Iterable<ProxyView>,
  truths: readonly ProxyTruth[],
  seesAll: (proxy: ProxyView) => boolean,
): ProxiesAnswer {
  const byName = new Map(truths.map((truth) => [truth.proxy, truth]))
  const views = [...proxies].map((proxy) => ({
    ...statusOf(proxy, byName.get(proxy.name)),
    ...(proxy.kind === 'sidecar' ? { strictBy: seesAll(proxy) ? ('kernel' as const) : ('proxy' as const) } : {}),
  }))
  return { proxies: views.sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.pod, b.pod)) }
}

function statusOf({ name, namespace, pod, node, kind, dataPlane }: ProxyView, truth: ProxyTruth | undefined): ProxyStatusView {
  return {
    name,
    namespace,
    pod,
    node,
    kind,
    dataPlane,
    connected: truth?.connected ?? false,
    ...(truth ? { since: new Date(truth.sinceMs).toISOString() } : {}),
    types: (truth?.types ?? []).map(typeStatus).sort((a, b) => compareText(a.type, b.type)),
  }
}

/** Of several refusals the latest says when, and all say why. */
function typeStatus({ type, resources, acked, pending, refused }: ProxyTypeTruth): TypeStatusView {
  const atMs = Math.max(...refused.map((one) => one.atMs))
  const reasons = new Map(refused.map(({ name, reason }) => [reason, name]))
  return {
    type,
    resources,
    ...(acked === undefined ? {} : { acked }),
    ...(pending === undefined ? {} : { pending }),
    ...(refused.length === 0
      ? {}
      : {
          refused: {
            reason: [...reasons].map(([reason, name]) => (reason.includes(name) ? reason : `${name}: ${reason}`)).join('; '),
            at: new Date(atMs).toISOString(),
          },
        }),
  }
}
