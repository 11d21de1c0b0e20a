import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openNft } from '../src/data-plane/forwarding/nft/index.ts'
import type { Nft, NftStructures } from '../src/data-plane/forwarding/contract.ts'
import {
  FILTER_FAMILY,
  FILTER_TABLE,
  FilterRenderer,
  planFilterChange,
  replaceFilter,
  type FilterModel,
} from '../src/data-plane/forwarding/packet-filter/index.ts'
import { evaluatePacket, PolicyCompiler } from '../src/policy/packet/policies/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { allProbes, ninePods } from './network-policy-support/cluster.ts'
import { PodLab } from './network-policy-support/pod-lab.ts'
import { cluster } from './network-policy-support/random-policies.ts'

const missing = labProblem()

describe.skipIf(missing !== '')(`packet policies in the kernel${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: PodLab
  let nft: Nft & NftStructures

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
        else await nft.commit({ family: FILTER_FAMILY, table: FILTER_TABLE }, change.changes)
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
    expect(compared).toBeGreaterThan(10_000)
  })

  test('what is changed piece by piece is, to the kernel, what is loaded as a whole', async () => {
    const empty = { ...ninePods(), pods: [] }
    await fc.assert(
      fc.asyncProperty(cluster, async (random) => {
        const compiler = new PolicyCompiler()
        const renderer = new FilterRenderer()
        const before = renderer.render(compiler.update(empty))
        const after = renderer.render(compiler.update(random))
        await nft.run(replaceFilter(before))
        const change = planFilterChange(before, after)
        await nft.commit({ family: FILTER_FAMILY, table: FILTER_TABLE }, change.changes)
        const pieces = comparable(await nft.list('table', FILTER_FAMILY, FILTER_TABLE))
        await nft.run(replaceFilter(after))
        expect(pieces).toEqual(comparable(await nft.list('table', FILTER_FAMILY, FILTER_TABLE)))
        const back = planFilterChange(after, renderer.render(compiler.update(empty)))
        await nft.commit({ family: FILTER_FAMILY, table: FILTER_TABLE }, back.changes)
        const left = comparable(await nft.list('table', FILTER_FAMILY, FILTER_TABLE))
        await nft.run(replaceFilter(before))
        expect(left).toEqual(comparable(await nft.list('table', FILTER_FAMILY, FILTER_TABLE)))
      }),
      { numRuns: 20, endOnFailure: true },
    )
  })
})

/** A listing without numbers that the kernel gives, whatever the order of chains and sets; that of rules counts. */
function comparable(listing: unknown): readonly string[] {
  const { nftables } = listing as { readonly nftables: readonly Record<string, Record<string, unknown>>[] }
  const places = new Map<unknown, number>()
  const rows = nftables.flatMap((one) =>
    Object.entries(one).map(([kind, { handle: _handle, packets: _packets, bytes: _bytes, elem, ...rest }]) => {
      const place = kind === 'rule' ? (places.get(rest['chain']) ?? 0) : 0
      if (kind === 'rule') places.set(rest['chain'], place + 1)
      const elements = Array.isArray(elem) ? elem.map((value) => JSON.stringify(value)).sort((a, b) => (a < b ? -1 : 1)) : elem
      return JSON.stringify([kind, place, rest, elements])
    }),
  )
  return rows.sort((a, b) => (a < b ? -1 : 1))
}
