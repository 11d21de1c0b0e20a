/** Changes of Envoy's own resources, kept as they are written: they are in Envoy's words, so its generator applies them; our own proxies do not know them. */
import type { PolicyPlugin } from '../../input/index.ts'

export interface ProxyPatchConf {
  readonly appendModifications?: readonly Readonly<Record<string, unknown>>[]
}

/** Later policies change what earlier ones have made. */
export const meshProxyPatch: PolicyPlugin<ProxyPatchConf> = {
  type: 'MeshProxyPatch',
  merge: (confs) => ({ appendModifications: confs.flatMap(({ appendModifications = [] }) => appendModifications) }),
  proxy({ appendModifications = [] }, settings, { proxy }) {
    return proxy.dataPlane === 'envoy' && appendModifications.length > 0 ? { ...settings, envoyPatches: appendModifications } : settings
  },
}
