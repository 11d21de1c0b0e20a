import { counterMeshed } from './mesh-support/counter-meshed.ts'
import { loopbackCluster } from './mesh-support/mesh-cluster.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing } = await requirements({ root: true, manifests: true })

counterMeshed({
  name: 'by our sidecars, which serve the addresses of services themselves',
  dataPlane: 'biplane',
  start: () => loopbackCluster(kubectl, ['examples/kuma-counter/recipes.yaml']),
  missing,
})
