import { expect, test } from 'vitest'
import type { Container, Pod } from '../../api/generated/types.ts'
import { podInfo, podRequests } from './pod-info.ts'

const ask = (cpu: string | undefined, memory: string | undefined, more: Partial<Container> = {}): Container => ({
  name: 'c',
  image: 'x',
  resources: { requests: { ...(cpu ? { cpu } : {}), ...(memory ? { memory } : {}) } },
  ...more,
})
const pod = (spec: Partial<NonNullable<Pod['spec']>>): Pod => ({
  metadata: { name: 'p', namespace: 'default', uid: 'u' },
  spec: { containers: [], ...spec },
})
const sidecar = { restartPolicy: 'Always' }

// [containers, init containers] -> [millicores, MiB]. Source of the shapes: KEP-753 "Resources calculation"
test.each<[string, Partial<NonNullable<Pod['spec']>>, [number, number]]>([
  ['nothing', { containers: [ask(undefined, undefined)] }, [0, 0]],
  ['the sum of containers', { containers: [ask('100m', '64Mi'), ask('1', '1Gi')] }, [1100, 1088]],
  ['an init container with a peak', { containers: [ask('100m', '64Mi')], initContainers: [ask('2', '32Mi')] }, [2000, 64]],
  [
    'init containers run one by one',
    { containers: [ask('100m', '1Mi')], initContainers: [ask('300m', '5Mi'), ask('200m', '9Mi')] },
    [300, 9],
  ],
  ['a sidecar adds to the containers', { containers: [ask('100m', '64Mi')], initContainers: [ask('50m', '16Mi', sidecar)] }, [150, 80]],
  [
    'a sidecar adds to init containers after it',
    { containers: [ask('100m', '1Mi')], initContainers: [ask('50m', '16Mi', sidecar), ask('1', '8Mi')] },
    [1050, 24],
  ],
  [
    'and not to those before it',
    { containers: [ask('100m', '1Mi')], initContainers: [ask('1', '8Mi'), ask('50m', '16Mi', sidecar)] },
    [1000, 17],
  ],
  ['overhead comes on top', { containers: [ask('100m', '64Mi')], overhead: { cpu: '10m', memory: '1Mi' } }, [110, 65]],
  [
    'requests of the pod as a whole count instead',
    { containers: [ask('100m', '64Mi')], resources: { requests: { cpu: '3' } } },
    [3000, 64],
  ],
])('a pod asks for %s', (_name, spec, [cpu, mebibytes]) => {
  const { cpuMillis, memoryBytes } = podRequests(pod(spec))
  expect([cpuMillis, memoryBytes / 2 ** 20]).toEqual([cpu, mebibytes])
})

test('extended resources and storage are counted, too', () => {
  const requests = { 'ephemeral-storage': '1Gi', 'example.com/gpu': '2' }
  const found = podRequests(
    pod({
      containers: [
        { name: 'a', resources: { requests } },
        { name: 'b', resources: { requests } },
      ],
    }),
  )
  expect([found.ephemeralBytes, found.extended?.get('example.com/gpu')]).toEqual([2 * 2 ** 30, 4])
})

test('for scores a container that asks for nothing counts as something', () => {
  expect(podInfo(pod({ containers: [ask(undefined, undefined), ask('1', undefined)] })).nonZero).toEqual({
    cpuMillis: 1100,
    memoryBytes: 400 * 2 ** 20,
  })
})

test('host ports of containers and sidecars, on every address unless said otherwise', () => {
  const ports = (...numbers: number[]) => ({ ports: numbers.map((hostPort) => ({ containerPort: 1, hostPort })) })
  const found = podInfo(
    pod({
      containers: [
        { name: 'a', ...ports(80) },
        { name: 'b', ports: [{ containerPort: 5, hostPort: 53, protocol: 'UDP', hostIP: '127.0.0.1' }, { containerPort: 6 }] },
      ],
      initContainers: [
        { name: 'side', ...sidecar, ...ports(81) },
        { name: 'init', ...ports(82) },
      ],
    }),
  )
  expect(found.hostPorts).toEqual([
    { ip: '0.0.0.0', protocol: 'TCP', port: 80 },
    { ip: '127.0.0.1', protocol: 'UDP', port: 53 },
    { ip: '0.0.0.0', protocol: 'TCP', port: 81 },
  ])
})

test('signatures differ where node-only filters could', () => {
  const signature = (spec: Partial<NonNullable<Pod['spec']>>): string => podInfo(pod(spec)).signature
  const plain = signature({})
  expect(signature({ containers: [ask('1', '1Gi')] })).toBe(plain)
  expect(signature({ nodeSelector: { a: 'b' } })).not.toBe(plain)
  expect(signature({ tolerations: [{ operator: 'Exists' }] })).not.toBe(plain)
  expect(signature({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } })).not.toBe(
    plain,
  )
})
