import { isStatus } from '../../../base/errors.ts'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { serviceAccounts } from '../../../api/core/v1/service-account.ts'
import { watchOf, type Manager, type Request } from '../../../controller/contract.ts'

const ACCOUNT = 'default'
const ROOT_CA = 'kube-root-ca.crt'
const DESCRIPTION = 'kubernetes.io/description'

/** Gives every namespace its `default` service account and the config map with the cluster's CA. */
export function addServiceAccountControllers(manager: Manager, options: { readonly caPem: string }): void {
  const accounts = manager.informers.informer(serviceAccounts)
  const maps = manager.informers.informer(configMaps)
  const all = manager.informers.informer(namespaces)
  const isLive = (name: string): boolean => {
    const namespace = all.lister.get(name)
    return namespace !== undefined && !namespace.metadata.deletionTimestamp
  }
  const toNamespace = (object: { readonly metadata: { readonly namespace?: string | undefined } }): Request[] => [
    { namespace: '', name: object.metadata.namespace ?? '' },
  ]

  manager.addController({
    name: 'serviceaccount',
    watches: [watchOf(namespaces), watchOf(serviceAccounts, toNamespace, (account) => account.metadata.name === ACCOUNT)],
    reconciler: {
      async reconcile({ name: namespace }, signal) {
        if (!isLive(namespace) || accounts.lister.get(`${namespace}/${ACCOUNT}`)) return
        await manager.client
          .of(serviceAccounts)
          .create({ metadata: { name: ACCOUNT } }, { namespace, signal })
          .catch(ignoreRace)
      },
    },
  })

  manager.addController({
    name: 'root_ca_cert_publisher',
    watches: [watchOf(namespaces), watchOf(configMaps, toNamespace, (map) => map.metadata.name === ROOT_CA)],
    reconciler: {
      async reconcile({ name: namespace }, signal) {
        if (!isLive(namespace)) return
        const current = maps.lister.get(`${namespace}/${ROOT_CA}`)
        if (current?.data?.['ca.crt'] === options.caPem) return
        const data = { 'ca.crt': options.caPem }
        if (current) return void (await manager.client.of(configMaps).update({ ...current, data }, { signal }))
        const annotations = {
          [DESCRIPTION]:
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.',
        }
        await manager.client
          .of(configMaps)
          .create({ metadata: { name: ROOT_CA, annotations }, data }, { namespace, signal })
          .catch(ignoreRace)
      },
    },
  })
}

/** Made by somebody else meanwhile, or the namespace is going away. */
function ignoreRace(error: unknown): void {
  if (!isStatus(error, 'AlreadyExists', 'Forbidden', 'NotFound')) throw error
}
