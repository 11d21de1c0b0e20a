import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { LabCluster } from './support/lab-cluster.ts'

const missing = labProblem()

describe.skipIf(missing !== '')(`pods of three nodes on one link${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: LabCluster

  beforeAll(async () => {
    cluster = await LabCluster.start()
    await Promise.all(['a', 'b', 'c'].map((node) => cluster.createPod(`on-${node}`, { node })))
  })
  afterAll(() => cluster?.stop())

  test('reach each other over both families', async () => {
    const target = await cluster.readyPod('on-b')
    const ips = target.status?.podIPs?.map(({ ip }) => ip) ?? []
    expect(ips).toHaveLength(2)
    for (const ip of ips) {
      const { stdout, code } = await cluster.inPod('on-a', ['ping', '-c1', '-W2', ip])
      expect(code, stdout).toBe(0)
    }
  })
})
