import type { Namespace, Pod } from '../../../api/generated/types.ts'
import type { Store } from '../../store/contract.ts'
import type { AdmissionPlugin } from '../registry/index.ts'
import { dataPlaneOf, injectionProblem, injectSidecar, wantsSidecar, type InjectionScope } from './plan-sidecar.ts'

/**
 * Gives new pods of meshed namespaces their sidecar. What other control planes do by a mutating webhook is done in the write's own way here: there is no
 * moment in which a pod could slip through because a webhook was away.
 * @param uuid makes what the kubelet proves itself with when it asks for a drain
 */
export function createSidecarInjector(store: Store, uuid: () => string): AdmissionPlugin {
  const scopeOf = async (namespace: string): Promise<InjectionScope> => {
    const found = await store.get(`/registry/core/namespaces/${namespace}`)
    const { metadata } = found ? (JSON.parse(Buffer.from(found.value).toString()) as Namespace) : { metadata: undefined }
    return { namespaceLabels: metadata?.labels, namespaceAnnotations: metadata?.annotations }
  }
  return {
    name: 'SidecarInjector',
    resources: ['pods'],
    operations: ['CREATE'],
    async admit({ object, namespace, warn }) {
      const pod = object as Pod
      if (!pod.spec) return
      const scope = await scopeOf(namespace)
      if (!wantsSidecar(pod, scope)) return
      const problem = injectionProblem(pod)
      if (problem !== undefined) return warn(`no sidecar for pod ${pod.metadata.name}: ${problem}`)
      injectSidecar(pod, dataPlaneOf(pod, scope), uuid())
    },
  }
}
