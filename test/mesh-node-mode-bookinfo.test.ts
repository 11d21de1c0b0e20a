import { labProblem } from '../src/testing/network-lab/index.ts'
import { bookinfoMeshed } from './mesh-support/bookinfo-meshed.ts'
import { kernelCluster } from './mesh-support/mesh-cluster.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true, manifests: true })

bookinfoMeshed({
  name: 'by one proxy on each node, to which the kernel leads all connections of pods',
  dataPlane: 'node',
  start: () => kernelCluster(['examples/bookinfo/recipes.yaml']),
  missing: [needed.missing, labProblem()].filter((text) => text !== '').join(', '),
})
