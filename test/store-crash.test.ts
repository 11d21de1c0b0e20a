import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleProgram } from './store-support/bundle-program.ts'
import { runKillRounds } from './store-support/kill-rounds.ts'

let program: Awaited<ReturnType<typeof bundleProgram>>
beforeAll(async () => {
  program = await bundleProgram()
})
afterAll(() => program.remove())

describe('kill -9 under load', () => {
  // etcd #13766, #14370, #17780. More rounds: node scripts/soak-store.mjs
  it('loses nothing acknowledged in 20 rounds on one data directory', async () => {
    const report = await runKillRounds(program.file, 20, { seed: 11 })
    expect(report.problems).toEqual([])
    expect(report.acked).toBeGreaterThan(1000)
    expect(report.revisions).toBeGreaterThan(500)
  })
})
