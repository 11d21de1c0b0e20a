import { expect, it } from 'vitest'
import { MetricTable } from './metric-table.ts'
import { clusterStats } from './stats.ts'
import { MetricSum } from './sum-metrics.ts'

const lines = (text: string, name: string): string[] => text.split('\n').filter((line) => line.startsWith(name))

function table(fill: (table: MetricTable) => void): string {
  const made = new MetricTable()
  fill(made)
  return made.render()
}

it('is for one process what that one says', () => {
  const text = table((one) => {
    one.add(one.counter('a_total', { of: 'x y', b: 'q"\\' }), 3)
    one.observe(one.histogram('b_ms'), 7)
    clusterStats(one, 'c').response(200)
  })
  expect(new MetricSum().add(text).render()).toBe(text)
})

it('adds what counts, and takes the largest of what says the same everywhere', () => {
  const worker = (requests: number, members: number): string =>
    table((one) => {
      const stats = clusterStats(one, 'c')
      for (let i = 0; i < requests; i++) {
        stats.response(200)
        one.observe(stats.time, 3)
      }
      one.set(stats.members, members)
      one.set(stats.connectionsActive, requests)
      one.set(stats.requestsOpen, 1)
    })
  const text = new MetricSum().add(worker(2, 5)).add(worker(3, 4)).render()
  expect(lines(text, 'envoy_cluster_upstream_rq{')).toEqual([
    'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="c"} 5',
  ])
  expect(lines(text, 'envoy_cluster_membership_total')).toEqual(['envoy_cluster_membership_total{envoy_cluster_name="c"} 5'])
  expect(lines(text, 'envoy_cluster_circuit_breakers_default_rq_open')[0]).toMatch(/ 1$/)
  expect(lines(text, 'envoy_cluster_upstream_cx_active')[0]).toMatch(/ 5$/)
  expect(lines(text, 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="c",le="5"}')[0]).toMatch(/ 5$/)
  expect(lines(text, 'envoy_cluster_upstream_rq_time_sum')[0]).toMatch(/ 15$/)
})

it('keeps of a process that has ended what it has counted alone', () => {
  const text = table((one) => {
    one.add(one.counter('a_total'), 3)
    one.add(one.gauge('now'), 3)
  })
  expect(new MetricSum().add(text, 'gauges').render()).toBe('# TYPE a_total counter\na_total 3\n')
})

it('stays within its bound, and loses no count', () => {
  const sum = new MetricSum(10)
  for (let round = 0; round < 50; round++) {
    sum.add(
      table((one) => {
        one.inc(one.counter('a_total', { of: `${round}, "1"` }))
        one.observe(one.histogram('b_ms', { of: String(round) }), 7)
      }),
    )
  }
  const text = sum.render()
  const counted = lines(text, 'a_total').reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0)
  expect(counted).toBe(50)
  expect(text.split('\n').length).toBeLessThan(60)
  expect(text).toContain('b_ms_bucket{of="_overflow",le="10"} ')
})
