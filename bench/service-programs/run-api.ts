// An API server in memory, with its own certificates, that is told what to hold: one JSON object a line.
// {op: "load", services, slices} creates them all; {op: "add", ...} the same, for one; each is answered with the time after the last create.
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { BUILT_IN_KINDS } from '../../src/api/index.ts'
import { nodes } from '../../src/api/core/v1/node.ts'
import { namespaces } from '../../src/api/core/v1/namespace.ts'
import { services } from '../../src/api/core/v1/service.ts'
import { endpointSlices } from '../../src/api/discovery/v1/endpoint-slice.ts'
import type { EndpointSlice, Service } from '../../src/api/generated/types.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { createClient } from '../../src/client/index.ts'
import { createResourceHandler } from '../../src/control-plane/apiserver/handlers/index.ts'
import { createApiServer, LOOPBACK_USER } from '../../src/control-plane/apiserver/index.ts'
import { createMemoryStore } from '../../src/control-plane/store/index.ts'
import { createTestPki } from '../../test/apiserver-fixture.ts'

/** What a program prints of the clock that all processes of a machine share, in milliseconds. */
export const sharedNow = (): number => Number(process.hrtime.bigint()) / 1e6

interface Order {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
}

export async function runApi(nodeName: string, nodeAddresses: readonly string[]): Promise<void> {
  const [log, clock, metrics] = [silentLogger, systemClock, createMetrics()]
  const resources = createResourceHandler({
    store: createMemoryStore({ clock }),
    kinds: [...BUILT_IN_KINDS],
    clock,
    random: Math.random,
    uuid: randomUUID,
    log,
    metrics,
    admission: [],
  })
  const pki = createTestPki()
  const api = createApiServer({
    resources: resources.handle,
    kinds: () => BUILT_IN_KINDS,
    certificate: { ...pki.server, clientCa: pki.ca },
    clock,
    log,
    metrics,
  })
  const client = createClient(api.inProcess(LOOPBACK_USER))
  await client.of(namespaces).create({ metadata: { name: 'default' } })
  const node = await client.of(nodes).create({ metadata: { name: nodeName, labels: { 'topology.kubernetes.io/zone': 'a' } } })
  const addresses = nodeAddresses.map((address) => ({ type: 'InternalIP', address }))
  await client.of(nodes).updateStatus({ ...node, status: { addresses } })
  const { port } = await api.start('127.0.0.1', 0)
  const admin = pki.client('admin', ['system:masters'])
  print({ server: `https://127.0.0.1:${port}`, ca: pki.ca, cert: admin.cert, key: admin.key })

  const create = async ({ services: some, slices }: Order): Promise<void> => {
    const batch = 200
    for (let i = 0; i < slices.length; i += batch) {
      await Promise.all(slices.slice(i, i + batch).map((slice) => client.of(endpointSlices).create(slice)))
    }
    for (let i = 0; i < some.length; i += batch) {
      await Promise.all(
        some.slice(i, i + batch).map(async (service) => {
          const created = await client.of(services).create({ ...service, status: {} })
          if (service.status) await client.of(services).updateStatus({ ...created, status: service.status })
        }),
      )
    }
  }
  for await (const line of createInterface({ input: process.stdin })) {
    await create(JSON.parse(line) as Order)
    print({ at: sharedNow() })
  }
  process.exit(0)
}

const print = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
