import { describe, expect, it } from 'vitest'
import { MvccState } from './mvcc-state.ts'
import { KeyEntry, Version } from './version.ts'

/** A state with one key, changed at each of the revisions; a negative one deletes it. */
function stateOf(...revisions: number[]): MvccState {
  const state = new MvccState()
  let number = 0
  for (const revision of revisions) {
    number = revision < 0 ? 0 : number + 1
    const entry = state.newest('/a')?.entry ?? new KeyEntry('/a')
    const fields = { modRevision: Math.abs(revision), index: 0, createRevision: 2, version: number, leaseId: 0 }
    state.apply(new Version(entry, fields))
  }
  return state
}

function sweepAll(state: MvccState, compactRevision: number): number[] {
  state.compactRevision = compactRevision
  const removed: number[] = []
  while (state.hasGarbage) removed.push(...state.sweep(2).map((id) => id.modRevision))
  return removed
}

describe('MvccState.sweep', () => {
  it.each<[string, number[], number, number[]]>([
    ['keeps the newest version', [2, 3, 4], 4, [2, 3]],
    ['keeps the newest version not above the compaction', [2, 3, 4, 5], 4, [2, 3]],
    ['takes a deletion with what it deleted', [2, 3, -4], 4, [2, 3, 4]],
    ['keeps a deletion above the compaction and what it deleted', [2, 3, -4], 3, [2]],
    ['takes a deletion before a version with the next compaction only', [2, -3, 4, 5], 3, [2]],
    ['takes a deletion when the version above it is swept', [2, -3, 4, 5], 5, [2, 3, 4]],
    ['finds nothing in a key that was written once', [2], 9, []],
  ])('%s', (_, revisions, compactRevision, removed) => {
    expect(sweepAll(stateOf(...revisions), compactRevision)).toEqual(removed)
  })

  it('cuts the chain, so that memory is given back', () => {
    const state = stateOf(2, 3, 4, 5)
    sweepAll(state, 4)
    expect(state.newest('/a')?.previous?.modRevision).toBe(4)
    expect(state.newest('/a')?.previous?.previous).toBeUndefined()
    expect(state.history.length).toBe(1)
  })

  it('forgets a deleted key altogether', () => {
    const state = stateOf(2, -3)
    sweepAll(state, 3)
    expect(state.newest('/a')).toBeUndefined()
    expect(state.page('', '', { limit: 0, revision: 3 }).versions).toEqual([])
  })
})

describe('MvccState.load', () => {
  const record = (modRevision: number, key: string, version: number) => ({
    modRevision,
    index: 0,
    key,
    version,
    createRevision: 2,
    leaseId: 0,
  })

  it('sweeps what an interrupted compaction left behind', () => {
    const state = new MvccState()
    const records = [record(2, '/a', 1), record(3, '/b', 1), record(4, '/a', 2), record(5, '/b', 0), record(6, '/a', 3), record(7, '/b', 1)]
    state.load(records, { lastRevision: 7, compactRevision: 5 })
    const removed = sweepAll(state, 5)
    expect(removed.sort((a, b) => a - b)).toEqual([2, 3, 5])
    expect(state.at('/a', 5)?.modRevision).toBe(4)
    expect(state.at('/b', 5)).toBeUndefined()
    expect(state.keys).toBe(2)
  })

  it.each([
    ['out of order', [record(3, '/a', 1), record(2, '/b', 1)]],
    ['twice the same', [record(3, '/a', 1), record(3, '/b', 1)]],
    ['beyond what a number holds', [record(2 ** 53, '/a', 1)]],
  ])('refuses records %s', (_, records) => {
    expect(() => new MvccState().load(records, { lastRevision: 3, compactRevision: 0 })).toThrow(
      expect.objectContaining({ code: 'Corrupt' }),
    )
  })
})
