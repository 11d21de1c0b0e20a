import { expect, test } from 'vitest'
import { generateEnvoy } from '../src/control-plane/mesh/envoy/index.ts'
import { everything, PORTS_OF_EVERYTHING } from './envoy-support/everything.ts'
import { startEnvoy } from './envoy-support/envoy-process.ts'
import { ENVOY, WITHOUT_ENVOY } from './envoy-support/find-envoy.ts'
import { meshCa } from './envoy-support/mesh-ca.ts'
import { freePorts } from './support/free-port.ts'

test.skipIf(!ENVOY)(`Envoy accepts a configuration that uses every member of the model${WITHOUT_ENVOY}`, async () => {
  const ca = meshCa('mesh.test')
  const [first = 0] = await freePorts(PORTS_OF_EVERYTHING)
  const input = everything(first, ca)
  const envoy = await startEnvoy(input, { ca, identity: ca.identity('spiffe://mesh.test/ns/a/sa/web') })
  try {
    const refused = envoy.ads.answers.filter(({ refused }) => refused !== undefined)
    expect(refused).toEqual([])
    // every resource is there, none is waiting
    const dump = JSON.parse(await envoy.admin('/config_dump?include_eds')) as { configs: Record<string, unknown>[] }
    const count = (section: string, member: string): number =>
      dump.configs
        .filter((config) => String(config['@type']).endsWith(section))
        .flatMap((config) => (config[member] as unknown[] | undefined) ?? []).length
    const { resources } = generateEnvoy(input)
    expect(count('ClustersConfigDump', 'dynamic_active_clusters')).toBe(resources.cluster.length)
    expect(count('ListenersConfigDump', 'dynamic_listeners')).toBe(resources.listener.length)
    expect(count('RoutesConfigDump', 'dynamic_route_configs')).toBe(resources.route.length)
    expect(envoy.ads.answers.length).toBeGreaterThan(4)
    expect(envoy.output().unsupported).toMatchInlineSnapshot(`
      [
        {
          "name": "virtual-inbound",
          "reason": "rules of a connection are judged at the first byte of the client: a server that speaks first is heard before",
          "type": "listener",
        },
        {
          "name": "mesh-inbound",
          "reason": "rules of a connection are judged at the first byte of the client: a server that speaks first is heard before",
          "type": "listener",
        },
        {
          "name": "reviews",
          "reason": "the health check of type tcp is left out: only the first one of a cluster is made",
          "type": "cluster",
        },
        {
          "name": "reviews",
          "reason": "the health check of type grpc is left out: only the first one of a cluster is made",
          "type": "cluster",
        },
        {
          "name": "ratings",
          "reason": "some endpoints take TLS of the mesh and some do not: all are spoken to in HTTP/1.1 until all do",
          "type": "cluster",
        },
      ]
    `)
  } finally {
    await envoy.stop()
  }
})
