import type { BgpFault } from './message.ts'

/** Error codes of NOTIFICATION (RFC 4271 section 4.5, RFC 7313). */
export const ERROR_CODE = { header: 1, open: 2, update: 3, holdTimer: 4, fsm: 5, cease: 6, routeRefresh: 7 } as const

/** Subcodes, by the name of their code. */
export const ERROR_SUBCODE = {
  header: { notSynchronized: 1, badLength: 2, badType: 3 },
  open: { version: 1, badPeerAs: 2, badIdentifier: 3, optionalParameter: 4, holdTime: 6, capability: 7, roleMismatch: 11 },
  update: {
    malformedAttributeList: 1,
    unrecognizedWellKnown: 2,
    missingWellKnown: 3,
    attributeFlags: 4,
    attributeLength: 5,
    origin: 6,
    nextHop: 8,
    optionalAttribute: 9,
    networkField: 10,
    asPath: 11,
  },
  /** RFC 6608. */
  fsm: { unspecified: 0, openSent: 1, openConfirm: 2, established: 3 },
  /** RFC 4486, RFC 8538 section 4. */
  cease: {
    maximumPrefixes: 1,
    administrativeShutdown: 2,
    peerDeconfigured: 3,
    administrativeReset: 4,
    connectionRejected: 5,
    configurationChange: 6,
    collisionResolution: 7,
    outOfResources: 8,
    hardReset: 9,
    /** RFC 9384. */
    bfdDown: 10,
  },
  routeRefresh: { badLength: 1 },
} as const

const NAMES: Readonly<Record<number, readonly [string, Readonly<Record<number, string>>]>> = {
  1: ['message header error', { 1: 'connection not synchronized', 2: 'bad message length', 3: 'bad message type' }],
  2: [
    'OPEN error',
    {
      1: 'unsupported version',
      2: 'bad peer AS',
      3: 'bad BGP identifier',
      4: 'unsupported optional parameter',
      6: 'unacceptable hold time',
      7: 'unsupported capability',
      11: 'role mismatch',
    },
  ],
  3: [
    'UPDATE error',
    {
      1: 'malformed attribute list',
      2: 'unrecognized well-known attribute',
      3: 'missing well-known attribute',
      4: 'attribute flags',
      5: 'attribute length',
      6: 'invalid ORIGIN',
      8: 'invalid NEXT_HOP',
      9: 'optional attribute',
      10: 'invalid network field',
      11: 'malformed AS_PATH',
    },
  ],
  4: ['hold timer expired', {}],
  5: ['state machine error', { 1: 'in OpenSent', 2: 'in OpenConfirm', 3: 'in Established' }],
  6: [
    'cease',
    {
      1: 'maximum number of prefixes reached',
      2: 'administrative shutdown',
      3: 'peer de-configured',
      4: 'administrative reset',
      5: 'connection rejected',
      6: 'other configuration change',
      7: 'connection collision resolution',
      8: 'out of resources',
      9: 'hard reset',
      10: 'BFD down',
    },
  ],
  7: ['ROUTE-REFRESH error', { 1: 'invalid message length' }],
}

/** `cease: administrative shutdown`, or numbers where there is no name. */
export function describeNotification(code: number, subcode: number): string {
  const known = NAMES[code]
  if (!known) return `error ${code}/${subcode}`
  if (subcode === 0) return known[0]
  return `${known[0]}: ${known[1][subcode] ?? `subcode ${subcode}`}`
}

const NO_DATA = new Uint8Array(0)

export function bgpFault(code: number, subcode: number, reason: string, data: Uint8Array = NO_DATA): BgpFault {
  return { code, subcode, data, reason }
}

export function isFault<T extends object>(value: T | BgpFault): value is BgpFault {
  return 'subcode' in value && 'reason' in value
}
