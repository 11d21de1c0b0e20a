import { describe, expect, test } from 'vitest'
import type { BfdPacket, BfdState } from '../../../protocols/bfd/index.ts'
import { newBfdSession, stepBfd, type BfdAction, type BfdEvent, type BfdOptions } from './step-bfd.ts'

const OPTIONS: BfdOptions = { discriminator: 7, minTxMs: 300, minRxMs: 300, detectMultiplier: 3 }

/** `Down`, `Up poll`, `Init final me=9`: what the neighbour sends. */
function packet(words: readonly string[]): BfdPacket {
  const number = (name: string, otherwise: number): number =>
    Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? otherwise)
  return {
    diagnostic: 0,
    state: words[0] as BfdState,
    poll: words.includes('poll'),
    final: words.includes('final'),
    controlPlaneIndependent: words.includes('independent'),
    demand: false,
    detectMultiplier: number('multiplier', 3),
    myDiscriminator: 9,
    yourDiscriminator: number('you', 7),
    desiredMinTxMicroseconds: number('tx', 200) * 1000,
    requiredMinRxMicroseconds: number('rx', 200) * 1000,
    requiredMinEchoRxMicroseconds: 0,
  }
}

function eventOf(text: string): BfdEvent {
  if (text === 'start' || text === 'stop') return { kind: text }
  if (text === 'transmit' || text === 'detect') return { kind: 'timer', timer: text }
  return { kind: 'packet', packet: packet(text.split(' ')) }
}

function actionText(action: BfdAction): string {
  switch (action.kind) {
    case 'send': {
      const { state, poll, final, yourDiscriminator, desiredMinTxMicroseconds, diagnostic } = action.packet
      const flags = `${poll ? ' poll' : ''}${final ? ' final' : ''}${diagnostic ? ` diag=${diagnostic}` : ''}`
      return `send ${state}${flags} to ${yourDiscriminator} tx=${desiredMinTxMicroseconds / 1000}`
    }
    case 'set-timer':
      return `${action.timer} in ${action.ms}`
    case 'cancel-timer':
      return `no ${action.timer}`
    case 'up':
      return 'UP'
    case 'down':
      return `DOWN ${action.deliberate ? 'on purpose' : action.reason}`
  }
}

function play(events: readonly string[], options = OPTIONS): string[] {
  let state = newBfdSession()
  return events.map((text) => {
    const stepped = stepBfd(options, state, eventOf(text))
    state = stepped.state
    return [...stepped.actions.map(actionText), `= ${state.state}`].join('; ')
  })
}

const UP = ['start', 'Down you=0', 'Init', 'Up final']

describe('a BFD session', () => {
  test('comes up in three packets and speeds up', () => {
    expect(play([...UP, 'Up', 'transmit'])).toEqual([
      'send Down to 0 tx=1000; transmit in 1000; = Down',
      'detect in 900; send Init to 9 tx=1000; transmit in 1000; = Init',
      'detect in 900; UP; send Up poll to 9 tx=300; transmit in 300; = Up',
      'detect in 900; = Up',
      'detect in 900; = Up',
      'send Up to 9 tx=300; transmit in 300; = Up',
    ])
  })

  test('goes down when packets stop, and says why', () => {
    expect(play([...UP, 'detect', 'Down you=0', 'Init']).slice(4)).toEqual([
      'DOWN no packets for 900 ms; send Down diag=1 to 0 tx=1000; transmit in 1000; = Down',
      'detect in 900; send Init diag=1 to 9 tx=1000; transmit in 1000; = Init',
      'detect in 900; UP; send Up poll to 9 tx=300; transmit in 300; = Up',
    ])
  })

  test('goes down when the neighbour does not hear it', () => {
    expect(play([...UP, 'Down']).at(-1)).toBe(
      'detect in 900; DOWN the neighbour does not hear us; send Down diag=3 to 9 tx=1000; transmit in 1000; = Down',
    )
  })

  test('tells a neighbour that was shut down from a dead path', () => {
    expect(play([...UP, 'AdminDown']).at(-1)).toContain('DOWN on purpose')
  })

  test('answers a poll at once', () => {
    expect(play([...UP, 'Up poll']).at(-1)).toBe('detect in 900; send Up final to 9 tx=300; = Up')
  })

  test('waits as long as the neighbour says', () => {
    expect(play([...UP, 'Up tx=500 multiplier=5']).at(-1)).toBe('detect in 2500; = Up')
  })

  test('sends no faster than the neighbour wants, and nothing where it wants nothing', () => {
    expect(play([...UP, 'Up rx=5000', 'transmit', 'Up rx=0', 'transmit']).slice(4)).toEqual([
      'detect in 900; = Up',
      'send Up to 9 tx=300; transmit in 5000; = Up',
      'detect in 900; = Up',
      'no transmit; = Up',
    ])
  })

  test('ignores packets for others', () => {
    expect(play([...UP, 'Down you=8']).at(-1)).toBe('= Up')
  })

  test('says that it is shut down, and then hears nothing', () => {
    expect(play([...UP, 'stop', 'Up', 'transmit']).slice(4)).toEqual([
      'send AdminDown diag=7 to 9 tx=1000; no transmit; no detect; = AdminDown',
      '= AdminDown',
      '= AdminDown',
    ])
  })
})
