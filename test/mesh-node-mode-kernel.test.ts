import { labProblem } from '../src/testing/network-lab/index.ts'
import { counterMeshed } from './mesh-support/counter-meshed.ts'
import { kernelCluster } from './mesh-support/mesh-cluster.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true, manifests: true })

counterMeshed({
  name: 'by one proxy on each node, to which the kernel leads all connections of pods',
  dataPlane: 'node',
  start: () => kernelCluster(['examples/kuma-counter/recipes.yaml']),
  missing: [needed.missing, labProblem()].filter((text) => text !== '').join(', '),
})
