import type { Pod } from '../../../api/generated/types.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Store } from '../../store/contract.ts'
import { forbidden, type AdmissionPlugin } from '../registry/index.ts'

/** A pod runs only as a service account that exists. Source: kubernetes/plugin/pkg/admission/serviceaccount. */
export function createServiceAccountPlugin(store: Store): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    resources: ['pods'],
    operations: ['CREATE'],
    async admit({ object, namespace }) {
      const pod = object as Pod
      const name = pod.spec?.serviceAccountName || 'default'
      if (await store.get(`/registry/core/serviceaccounts/${namespace}/${name}`)) return
      throw forbidden(pods, pod.metadata.name, `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`)
    },
  }
}
