import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { ninePods, podAddresses } from './network-policy-support/cluster.ts'
import { EXTRA_PODS } from './network-policy-support/edit-cluster.ts'
import { labPods, startEnforcedLab, type EnforcedLab } from './network-policy-support/enforced-lab.ts'
import { MATRIX } from './network-policy-support/matrix.ts'

const missing = labProblem()

test('the matrix has 230 cases in nine categories', () => {
  const counts: Record<string, number> = {}
  for (const { category } of MATRIX) counts[category] = (counts[category] ?? 0) + 1
  expect(counts).toEqual({
    peers: 112,
    ports: 70,
    conflict: 16,
    'upstream e2e': 13,
    action: 6,
    target: 6,
    rules: 4,
    namespace: 2,
    example: 1,
  })
})

describe.skipIf(missing !== '')(`NetworkPolicy in the kernel, pod to pod${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let enforced: EnforcedLab

  beforeAll(async () => {
    const extra = Object.entries(EXTRA_PODS).map(([key, index]) => ({ key, ips: podAddresses(index) }))
    enforced = await startEnforcedLab([...labPods(ninePods().pods), ...extra])
  })
  afterAll(() => enforced?.remove())

  test.each(MATRIX.map((one, i) => [i + 1, one.category, one.name, one.steps] as const))(
    '%i %s: %s',
    async (_number, _category, _name, steps) => {
      let cluster = ninePods()
      for (const step of steps) {
        cluster = step(cluster)
        await enforced.apply(cluster)
        expect(await enforced.compare(cluster)).toEqual([])
      }
    },
  )
})
