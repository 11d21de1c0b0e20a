import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { fakeContext } from '../fake-context.ts'
import { plainLine, treeLines, updateSteps, type Steps, type StepUpdate } from './progress.ts'
import { createProgressView } from './progress-view.ts'

const same = (text: string): string => text
const style = { columns: 60, done: same, working: same, failed: same, dim: same }
const step = (id: string, state: StepUpdate['state'], detail = ''): StepUpdate => ({ id, title: id, detail, state })

describe('steps', () => {
  test('the time of a step ends when it is done and begins anew when it is worked on again', () => {
    let steps: Steps = new Map()
    steps = updateSteps(steps, step('node', 'working'), 100)
    steps = updateSteps(steps, step('node', 'done', 'Ready'), 400)
    expect(steps.get('node')).toMatchObject({ startedAtMs: 100, endedAtMs: 400 })
    steps = updateSteps(steps, step('node', 'working'), 900)
    expect(steps.get('node')?.startedAtMs).toBe(900)
    expect(steps.get('node')).not.toHaveProperty('endedAtMs')
  })

  test('an update that changes nothing is no change', () => {
    const steps = updateSteps(new Map(), step('a', 'done', 'x'), 1)
    expect(updateSteps(steps, step('a', 'done', 'x'), 2)).toBe(steps)
  })

  test('no line of the tree is wider than the terminal', () => {
    let steps: Steps = new Map()
    steps = updateSteps(steps, step('deployment/with-a-name-that-is-much-too-long-for-it', 'working', 'y'.repeat(200)), 0)
    for (const line of treeLines(steps, 61_000, { style, maxSteps: 9 })) expect(line.length).toBeLessThanOrEqual(60)
  })

  test('where there are too many, what is not done is shown', () => {
    let steps: Steps = new Map()
    for (const id of ['a', 'b', 'c']) steps = updateSteps(steps, step(id, id === 'c' ? 'working' : 'done'), 0)
    const lines = treeLines(steps, 0, { style, maxSteps: 2 })
    expect(lines.map((line) => line.trim().slice(0, 3))).toEqual(['✔ a', '● c', 'and'])
  })

  test.each([
    [step('store', 'done', '/x'), 400, '[   0.4s] ok   store: /x'],
    [step('node', 'failed'), 12_345, '[  12.3s] FAIL node'],
  ])('plain line %#', (update, atMs, line) => {
    expect(plainLine(update, atMs)).toBe(line)
  })
})

describe('view', () => {
  test.each([
    ['output is kept', { terminal: false, env: {} }],
    ['NO_COLOR is set', { terminal: true, env: { NO_COLOR: '1' } }],
    ['CI is set', { terminal: true, env: { CI: 'true' } }],
    ['the terminal is dumb', { terminal: true, env: { TERM: 'dumb' } }],
  ])('only appends lines, each once, where %s', (_, options) => {
    const context = fakeContext(options)
    const view = createProgressView(context)
    view.step(step('store', 'working'))
    view.step(step('store', 'working'))
    view.step(step('store', 'done', 'x'))
    view.note('note')
    view.close()
    expect(context.stdout()).toBe('[   0.0s] ..   store\n[   0.0s] ok   store: x\nnote\n')
  })

  test('redraws a tree on a terminal while something goes on, and rests when all is done', async () => {
    const clock = new FakeClock()
    const context = fakeContext({ terminal: true, env: {}, clock })
    const view = createProgressView(context)
    view.step(step('store', 'working'))
    await clock.advance(1_000)
    expect(context.stdout()).toContain('\u001b[1A')
    view.step(step('store', 'done'))
    await clock.advance(200)
    const length = context.stdout().length
    await clock.advance(10_000)
    expect(context.stdout()).toHaveLength(length)
    view.close()
  })
})
