import type { KumaTargetRef } from './kuma-object.ts'

/** How a table shows whose proxies a policy is for. */
export function targetCell(ref: KumaTargetRef | undefined): string {
  if (!ref) return 'Mesh'
  const by =
    ref.name ??
    Object.entries(ref.labels ?? ref.tags ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',')
  return by ? `${ref.kind}/${by}` : ref.kind
}
