import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newSession, phaseOf, type SessionOptions } from './session.ts'
import { step } from './step.ts'
import { eventOf } from './transcript.ts'

const OPTIONS: SessionOptions = {
  localAs: 65_001,
  routerId: 2,
  remoteAs: 'external',
  families: [4, 6],
  holdSeconds: 90,
  connectRetrySeconds: 15,
  passive: false,
  addPathReceive: true,
  extendedNextHop: true,
  gracefulRestart: { restartTimeSeconds: 120, stalePathsTimeSeconds: 360 },
}

const connection = fc.integer({ min: 1, max: 6 })
const opens = ['', ' id=1', ' id=3', ' as=65001', ' hold=0', ' gr=N,60,4F,6', ' gr=R,N,60,4F,6F', ' families=']
const events = fc.oneof(
  fc.constantFrom('start', 'accepted', 'leave', 'restart-over', 'bfd-down', 'bfd-down graceful', 'end-of-rib 4', 'end-of-rib 6'),
  fc.constantFrom('stop shutdown bye', 'stop reset', 'stop configuration-change', 'stop deconfigured'),
  fc.constantFrom('timer connect-retry', 'timer idle-hold', 'timer restart', 'timer stale-paths'),
  fc.tuple(fc.constantFrom('connected', 'closed', 'keepalive', 'update', 'refresh'), connection).map(([kind, id]) => `${kind} ${id}`),
  fc.tuple(connection, fc.constantFrom(...opens)).map(([id, open]) => `open ${id}${open}`),
  fc.tuple(connection, fc.constantFrom('6 2 bye', '6 9', '4 0', '1 1')).map(([id, text]) => `notification ${id} ${text}`),
  fc.tuple(connection, fc.constantFrom('3 1', '6 1 300', '6 1 forever')).map(([id, text]) => `fault ${id} ${text}`),
  fc.tuple(fc.constantFrom('hold', 'keepalive', 'delay-open', 'collision'), connection).map(([timer, id]) => `timer ${timer}:${id}`),
)

test('whatever happens, in whatever order, a session stays one', () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), fc.boolean(), (texts, passive) => {
      let state = newSession()
      let isUp = false
      const open = new Set<number>()
      for (const text of ['start', ...texts]) {
        const stepped = step({ ...OPTIONS, passive }, state, eventOf(text))
        state = stepped.state
        for (const action of stepped.actions) {
          if (action.kind === 'connect' || action.kind === 'adopt') open.add(action.connection)
          if (action.kind === 'close') expect(open.delete(action.connection)).toBe(true)
          // nothing is said on a connection that is closed
          if (action.kind.startsWith('send-')) expect(open.has((action as { connection: number }).connection)).toBe(true)
          if (action.kind === 'up' || action.kind === 'down') {
            expect(isUp).toBe(action.kind === 'down')
            isUp = action.kind === 'up'
          }
        }
        // connections that ended by themselves
        for (const id of open) if (!state.connections.some((one) => one.id === id)) open.delete(id)
        expect(state.connections.filter(({ stage }) => stage === 'established')).toHaveLength(isUp ? 1 : 0)
        expect(phaseOf(state) === 'Established').toBe(isUp)
        expect(state.connections.length).toBeLessThanOrEqual(3)
        if (!state.started) expect(state.connections).toEqual([])
      }
    }),
    { numRuns: 200 },
  )
})
