import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pastDeadline, planPod, remainingGraceMs } from './plan-pod.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { START_MS, container, podOf, sidecar, statusOf, viewOf, type ViewParts } from './view-fixture.ts'

/** `start main#1`, `stop main 30s Killing`, `finish`. */
function told(view: PodView): string[] {
  return planPod(view).actions.map((action) => {
    if (action.type === 'start') return `start ${action.name}#${action.restartCount}`
    if (action.type === 'stop') return `stop ${action.name} ${action.graceMs / 1000}s ${action.reason}`
    return action.type
  })
}

const pipeline = { init: [container('i1'), sidecar('s1'), container('i2'), sidecar('s2')], main: [container('a'), container('b')] }
const up = { i1: 'exited:0', s1: 'running', i2: 'exited:0', s2: 'running' }

describe('planPod starts', () => {
  test.each<[string, ViewParts, string[]]>([
    ['a sandbox first', { view: { sandboxReady: false } }, ['ensureSandbox']],
    ['the only container', {}, ['start main#0']],
    ['nothing while all runs', { states: { main: 'running' } }, []],
    ['the first init container alone', pipeline, ['start i1#0']],
    ['nothing while an init container runs', { ...pipeline, states: { i1: 'running' } }, []],
    ['the sidecar after it', { ...pipeline, states: { i1: 'exited:0' } }, ['start s1#0']],
    ['the next init container once the sidecar has started', { ...pipeline, states: { i1: 'exited:0', s1: 'running' } }, ['start i2#0']],
    [
      'nothing while the sidecar is not started',
      { ...pipeline, states: { i1: 'exited:0', s1: 'running' }, containers: { s1: { started: false } } },
      [],
    ],
    ['all main containers together at the end', { ...pipeline, states: up }, ['start a#0', 'start b#0']],
    ['a dead sidecar again while init goes on', { ...pipeline, states: { i1: 'exited:0', s1: 'exited:1' } }, ['start s1#1']],
    [
      'a dead sidecar beside main containers',
      { ...pipeline, states: { ...up, s1: 'exited:0', a: 'running', b: 'running' } },
      ['start s1#1'],
    ],
    ['a failed init container again', { ...pipeline, states: { i1: 'exited:3' } }, ['start i1#1']],
    ['a container whose agent died between create and start, under its number', { states: { main: 'created#4' } }, ['start main#4']],
    ['Always: after success', { states: { main: 'exited:0#2' } }, ['start main#3']],
    ['OnFailure: after a failure', { restartPolicy: 'OnFailure', states: { main: 'exited:1' } }, ['start main#1']],
    ['OnFailure: not after success', { restartPolicy: 'OnFailure', states: { main: 'exited:0' } }, ['finish']],
    ['Never: not at all', { restartPolicy: 'Never', states: { main: 'exited:1' } }, ['finish']],
    ['Never: the pod has failed with its init container', { ...pipeline, restartPolicy: 'Never', states: { i1: 'exited:1' } }, ['finish']],
    ['a container that backs off not yet', { states: { main: 'exited:1' }, containers: { main: { notBeforeMs: 10_000 } } }, []],
    ['nothing of a pod that is over', { states: { main: 'exited:1' }, status: { phase: 'Failed' } }, ['finish']],
  ])('%s', (_name, parts, want) => expect(told(viewOf(parts))).toEqual(want))

  test('says when the back-off ends', () => {
    expect(planPod(viewOf({ states: { main: 'exited:1' }, containers: { main: { notBeforeMs: 10_000 } } })).wakeAtMs).toBe(10_000)
  })
})

const grace = { terminationGracePeriodSeconds: 12 }
const dying = { terminating: true }

