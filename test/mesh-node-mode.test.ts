import { counterMeshed } from './mesh-support/counter-meshed.ts'
import { loopbackCluster } from './mesh-support/mesh-cluster.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing } = await requirements({ root: true, manifests: true })

counterMeshed({
  name: 'by one proxy for all pods of the node, which serves the addresses of services itself',
  dataPlane: 'node',
  start: () => loopbackCluster(kubectl, ['examples/kuma-counter/recipes.yaml']),
  missing,
})
