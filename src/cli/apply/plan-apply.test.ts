import { describe, expect, test } from 'vitest'
import { applyMergePatch } from '../../api/meta/merge-patch.ts'
import { applyStrategicMergePatch } from '../../api/meta/strategic-merge.ts'
import { patchSchemaOf } from '../../api/schema/index.ts'
import { isAmbiguous, LAST_APPLIED, lastAppliedOf, planPatch, withLastApplied } from './plan-apply.ts'

type Json = Record<string, unknown>
const container = (name: string, more: Json = {}): Json => ({ name, image: `${name}:1`, ...more })
const podSpec = (spec: Json): Json => ({ spec })

/** Patches `live` as the server would. */
function pod(last: Json | undefined, wanted: Json, live: Json): unknown {
  const schema = patchSchemaOf('io.k8s.api.core.v1.Pod')
  return applyStrategicMergePatch(live, planPatch(last, wanted, schema), schema)
}

function of(kind: string, docs: { readonly last: Json; readonly wanted: Json; readonly live: Json }): unknown {
  const schema = patchSchemaOf(kind)
  return applyStrategicMergePatch(docs.live, planPatch(docs.last, docs.wanted, schema), schema)
}

describe('three-way patch of built-in kinds', () => {
  test('a field that the manifest no longer has goes, one that others set stays', () => {
    const result = pod(
      podSpec({ hostname: 'a', nodeName: 'n' }),
      podSpec({ nodeName: 'n' }),
      podSpec({ hostname: 'a', nodeName: 'n', priority: 5 }),
    )
    expect(result).toEqual(podSpec({ nodeName: 'n', priority: 5 }))
  })

  test('a container taken out goes, one injected by others stays', () => {
    const last = podSpec({ containers: [container('a'), container('b')] })
    const live = podSpec({ containers: [container('a', { tty: false }), container('b'), container('injected')] })
    expect(pod(last, podSpec({ containers: [container('a')] }), live)).toEqual(
      podSpec({ containers: [container('a', { tty: false }), container('injected')] }),
    )
  })

  test('without last-applied nothing is taken away', () => {
    const live = podSpec({ hostname: 'a', containers: [container('b')] })
    expect(pod(undefined, podSpec({ containers: [container('a')] }), live)).toMatchObject({ spec: { hostname: 'a' } })
  })

  test('elements come in the order of the manifest', () => {
    const [ab, ba] = [podSpec({ containers: [container('a'), container('b')] }), podSpec({ containers: [container('b'), container('a')] })]
    expect(pod(ab, ba, ab)).toEqual(ba)
  })

  test('a volume that changes its kind loses the other source even when a default set it', () => {
    const volumes = (...list: Json[]): Json => podSpec({ volumes: list })
    const wanted = volumes({ name: 'v', configMap: { name: 'c' } })
    expect(pod(volumes({ name: 'v' }), wanted, volumes({ name: 'v', emptyDir: {} }))).toEqual(wanted)
  })

  test('a strategy that changes loses what was defaulted for the other', () => {
    const deployment = (strategy: Json): Json => ({ spec: { strategy } })
    const live = deployment({ type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%' } })
    const docs = { last: { spec: {} }, wanted: deployment({ type: 'Recreate' }), live }
    expect(of('io.k8s.api.apps.v1.Deployment', docs)).toEqual(deployment({ type: 'Recreate' }))
  })

  test.each<[boolean, readonly Json[]]>([
    [
      true,
      [
        { port: 53, protocol: 'UDP' },
        { port: 53, protocol: 'TCP' },
      ],
    ],
    [true, [{ name: 'no port' }]],
    [false, [{ port: 53 }, { port: 54 }]],
  ])('a strategic merge is ambiguous: %s for ports %j', (ambiguous, ports) => {
    const schema = patchSchemaOf('io.k8s.api.core.v1.Service')
    expect(schema && isAmbiguous({ spec: { ports } }, schema)).toBe(ambiguous)
  })

  test('finalizers are a set: those of others stay', () => {
    const meta = (...finalizers: string[]): Json => ({ metadata: { finalizers } })
    expect(pod(meta('a/x', 'b/x'), meta('b/x'), meta('a/x', 'b/x', 'other/x'))).toEqual(meta('b/x', 'other/x'))
  })

  test('the same manifest again changes nothing', () => {
    const wanted = podSpec({
      containers: [container('a', { env: [{ name: 'A', value: '1' }], command: ['x'] })],
      volumes: [{ name: 'v', emptyDir: {} }],
    })
    const live = pod(undefined, wanted, {}) as Json
    expect(pod(wanted, wanted, live)).toEqual(live)
  })
})

test('kinds without schema: lists are replaced, fields taken out go', () => {
  const patch = planPatch({ spec: { a: 1, list: [1] } }, { spec: { list: [2] } }, undefined)
  expect(applyMergePatch({ spec: { a: 1, list: [1], b: 2 } }, patch)).toEqual({ spec: { b: 2, list: [2] } })
})

describe('last-applied annotation', () => {
  test('holds the manifest without itself, and integers of any size', () => {
    const sent = withLastApplied({ kind: 'X', metadata: { annotations: { [LAST_APPLIED]: 'old', mine: 'x' } }, big: 9007199254740993n })
    const text = (sent.metadata as unknown as { annotations: Record<string, string> }).annotations[LAST_APPLIED]
    expect(text).toBe('{"kind":"X","metadata":{"annotations":{"mine":"x"}},"big":9007199254740993}\n')
    expect(lastAppliedOf(sent as never)).toMatchObject({ big: 9007199254740993n })
  })

  test('that is damaged counts as absent', () => {
    expect(lastAppliedOf({ metadata: { annotations: { [LAST_APPLIED]: '{' } } })).toBeUndefined()
    expect(lastAppliedOf({ metadata: {} })).toBeUndefined()
  })

  test('cannot reach the prototype', () => {
    planPatch(JSON.parse('{"__proto__":{"polluted":1}}') as Json, {}, undefined)
    expect(({} as Json)['polluted']).toBeUndefined()
  })
})