describe('planPod stops', () => {
  test.each<[string, ViewParts, string[]]>([
    [
      'main containers first',
      { ...pipeline, spec: grace, states: { ...up, a: 'running', b: 'running' }, view: dying },
      ['stop a 12s Killing', 'stop b 12s Killing'],
    ],
    ['then the last sidecar', { ...pipeline, states: { ...up, a: 'exited:0', b: 'exited:0' }, view: dying }, ['stop s2 30s Killing']],
    [
      'then the one before',
      { ...pipeline, states: { ...up, s2: 'exited:0', a: 'exited:0', b: 'exited:0' }, view: dying },
      ['stop s1 30s Killing'],
    ],
    ['and is done', { states: { main: 'exited:0' }, view: dying }, ['finish']],
    ['a pod deleted before it started is done', { view: { ...dying, sandboxReady: false } }, ['finish']],
    ['a running init container', { ...pipeline, states: { i1: 'running' }, view: dying }, ['stop i1 30s Killing']],
    [
      'everything once the node ended the pod',
      { states: { main: 'running' }, view: { ended: { reason: 'Evicted', message: '' } } },
      ['stop main 30s Killing'],
    ],
    [
      'sidecars of a job that is done',
      { init: [sidecar('s')], restartPolicy: 'Never', states: { s: 'running', main: 'exited:0' } },
      ['stop s 30s Killing'],
    ],
    [
      'sidecars of a pod whose init container has failed for good',
      { init: [sidecar('s'), container('i')], restartPolicy: 'Never', states: { s: 'running', i: 'exited:1' } },
      ['stop s 30s Killing'],
    ],
    [
      'what fails its liveness probe, with the grace of the probe',
      {
        main: [container('main', { livenessProbe: { terminationGracePeriodSeconds: 3 } })],
        states: { main: 'running' },
        containers: { main: { unhealthy: 'failed liveness probe' } },
      },
      ['stop main 3s failed liveness probe'],
    ],
    [
      'what fails its startup probe, with the grace of that probe',
      {
        main: [
          container('main', { livenessProbe: { terminationGracePeriodSeconds: 3 }, startupProbe: { terminationGracePeriodSeconds: 4 } }),
        ],
        states: { main: 'running' },
        containers: { main: { unhealthy: 'failed startup probe', started: false } },
      },
      ['stop main 4s failed startup probe'],
    ],
    [
      'what runs another image than the pod names now',
      { main: [container('main', { image: 'other' })], states: { main: 'running' } },
      ['stop main 30s definition changed'],
    ],
  ])('%s', (_name, parts, want) => expect(told(viewOf(parts))).toEqual(want))

  test.each([
    ['just deleted', START_MS, 20_000],
    ['the agent restarted 15 s later', START_MS + 15_000, 5_000],
    ['the agent was away for longer than the grace', START_MS + 60_000, 0],
    ['this clock lags: never more than was granted', START_MS - 60_000, 20_000],
  ])('remaining grace: %s', (_name, nowMs, want) => {
    const metadata = { deletionTimestamp: new Date(START_MS + 20_000).toISOString(), deletionGracePeriodSeconds: 20 }
    expect(remainingGraceMs(viewOf({ metadata, view: { nowMs } }))).toBe(want)
  })
})

test('activeDeadlineSeconds counts from startTime and wakes the worker', () => {
  const parts = {
    spec: { activeDeadlineSeconds: 60 },
    status: { startTime: new Date(START_MS).toISOString() },
    states: { main: 'running' },
  }
  const view = viewOf({ ...parts, view: { nowMs: START_MS + 20_000, monotonicMs: 5 } })
  expect(planPod(view).wakeAtMs).toBe(40_005)
  expect(pastDeadline(view)).toBe(false)
  expect(pastDeadline(viewOf({ ...parts, view: { nowMs: START_MS + 60_000 } }))).toBe(true)
  expect(pastDeadline(viewOf({ ...parts, status: {}, view: { nowMs: START_MS + 60_000 } }))).toBe(false)
})

/** A world that obeys plans: what a worker and a runtime would do, in a few lines. */
class World {
  view: PodView
  readonly log: string[] = []

  constructor(view: PodView) {
    this.view = view
  }

