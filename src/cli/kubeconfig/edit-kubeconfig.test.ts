import { describe, expect, test } from 'vitest'
import { addEntry, freeName, removeEntry, type ClusterEntry, type EntryRecord } from './edit-kubeconfig.ts'

const ENTRY: ClusterEntry = {
  name: 'biplane',
  server: 'https://127.0.0.1:6443',
  certificateAuthorityData: 'Q0E=',
  clientCertificateData: 'Q1I=',
  clientKeyData: 'S0U=',
}
const RECORD: EntryRecord = { path: '/k', name: 'biplane', certificateAuthorityData: 'Q0E=' }
const FOREIGN = {
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'work',
  clusters: [{ name: 'work', cluster: { server: 'https://work', extra: { deep: [1, 'x'] } } }],
  users: [{ name: 'me', user: { exec: { command: 'login' } } }],
  contexts: [{ name: 'work', context: { cluster: 'work', user: 'me', namespace: 'team' } }],
  extensions: [{ name: 'tool', extension: { a: 1 } }],
}
const keep = { switchTo: false }

describe('adding', () => {
  test('to nothing makes a whole kubeconfig and its context current', () => {
    const { config, changes } = addEntry({}, ENTRY, keep)
    expect(config).toEqual({
      apiVersion: 'v1',
      kind: 'Config',
      preferences: {},
      clusters: [{ name: 'biplane', cluster: { server: ENTRY.server, 'certificate-authority-data': 'Q0E=' } }],
      users: [{ name: 'biplane', user: { 'client-certificate-data': 'Q1I=', 'client-key-data': 'S0U=' } }],
      contexts: [{ name: 'biplane', context: { cluster: 'biplane', user: 'biplane' } }],
      'current-context': 'biplane',
    })
    expect(changes).toEqual(['added context "biplane"', 'it is the current context now'])
  })

  test('leaves what others have, and their current context', () => {
    const { config, changes } = addEntry(FOREIGN, ENTRY, keep)
    expect(config['current-context']).toBe('work')
    expect(config['extensions']).toEqual(FOREIGN.extensions)
    for (const key of ['clusters', 'users', 'contexts'] as const) expect((config[key] as unknown[])[0]).toEqual(FOREIGN[key][0])
    expect(changes).toEqual(['added context "biplane"'])
  })

  test('switches when asked, or when the current context does not exist', () => {
    expect(addEntry(FOREIGN, ENTRY, { switchTo: true }).config['current-context']).toBe('biplane')
    expect(addEntry({ ...FOREIGN, 'current-context': 'gone' }, ENTRY, keep).config['current-context']).toBe('biplane')
  })

  test('twice changes the entry in place and keeps the namespace set in it', () => {
    const first = addEntry(FOREIGN, ENTRY, keep).config
    const contexts = (first['contexts'] as { name: string; context: object }[]).map((one) =>
      one.name === 'biplane' ? { ...one, context: { ...one.context, namespace: 'shop' } } : one,
    )
    const { config, changes } = addEntry({ ...first, contexts }, { ...ENTRY, server: 'https://127.0.0.1:7000' }, keep)
    expect(config['clusters']).toHaveLength(2)
    expect(JSON.stringify(config)).toContain('https://127.0.0.1:7000')
    expect((config['contexts'] as unknown[])[1]).toEqual({
      name: 'biplane',
      context: { namespace: 'shop', cluster: 'biplane', user: 'biplane' },
    })
    expect(changes).toEqual(['updated context "biplane"'])
  })

  test('does not change what it was given', () => {
    const before = structuredClone(FOREIGN)
    addEntry(FOREIGN, ENTRY, { switchTo: true })
    expect(FOREIGN).toEqual(before)
  })
})

describe('removing', () => {
  test('gives back what was there before', () => {
    const added = addEntry(FOREIGN, ENTRY, keep).config
    const { preferences: _preferences, ...rest } = removeEntry(added, RECORD)?.config ?? {}
    expect(rest).toEqual(FOREIGN)
  })

  test('goes back to the context before, if it is still there', () => {
    const added = addEntry(FOREIGN, ENTRY, { switchTo: true }).config
    expect(removeEntry(added, { ...RECORD, previousContext: 'work' })?.config['current-context']).toBe('work')
    expect(removeEntry(added, { ...RECORD, previousContext: 'gone' })?.config['current-context']).toBe('')
  })

  test('leaves an entry of the same name that is another cluster', () => {
    const taken = addEntry(FOREIGN, { ...ENTRY, certificateAuthorityData: 'b3RoZXI=' }, keep).config
    expect(removeEntry(taken, RECORD)).toBeUndefined()
    expect(removeEntry({}, RECORD)).toBeUndefined()
  })
})

test('a name that somebody else has gets a number', () => {
  const mine = addEntry(FOREIGN, ENTRY, keep).config
  expect(freeName(FOREIGN, 'biplane', undefined)).toBe('biplane')
  expect(freeName(mine, 'biplane', RECORD)).toBe('biplane')
  expect(freeName(mine, 'biplane', undefined)).toBe('biplane-2')
  expect(freeName(mine, 'biplane', { ...RECORD, certificateAuthorityData: 'b3RoZXI=' })).toBe('biplane-2')
})
