import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openNft } from '../src/data-plane/forwarding/nft/index.ts'
import type { Nft } from '../src/data-plane/forwarding/contract.ts'
import { FilterRenderer, planFilterChange, replaceFilter, type FilterModel } from '../src/data-plane/forwarding/packet-filter/index.ts'
import { evaluatePacket, PolicyCompiler } from '../src/policy/packet/policies/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { allProbes, ninePods } from './network-policy-support/cluster.ts'
import { PodLab } from './network-policy-support/pod-lab.ts'
import { cluster } from './network-policy-support/random-policies.ts'

const missing = labProblem()

describe.skipIf(missing !== '')(`packet policies in the kernel${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: PodLab
  let nft: Nft

  beforeAll(async () => {
    const { pods } = ninePods()
    lab = await PodLab.create(
      pods.map(({ metadata, status }) => ({
        key: `${metadata.namespace}/${metadata.name}`,
        ips: status?.podIPs?.map(({ ip }) => ip) ?? [],
      })),
    )
    nft = openNft({ namespace: lab.node.path })
  })
  afterAll(async () => {
    nft?.close()
    await lab?.remove()
  })

  test('give real packets the verdicts of the evaluator, change after change, in random clusters', async () => {
    const compiler = new PolicyCompiler()
    const renderer = new FilterRenderer()
    let before: FilterModel | undefined
    let compared = 0
    await fc.assert(
      fc.asyncProperty(cluster, fc.constantFrom(0 as const, 1 as const), async (random, family) => {
        const policy = compiler.update(random)
        const model = renderer.render(policy)
        const change = before && planFilterChange(before, model)
        if (!change) await nft.run(replaceFilter(model))
        else if (change.kind === 'text') await nft.run(change.text)
        else if (change.kind === 'elements') await nft.apply(change.changes)
        before = model
        const probes = allProbes(random.pods, family)
        const wanted = probes.map((probe) => evaluatePacket(policy, probe).verdict === 'accept')
        const arrived = await lab.probe(probes, wanted)
        const wrong = probes.flatMap((probe, i) => (arrived[i] === wanted[i] ? [] : [{ ...probe, arrived: arrived[i] }]))
        expect(wrong).toEqual([])
        compared += probes.length
      }),
      { numRuns: 60, endOnFailure: true },
    )
    expect(compared).toBe(60 * 486)
  })
})
