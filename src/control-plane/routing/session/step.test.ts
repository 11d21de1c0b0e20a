import { expect, test } from 'vitest'
import { newSession, type SessionOptions, type SessionState } from './session.ts'
import { step } from './step.ts'
import { OPTIONS, replay, trimmed } from './transcript.ts'

// name, what differs from OPTIONS, transcript, state at the start
const transcripts: [string, Partial<SessionOptions>, string, SessionState?][] = [
  [
    'waits where it is passive, and sends its OPEN second where it is told to',
    { passive: true, delayOpenSeconds: 5 },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; set delay-open:1 5000; = Active
    > open 1
      send 1 OPEN as=65001 -46; set hold:1 240000; send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > closed 1
      cancel stale-paths; down stale=: connection reset; = Active
    > accepted
      adopt 2; set delay-open:2 5000; = Active
    > timer delay-open:2
      send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    `,
  ],
  [
    'resolves a collision before it matters: the peer has the higher router ID',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > connected 1
      cancel connect-retry; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 1
      send 1 NOTIFICATION 6/7 cease: connection collision resolution; close 1; = OpenSent
    > open 2
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; up 2 as=65002 hold=90 stale=; = Established
    `,
  ],
  [
    'resolves a collision before it matters: ours is the higher router ID',
    { routerId: 9 },
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > connected 1
      cancel connect-retry; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2
      send 2 NOTIFICATION 6/7 cease: connection collision resolution; close 2; = OpenSent
    > open 1
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    `,
  ],
  [
    'compares AS numbers where router IDs are equal',
    { routerId: 2 },
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > connected 1
      cancel connect-retry; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 1
      send 1 NOTIFICATION 6/7 cease: connection collision resolution; close 1; = OpenSent
    `,
  ],
  [
    'tells why it is shut down, as a hard reset to a peer that would keep routes otherwise',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 gr=N,60,4F
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; close 1; up 2 as=65002 hold=90 stale=; = Established
    > stop shutdown back at noon
      send 2 NOTIFICATION 6/9 (6/2) cease: hard reset; close 2; cancel stale-paths; down stale=: cease: administrative shutdown; cancel connect-retry; cancel idle-hold; cancel restart; = Idle
    > accepted
      refuse; = Idle
    `,
  ],
  [
    'is told why',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > notification 1 6 2 back at noon
      close 1; cancel stale-paths; down stale=: the peer said: cease: administrative shutdown: "back at noon"; = Active
    `,
  ],
  [
    'starts again after a reset',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; close 1; up 2 as=65002 hold=90 stale=; = Established
    > stop reset
      send 2 NOTIFICATION 6/4 cease: administrative reset; close 2; cancel stale-paths; down stale=: cease: administrative reset; cancel connect-retry; set connect-retry 1000~; = Active
    > timer connect-retry
      connect 3; set connect-retry 15000~; = Connect
    `,
  ],
  [
    'stays down for a while after too many prefixes',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 gr=N,60,4F
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; close 1; up 2 as=65002 hold=90 stale=; = Established
    > fault 2 6 1 300
      send 2 NOTIFICATION 6/9 (6/1) cease: hard reset; close 2; cancel connect-retry; set idle-hold 300000; cancel stale-paths; down stale=: cease: maximum number of prefixes reached: broken; = Idle
    > accepted
      refuse; = Idle
    > timer idle-hold
      cancel idle-hold; connect 3; set connect-retry 15000~; = Connect
    `,
  ],
  [
    'stays down for good after too many prefixes where it is told to',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; close 1; up 2 as=65002 hold=90 stale=; = Established
    > fault 2 6 1 forever
      send 2 NOTIFICATION 6/1 cease: maximum number of prefixes reached; close 2; cancel connect-retry; cancel stale-paths; down stale=: cease: maximum number of prefixes reached: broken; = Idle
    > accepted
      refuse; = Idle
    > start
      cancel idle-hold; connect 3; set connect-retry 15000~; = Connect
    `,
  ],
  [
    'refuses a wrong AS and a peer without a common family',
    { passive: true, families: [4] },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -4; set hold:1 240000; = OpenSent
    > open 1 as=65003
      send 1 NOTIFICATION 2/2 OPEN error: bad peer AS; close 1; = Active
    > accepted
      adopt 2; send 2 OPEN as=65001 -4; set hold:2 240000; = OpenSent
    > open 2 families=6
      send 2 NOTIFICATION 2/7 OPEN error: unsupported capability; close 2; = Active
    `,
  ],
  [
    'refuses its own router ID inside its AS',
    { passive: true, remoteAs: 'internal' },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 as=65001 id=1
      send 1 NOTIFICATION 2/3 OPEN error: bad BGP identifier; close 1; = Active
    `,
  ],
  [
    'says in which state a surprise came',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > keepalive 1
      send 1 NOTIFICATION 5/1 state machine error: in OpenSent; close 1; = Active
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > update 2
      send 2 NOTIFICATION 5/2 state machine error: in OpenConfirm; close 2; = Active
    > accepted
      adopt 3; send 3 OPEN as=65001 -46; set hold:3 240000; = OpenSent
    > open 3
      send 3 KEEPALIVE; set hold:3 90000; set keepalive:3 30000~; = OpenConfirm
    > keepalive 3
      cancel connect-retry; cancel restart; up 3 as=65002 hold=90 stale=; = Established
    > open 3
      send 3 NOTIFICATION 5/3 state machine error: in Established; close 3; cancel stale-paths; down stale=: state machine error: in Established: OPEN in state Established; = Active
    `,
  ],
  [
    'runs without timers where a hold time of 0 is agreed on',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 hold=0
      send 1 KEEPALIVE; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=0 stale=; = Established
    `,
  ],
  [
    'takes AS numbers of four bytes, any external one',
    { passive: true, remoteAs: 'external', localAs: 4_200_000_000 },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=23456 -46; set hold:1 240000; = OpenSent
    > open 1 as=4200000001
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=4200000001 hold=90 stale=; = Established
    `,
  ],
  [
    'drops a connection that was never answered for the next one of the peer',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > connected 1
      cancel connect-retry; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > accepted
      close 2; adopt 3; send 3 OPEN as=65001 -46; set hold:3 240000; = OpenSent
    > open 3 id=0
      send 3 NOTIFICATION 6/7 cease: connection collision resolution; close 3; = OpenSent
    > accepted
      adopt 4; send 4 OPEN as=65001 -46; set hold:4 240000; = OpenSent
    `,
  ],
]

test.each(transcripts)('a session %s', (_name, differing, transcript, first = newSession()) => {
  expect(replay({ ...OPTIONS, ...differing }, transcript, first)).toBe(trimmed(transcript))
})

test('a passive session that becomes an active one calls', () => {
  const passive = { ...OPTIONS, passive: true }
  const started = step(passive, newSession(), { kind: 'start' }).state
  const stopped = step(passive, started, { kind: 'stop', why: 'configuration-change' })
  const timer = stopped.actions.find((action) => action.kind === 'set-timer')
  expect(timer).toMatchObject({ timer: 'connect-retry' })
  const called = step(OPTIONS, stopped.state, { kind: 'timer', timer: 'connect-retry' })
  expect(called.actions.map(({ kind }) => kind)).toContain('connect')
  expect(step(passive, stopped.state, { kind: 'timer', timer: 'connect-retry' }).actions).toEqual([])
})
