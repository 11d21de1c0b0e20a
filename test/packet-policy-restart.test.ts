import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { networkPolicies } from '../src/api/networking/v1/network-policy.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { LabCluster } from './support/lab-cluster.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const suffix = missing === '' ? '' : ` (skipped: ${missing})`

describe.skipIf(missing !== '')(`policies over the death of all that serves them${suffix}`, () => {
  let cluster: LabCluster
  let address = ''
  const listed = async (...what: readonly string[]): Promise<string> =>
    (await cluster.node('a').host.run(['nft', '-a', 'list', ...what])).stdout
  /** Changes with each replacement of the table. */
  const handle = async (): Promise<string | undefined> =>
    /biplane-policy \{ # handle (\d+)/.exec(await listed('table', 'inet', 'biplane-policy'))?.[1]
  const isolated = async (): Promise<true | undefined> =>
    (await listed('map', 'inet', 'biplane-policy', 'ingress4')).includes(address) ? true : undefined

  beforeAll(async () => {
    cluster = await LabCluster.start({ nodes: ['a'] })
    address = (await cluster.createPod('web', { node: 'a' })).status?.podIP ?? 'none'
  }, 120_000)
  afterAll(() => cluster?.stop())

  test('an agent that begins without the control plane knows no less than the kernel', async () => {
    const kept = ['pods', 'namespaces', 'networkpolicies', 'clusternetworkpolicies', 'nodes'].map((name) => `cluster-${name}.json`)
    await poll('copies of all lists', () =>
      kept.every((name) => readdirSync(join(cluster.node('a').dataDir, 'nodes/a/state')).includes(name)) ? true : undefined,
    )
    await cluster.client.of(networkPolicies).create({
      metadata: { name: 'deny', namespace: 'default' },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    })
    await poll('the policy is in force', isolated, { everyMs: 2 })
    await cluster.kill('a')
    await cluster.kill('control-plane')
    const before = await handle()
    cluster.startNode('a')
    await poll('the new agent has loaded its table', async () => ((await handle()) === before ? undefined : true), { everyMs: 20 })
    expect(await isolated()).toBe(true)
  }, 120_000)
})
