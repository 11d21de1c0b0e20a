import { bookinfoMeshed } from './mesh-support/bookinfo-meshed.ts'
import { loopbackCluster } from './mesh-support/mesh-cluster.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing } = await requirements({ root: true, manifests: true })

bookinfoMeshed({
  name: 'by our sidecars, which serve the addresses of services themselves',
  dataPlane: 'biplane',
  start: () => loopbackCluster(kubectl, ['examples/bookinfo/recipes.yaml']),
  missing,
})
