import { expect, test } from 'vitest'
import { newSession, type SessionOptions, type SessionState } from './session.ts'
import { OPTIONS, replay, trimmed } from './transcript.ts'

// name, what differs from OPTIONS, transcript, state at the start
const transcripts: [string, Partial<SessionOptions>, string, SessionState?][] = [
  [
    'calls the peer, agrees, keeps alive, and tries again quickly after a loss',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > connected 1
      cancel connect-retry; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > timer keepalive:1
      send 1 KEEPALIVE; set keepalive:1 30000~; = Established
    > update 1
      = Established
    > refresh 1
      refresh; = Established
    > closed 1
      cancel stale-paths; down stale=: connection reset; set connect-retry 1000~; = Active
    > timer connect-retry
      connect 2; set connect-retry 15000~; = Connect
    > closed 2
      set connect-retry 15000~; = Active
    > timer connect-retry
      connect 3; set connect-retry 15000~; = Connect
    `,
  ],
  [
    'takes a second connection for a collision while the established one answers',
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
    > accepted
      adopt 3; send 3 OPEN as=65001 -46; set hold:3 240000; = Established
    > open 3
      send 2 KEEPALIVE; set collision:3 1500; = Established
    > timer collision:3
      send 3 NOTIFICATION 6/7 cease: connection collision resolution; close 3; = Established
    `,
  ],
  [
    'goes over to a second connection when the established one proves dead',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 gr=60,4
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; close 1; up 2 as=65002 hold=90 stale=; = Established
    > accepted
      adopt 3; send 3 OPEN as=65001 -46; set hold:3 240000; = Established
    > open 3 gr=60,4F
      send 2 KEEPALIVE; set collision:3 1500; = Established
    > closed 2
      cancel stale-paths; down stale=4: connection reset; set restart 60000; send 3 KEEPALIVE; set hold:3 90000; set keepalive:3 30000~; = OpenConfirm
    > keepalive 3
      cancel connect-retry; cancel restart; up 3 as=65002 hold=90 stale=4; set stale-paths 360000; = Established
    `,
  ],
  [
    'keeps routes while the peer restarts, until it has sent them again',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 families=4,6 gr=60,4F,6F
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; close 1; up 2 as=65002 hold=90 stale=; = Established
    > accepted
      adopt 3; send 3 OPEN as=65001 -46; set hold:3 240000; = Established
    > open 3 families=4,6 gr=R,60,4F,6F
      close 2; cancel stale-paths; down stale=4,6: the peer restarted; set restart 60000; send 3 KEEPALIVE; set hold:3 90000; set keepalive:3 30000~; = OpenConfirm
    > keepalive 3
      cancel connect-retry; cancel restart; up 3 as=65002 hold=90 stale=4,6; set stale-paths 360000; = Established
    > end-of-rib 4
      = Established
    > end-of-rib 6
      cancel stale-paths; = Established
    `,
  ],
  [
    'gives up routes of a peer that does not come back',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=60,4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > closed 1
      cancel stale-paths; down stale=4: connection reset; set restart 60000; = Active
    > timer restart
      sweep 4; = Active
    `,
  ],
  [
    'gives up routes of a peer that came back without its forwarding state, or takes too long',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 families=4,6 gr=60,4F,6F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > closed 1
      cancel stale-paths; down stale=4,6: connection reset; set restart 60000; = Active
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 families=4,6 gr=R,60,4F,6
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; up 2 as=65002 hold=90 stale=4; set stale-paths 360000; = Established
    > timer stale-paths
      sweep 4; = Established
    `,
  ],
  [
    'does not keep routes over a NOTIFICATION or a silent peer without the N bit',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=60,4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > notification 1 6 4
      close 1; cancel stale-paths; down stale=: the peer said: cease: administrative reset; = Active
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 gr=60,4F
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; up 2 as=65002 hold=90 stale=; = Established
    > timer hold:2
      send 2 NOTIFICATION 4/0 hold timer expired; close 2; cancel stale-paths; down stale=: hold timer expired; = Active
    `,
  ],
  [
    'keeps routes over both with the N bit, but not over a hard reset',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=N,60,4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > notification 1 6 4
      close 1; cancel stale-paths; down stale=4: the peer said: cease: administrative reset; set restart 60000; = Active
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    > open 2 gr=N,60,4F
      send 2 KEEPALIVE; set hold:2 90000; set keepalive:2 30000~; = OpenConfirm
    > keepalive 2
      cancel connect-retry; cancel restart; up 2 as=65002 hold=90 stale=4; set stale-paths 360000; = Established
    > timer hold:2
      send 2 NOTIFICATION 4/0 hold timer expired; close 2; cancel stale-paths; down stale=4: hold timer expired; set restart 60000; = Active
    > accepted
      adopt 3; send 3 OPEN as=65001 -46; set hold:3 240000; = OpenSent
    > open 3 gr=N,60,4F
      send 3 KEEPALIVE; set hold:3 90000; set keepalive:3 30000~; = OpenConfirm
    > keepalive 3
      cancel connect-retry; cancel restart; up 3 as=65002 hold=90 stale=4; set stale-paths 360000; = Established
    > notification 3 6 9
      close 3; cancel stale-paths; down stale=: the peer said: cease: hard reset; = Active
    `,
  ],
  [
    'keeps no routes of a peer whose restart time is 0',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > closed 1
      cancel stale-paths; down stale=: connection reset; = Active
    `,
  ],
  [
    'says that it has restarted, until its own routes are complete',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 R4F6; set hold:1 240000; = OpenSent
    > open 1 gr=60,4
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > restart-over
      = Established
    > closed 1
      cancel stale-paths; down stale=4: connection reset; set restart 60000; = Active
    > accepted
      adopt 2; send 2 OPEN as=65001 -46; set hold:2 240000; = OpenSent
    `,
    newSession({ forwarding: [4] }),
  ],
  [
    'leaves for an upgrade without a word',
    {},
    `
    > start
      cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
    > connected 1
      cancel connect-retry; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=60,4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > leave
      close 1; cancel connect-retry; cancel idle-hold; cancel restart; cancel stale-paths; = Idle
    > accepted
      refuse; = Idle
    `,
  ],
  [
    'loses the session with the path, whatever the peer can',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=N,60,4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > bfd-down
      send 1 NOTIFICATION 6/9 (6/10) cease: hard reset; close 1; cancel stale-paths; down stale=: BFD: no packets; = Active
    `,
  ],
  [
    'keeps routes where only the control plane of the peer may be dead',
    { passive: true },
    `
    > start
      cancel idle-hold; = Active
    > accepted
      adopt 1; send 1 OPEN as=65001 -46; set hold:1 240000; = OpenSent
    > open 1 gr=N,60,4F
      send 1 KEEPALIVE; set hold:1 90000; set keepalive:1 30000~; = OpenConfirm
    > keepalive 1
      cancel connect-retry; cancel restart; up 1 as=65002 hold=90 stale=; = Established
    > bfd-down graceful
      send 1 NOTIFICATION 6/10 cease: BFD down; close 1; cancel stale-paths; down stale=4: BFD: no packets; set restart 60000; = Active
    `,
  ],
]

test.each(transcripts)('a session %s', (_name, differing, transcript, first = newSession()) => {
  expect(replay({ ...OPTIONS, ...differing }, transcript, first)).toBe(trimmed(transcript))
})
