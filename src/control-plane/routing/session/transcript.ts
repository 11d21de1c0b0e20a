import { describeNotification } from '../../../protocols/bgp/faults.ts'
import { afiOf, type Capability, type Family, type NotificationMessage, type OpenMessage } from '../../../protocols/bgp/message.ts'
import { encodeShutdownText } from '../../../protocols/bgp/small-messages.ts'
import { newSession, phaseOf, type SessionAction, type SessionEvent, type SessionOptions, type SessionState } from './session.ts'
import { step } from './step.ts'

/** Of a session between AS 65001, us, and 65002. */
export const OPTIONS: SessionOptions = {
  localAs: 65_001,
  routerId: 1,
  remoteAs: { first: 65_002, last: 65_002 },
  families: [4, 6],
  holdSeconds: 90,
  connectRetrySeconds: 15,
  passive: false,
  addPathReceive: false,
  extendedNextHop: false,
  gracefulRestart: { restartTimeSeconds: 120, stalePathsTimeSeconds: 360 },
}

/**
 * Plays a transcript and writes it anew with what really happened, for comparison. Lines that begin with `>` are events, the others
 * are the actions and, as `= State`, the state after them. Cancelled timers of connections are left out.
 *
 *   > start
 *   cancel idle-hold; connect 1; set connect-retry 15000~; = Connect
 */
export function replay(options: SessionOptions, text: string, first: SessionState = newSession()): string {
  let state = first
  const out: string[] = []
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (!line.startsWith('>')) continue
    const stepped = step(options, state, eventOf(line.slice(1).trim()))
    state = stepped.state
    out.push(line, [...stepped.actions.filter(isTelling).map(actionText), `= ${phaseOf(state)}`].join('; '))
  }
  return out.join('\n')
}

/** The lines of a transcript without indentation and empty lines. */
export function trimmed(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n')
}

/** Timers of a connection end with it: not worth a line each. */
function isTelling(action: SessionAction): boolean {
  return action.kind !== 'cancel-timer' || !action.timer.includes(':')
}

const NO_DATA = new Uint8Array(0)

/** One line of a transcript. */
export function eventOf(text: string): SessionEvent {
  const [kind, ...words] = text.split(' ') as [SessionEvent['kind'], ...string[]]
  const connection = Number(words[0])
  switch (kind) {
    case 'open':
      return { kind, connection, open: openFrom(words.slice(1)) }
    case 'notification':
      return { kind, connection, notification: notificationFrom(words.slice(1)) }
    case 'fault': {
      const hold = words[3] === undefined ? {} : { hold: words[3] === 'forever' ? ('forever' as const) : Number(words[3]) }
      return { kind, connection, fault: { code: Number(words[1]), subcode: Number(words[2]), data: NO_DATA, reason: 'broken' }, ...hold }
    }
    case 'refresh':
      return { kind, connection, refresh: { type: 'route-refresh', afi: 1, safi: 1, subtype: 0 } }
    case 'closed':
      return { kind, connection, reason: 'connection reset' }
    case 'connected':
    case 'keepalive':
    case 'update':
      return { kind, connection }
    case 'stop':
      return { kind, why: words[0] as 'shutdown', ...(words[1] === undefined ? {} : { text: words.slice(1).join(' ') }) }
    case 'end-of-rib':
      return { kind, family: connection as Family }
    case 'bfd-down':
      return { kind, reason: 'no packets', graceful: words[0] === 'graceful' }
    case 'timer':
      return { kind, timer: words[0] as 'connect-retry' }
    case 'start':
    case 'leave':
    case 'accepted':
    case 'restart-over':
      return { kind }
  }
}

/** `as=65002 id=2 hold=90 families=4,6 gr=R,N,120,4F,6`; as, id and hold have these defaults. */
function openFrom(words: readonly string[]): OpenMessage {
  const fields = Object.fromEntries(words.map((word) => word.split('='))) as Record<string, string | undefined>
  const as = Number(fields['as'] ?? 65_002)
  const families = (fields['families'] ?? '4').split(',').map(Number) as Family[]
  const capabilities: Capability[] = families.map((family) => ({ kind: 'multiprotocol', afi: afiOf(family), safi: 1 }))
  capabilities.push({ kind: 'four-octet-as', as }, { kind: 'route-refresh' })
  const restart = fields['gr']?.split(',')
  if (restart) {
    capabilities.push({
      kind: 'graceful-restart',
      restarting: restart.includes('R'),
      notification: restart.includes('N'),
      restartTimeSeconds: Number(restart.find((one) => /^\d\d+$/.test(one)) ?? 0),
      families: restart
        .filter((one) => /^[46]F?$/.test(one))
        .map((one) => ({ afi: afiOf(Number(one[0]) as Family), safi: 1, forwarding: one.endsWith('F') })),
    })
  }
  return {
    type: 'open',
    version: 4,
    as: as > 65_535 ? 23_456 : as,
    routerId: Number(fields['id'] ?? 2),
    holdTimeSeconds: Number(fields['hold'] ?? 90),
    capabilities,
  }
}

function notificationFrom([code, subcode, ...words]: readonly string[]): NotificationMessage {
  const text = words.join(' ')
  return { type: 'notification', code: Number(code), subcode: Number(subcode), data: text === '' ? NO_DATA : encodeShutdownText(text) }
}

function actionText(action: SessionAction): string {
  switch (action.kind) {
    case 'connect':
    case 'adopt':
    case 'close':
      return `${action.kind} ${action.connection}`
    case 'refuse':
      return 'refuse'
    case 'send-open': {
      const restart = action.open.capabilities.find((one) => one.kind === 'graceful-restart')
      const bits =
        restart?.kind === 'graceful-restart'
          ? ` ${restart.restarting ? 'R' : '-'}${restart.families.map(({ afi, forwarding }) => `${afi === 1 ? 4 : 6}${forwarding ? 'F' : ''}`).join('')}`
          : ''
      return `send ${action.connection} OPEN as=${action.open.as}${bits}`
    }
    case 'send-keepalive':
      return `send ${action.connection} KEEPALIVE`
    case 'send-notification':
      return `send ${action.connection} NOTIFICATION ${notificationText(action)}`
    case 'set-timer':
      return `set ${action.timer} ${action.ms}${action.jitter ? '~' : ''}`
    case 'cancel-timer':
      return `cancel ${action.timer}`
    case 'up':
      return `up ${action.connection} as=${action.negotiated.remoteAs} hold=${action.negotiated.holdSeconds} stale=${action.keepStale.join(',')}`
    case 'down':
      return `down stale=${action.keepStale.join(',')}: ${action.reason}`
    case 'sweep':
      return `sweep ${action.families.join(',')}`
    case 'deliver-refresh':
      return 'refresh'
  }
}

function notificationText({ code, subcode, data }: { readonly code: number; readonly subcode: number; readonly data: Uint8Array }): string {
  const isHard = code === 6 && subcode === 9
  return `${code}/${subcode}${isHard ? ` (${data[0]}/${data[1]})` : ''} ${describeNotification(code, subcode)}`
}
