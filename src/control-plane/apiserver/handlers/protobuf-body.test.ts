import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtobufError } from '../../../protocols/protobuf/index.ts'
import { decodeProtobufBody } from './protobuf-body.ts'

// bodies are put together here field by field; what real clients send is tested in test/kubectl.test.ts
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
const len = (id: number, ...parts: readonly (Uint8Array | string)[]): Buffer => {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)))
  return Buffer.concat([Buffer.from([...varint((id << 3) | 2), ...varint(content.length)]), content])
}
const int = (id: number, value: number): Buffer => Buffer.from([...varint(id << 3), ...varint(value)])
const body = (apiVersion: string, kind: string, message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('k8s\0', 'latin1'), len(1, len(1, apiVersion), len(2, kind)), len(2, message), len(3, ''), len(4, '')])

describe('protobuf bodies', () => {
  test('a ConfigMap', () => {
    const metadata = len(1, len(1, 'cm'), len(2, ''), len(3, 'default'), len(8, ''))
    expect(decodeProtobufBody(body('v1', 'ConfigMap', Buffer.concat([metadata, len(2, len(1, 'a'), len(2, 'b'))])))).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cm', namespace: 'default' },
      data: { a: 'b' },
    })
  })

  test('what JSON inlines, quantities, int-or-string and zeros that were set', () => {
    const limits = len(1, len(1, 'cpu'), len(2, len(1, '0.5')))
    const probe = len(10, len(1, len(2, len(1, '/healthz'), len(2, int(1, 1), int(2, 0), len(3, 'http')))), int(2, 0), int(6, 5))
    const container = len(2, len(1, 'c'), len(2, 'image'), len(8, limits), probe)
    const volume = len(1, len(1, 'v'), len(2, len(19, len(1, len(1, 'cm')))))
    const spec = len(2, len(1, volume.subarray(2)), container, int(4, 0))
    const pod = decodeProtobufBody(body('v1', 'Pod', Buffer.concat([len(1, len(1, 'p')), spec]))) as { spec: Record<string, unknown> }
    expect(pod.spec).toEqual({
      volumes: [{ name: 'v', configMap: { name: 'cm' } }],
      containers: [
        {
          name: 'c',
          image: 'image',
          resources: { limits: { cpu: '500m' } },
          livenessProbe: { httpGet: { path: '/healthz', port: 'http' }, failureThreshold: 5 },
        },
      ],
      terminationGracePeriodSeconds: 0,
    })
  })

  test('times, and options that come in any group', () => {
    const lease = decodeProtobufBody(
      body('coordination.k8s.io/v1', 'Lease', len(2, len(1, 'me'), len(4, int(1, 1_700_000_000), int(2, 5000)))),
    )
    expect(lease['spec']).toEqual({ holderIdentity: 'me', renewTime: '2023-11-14T22:13:20.000005Z' })
    expect(decodeProtobufBody(body('apps/v1', 'DeleteOptions', len(4, 'Background')))).toMatchObject({ propagationPolicy: 'Background' })
  })

  test.each([
    ['bytes without the magic', Buffer.from('{}'), 'does not begin with'],
    ['a kind nobody knows', body('example.com/v1', 'Foo', new Uint8Array()), 'send JSON'],
    ['a broken message', body('v1', 'Pod', Buffer.from([0x0a, 0x05])), 'longer than its message'],
  ])('refuses %s', (_what, bytes, says) => {
    expect(() => decodeProtobufBody(bytes)).toThrow(says)
  })

  test('no bytes behind the magic end in anything but a value or a clear error', () => {
    fc.assert(
      fc.property(fc.constantFrom('Pod', 'Secret', 'Service'), fc.uint8Array({ maxLength: 120 }), (kind, message) => {
        try {
          decodeProtobufBody(body('v1', kind, message))
        } catch (error) {
          expect(error instanceof ProtobufError || ['QuantityError', 'JsonError'].includes((error as Error).name)).toBe(true)
        }
      }),
    )
  })
})
