import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { jsonLogger } from '../../base/log.ts'
import { routeProblemLog } from './route-problems.ts'

test('a flood of problems is told by ten lines a second and a sum', async () => {
  const clock = new FakeClock()
  const lines: { msg: string; prefix?: string; routes?: number }[] = []
  const tell = routeProblemLog(
    jsonLogger({ write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]), clock, level: 'info' }),
    clock,
  )
  for (let i = 0; i < 1000; i++) tell({ prefix: `10.0.0.${i}/32`, message: 'gone' })
  expect(lines).toHaveLength(10)
  await clock.advance(1_000)
  expect(lines.at(-1)).toMatchObject({ msg: 'more routes are not as they should be', routes: 990 })
  tell({ prefix: '10.1.0.0/16', message: 'gone' })
  expect(lines.at(-1)).toMatchObject({ prefix: '10.1.0.0/16' })
  await clock.advance(1_000)
  expect(lines).toHaveLength(12)
})
