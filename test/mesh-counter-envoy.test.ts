import { labProblem } from '../src/testing/network-lab/index.ts'
import { ENVOY } from './envoy-support/find-envoy.ts'
import { counterMeshed } from './mesh-support/counter-meshed.ts'
import { kernelCluster } from './mesh-support/mesh-cluster.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true, manifests: true })

counterMeshed({
  name: 'by Envoy in place of our sidecars',
  dataPlane: 'envoy',
  start: () => kernelCluster(['examples/kuma-counter/recipes.yaml']),
  missing: [needed.missing, labProblem(), ENVOY === undefined ? 'no envoy; set BIPLANE_ENVOY or run scripts/install-envoy.mjs' : '']
    .filter((text) => text !== '')
    .join(', '),
})