  step(exitCode: () => number): void {
    for (const action of planPod(this.view).actions) {
      if (action.type === 'ensureSandbox') this.view = { ...this.view, sandboxReady: true }
      if (action.type === 'start') this.#start(action.name, action.restartCount)
      if (action.type === 'stop') this.#set(action.name, `exited:${exitCode()}`)
      this.log.push(action.type === 'finish' || action.type === 'ensureSandbox' ? action.type : `${action.type} ${action.name}`)
    }
  }

  end(name: string, code: number): void {
    if (this.view.containers.find((one) => one.name === name)?.current?.state === 'running') this.#set(name, `exited:${code}`)
  }

  #start(name: string, restartCount: number): void {
    const before = this.view.containers.find((one) => one.name === name)?.current
    if (before?.state === 'running') throw new Error(`second start of ${name}`)
    const expected = before ? before.restartCount + 1 : 0
    if (restartCount !== expected) throw new Error(`start ${restartCount} of ${name} after ${before?.restartCount}`)
    this.#set(name, `running#${restartCount}`, true)
  }

  #set(name: string, state: string, fresh = false): void {
    this.view = {
      ...this.view,
      containers: this.view.containers.map((one): ContainerView => {
        if (one.name !== name) return one
        const count = fresh ? '' : `#${one.current?.restartCount ?? 0}`
        const current = statusOf(name, `${state}${count}`)
        return { ...one, current, started: current.state === 'running', ready: current.state === 'running' }
      }),
    }
  }
}

const anyPod = fc.record({
  roles: fc.array(fc.constantFrom('init', 'sidecar'), { maxLength: 3 }),
  mains: fc.integer({ min: 1, max: 3 }),
  restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
  exits: fc.array(fc.tuple(fc.nat(5), fc.constantFrom(0, 0, 1)), { maxLength: 30 }),
})

test('whatever exits when: never two starts of one container, init in order, and it comes to rest', () => {
  fc.assert(
    fc.property(anyPod, ({ roles, mains, restartPolicy, exits }) => {
      const init = roles.map((role, i) => (role === 'init' ? container(`c${i}`) : sidecar(`c${i}`)))
      const main = Array.from({ length: mains }, (_, i) => container(`c${roles.length + i}`))
      const pod = podOf({ init, main, restartPolicy })
      const world = new World(viewOf({ init, main, restartPolicy, view: { sandboxReady: false } }))
      for (const [index, code] of exits) {
        world.step(() => 143)
        world.end(`c${index}`, code)
        const started = world.view.containers.filter((one) => one.current).map((one) => one.name)
        // nothing starts before everything in front of it has been started
        expect(started).toEqual(world.view.containers.slice(0, Math.max(0, started.length)).map((one) => one.name))
      }
      // from here on init containers succeed and nothing else ends
      for (let i = 0; i < 40; i++) {
        world.step(() => 143)
        for (const one of world.view.containers) if (one.role === 'init') world.end(one.name, 0)
      }
      const idle = planPod(world.view).actions.filter((action) => action.type !== 'finish')
      expect(idle).toEqual([])
      expect(pod.spec?.containers.length).toBe(mains)
      // deletion stops everything, main containers before sidecars
      world.view = { ...world.view, terminating: true }
      const before = world.log.length
      for (let i = 0; i < 10; i++) world.step(() => 143)
      expect(world.view.containers.some((one) => one.current?.state === 'running')).toBe(false)
      const stops = world.log.slice(before).filter((line) => line.startsWith('stop'))
      const sidecars = new Set(init.filter((one) => one.restartPolicy === 'Always').map((one) => `stop ${one.name}`))
      const firstSidecar = stops.findIndex((line) => sidecars.has(line))
      if (firstSidecar !== -1) expect(stops.slice(firstSidecar).every((line) => sidecars.has(line))).toBe(true)
      expect(world.log.at(-1)).toBe('finish')
    }),
  )
})
