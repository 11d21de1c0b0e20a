import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { PathGuard } from './path-guard.ts'

function guarded(): { readonly guard: PathGuard; readonly clock: FakeClock; readonly dead: string[] } {
  const clock = new FakeClock()
  const dead: string[] = []
  return { guard: new PathGuard({ clock, patienceMs: 3_000, dead: (reason) => dead.push(reason) }), clock, dead }
}

test('a path that dies under a session ends it at once', async () => {
  const { guard, clock, dead } = guarded()
  guard.bfdChanged('Up')
  guard.sessionUp()
  await clock.advance(3_000)
  guard.bfdChanged('Down')
  guard.bfdDown('no packets', false)
  expect(dead).toEqual(['no packets'])
})

test('BFD that comes up after the session counts from then on', () => {
  const { guard, dead } = guarded()
  guard.sessionUp()
  guard.bfdChanged('Init')
  guard.bfdChanged('Up')
  guard.bfdChanged('Down')
  guard.bfdDown('no packets', false)
  expect(dead).toEqual(['no packets'])
})

test('a peer that was killed is back before BFD noticed: the end of its earlier BFD session takes nothing down', async () => {
  const { guard, clock, dead } = guarded()
  guard.bfdChanged('Up')
  guard.sessionUp()
  await clock.advance(10_000)
  guard.sessionDown()
  guard.sessionUp()
  guard.bfdChanged('Down')
  guard.bfdDown('the neighbour does not hear us', false)
  guard.bfdChanged('Up')
  await clock.advance(10_000)
  expect(dead).toEqual([])
  guard.bfdChanged('Down')
  guard.bfdDown('no packets', false)
  expect(dead).toEqual(['no packets'])
})

test('a session that came up on a path that is dead ends after a while', async () => {
  const { guard, clock, dead } = guarded()
  guard.bfdChanged('Up')
  guard.sessionUp()
  guard.bfdChanged('Down')
  guard.bfdDown('no packets', true)
  await clock.advance(2_999)
  expect(dead).toEqual([])
  await clock.advance(1)
  expect(dead).toEqual(['no packets'])
})

test('a peer without BFD keeps its session', async () => {
  const { guard, clock, dead } = guarded()
  guard.sessionUp()
  await clock.advance(60_000)
  expect(dead).toEqual([])
})
