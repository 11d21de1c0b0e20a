import { describe, expect, it } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { checkPodSpec } from '../../../api/validation/pod-spec.ts'
import { collectErrors } from '../../../api/validation/field-errors.ts'
import { dataPlaneOf, injectionProblem, injectSidecar, wantsSidecar } from './plan-sidecar.ts'

const MESHED = { namespaceLabels: { 'kuma.io/sidecar-injection': 'enabled' }, namespaceAnnotations: undefined }
const PLAIN = { namespaceLabels: undefined, namespaceAnnotations: undefined }

function pod(more: Partial<NonNullable<Pod['spec']>> = {}, labels: Record<string, string> = {}): Pod {
  return {
    metadata: { name: 'web-1', namespace: 'shop', labels },
    spec: { containers: [{ name: 'web', image: 'shop/web', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }], ...more },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  }
}

describe('who gets a sidecar', () => {
  it.each([
    ['a pod of a meshed namespace', pod(), MESHED, true],
    ['a pod elsewhere', pod(), PLAIN, false],
    ['a pod that asks for itself', pod({}, { 'biplane.dev/mesh': 'enabled' }), PLAIN, true],
    ['a pod that wants none', pod({}, { 'kuma.io/sidecar-injection': 'disabled' }), MESHED, false],
    ['a gateway', pod({}, { 'gateway.networking.k8s.io/gateway-name': 'edge' }), MESHED, false],
    ['a pod that brings its own', pod({ initContainers: [{ name: 'biplane-proxy', image: 'mine' }] }), MESHED, false],
  ])('%s', (_, candidate, scope, wanted) => {
    expect(wantsSidecar(candidate, scope)).toBe(wanted)
  })

  it('says why not, where one was asked for', () => {
    expect(injectionProblem(pod({ hostNetwork: true }))).toMatch(/hostNetwork/)
    expect(injectionProblem(pod({ securityContext: { runAsUser: 5678 } }))).toMatch(/container web runs as user 5678/)
    expect(injectionProblem(pod({ securityContext: { runAsUser: 5679 } }))).toMatch(/container web runs as user 5679/)
    expect(injectionProblem(pod())).toBeUndefined()
  })

  it('takes the data plane from the pod, then from the namespace', () => {
    const grpc = pod()
    grpc.metadata.annotations = { 'biplane.dev/data-plane': 'grpc' }
    const scope = { ...MESHED, namespaceAnnotations: { 'biplane.dev/data-plane': 'envoy' } }
    expect([dataPlaneOf(grpc, scope), dataPlaneOf(pod(), scope), dataPlaneOf(pod(), MESHED)]).toEqual(['grpc', 'envoy', 'biplane'])
  })
})

describe('a pod with its sidecar', () => {
  it('is valid, starts the sidecar before all others, and names the pod by a token', () => {
    const injected = pod({ initContainers: [{ name: 'migrate', image: 'shop/migrate' }], serviceAccountName: 'web' })
    injectSidecar(injected, 'biplane', 'token')
    expect(injected.spec?.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([
      ['biplane-proxy', 'Always'],
      ['migrate', undefined],
    ])
    expect(injected.spec?.volumes?.[0]?.projected?.sources?.[0]?.serviceAccountToken).toEqual({
      path: 'token',
      audience: 'biplane.dev/mesh',
      expirationSeconds: 3600,
    })
    const errors = collectErrors((into) =>
      checkPodSpec(into, 'spec', injected.spec ?? { containers: [] }, { podName: 'web-1', isPod: true }),
    )
    // what is not the sidecar's lacks the defaults of a real write
    expect(errors.filter(({ field }) => /initContainers\[0\]|volumes/.test(field))).toEqual([])
  })

  it('has its network probes asked by the sidecar, commands left alone', () => {
    const probed = pod()
    const [web] = probed.spec?.containers ?? []
    Object.assign(web as object, {
      livenessProbe: { httpGet: { path: '/live', port: 'http', scheme: 'HTTP' }, timeoutSeconds: 2, periodSeconds: 7 },
      readinessProbe: { tcpSocket: { port: 8080 } },
      startupProbe: { exec: { command: ['true'] } },
    })
    injectSidecar(probed, 'biplane', 'token')
    expect(web?.livenessProbe).toEqual({
      httpGet: { path: '/app-health/web/livez', port: 15_021, scheme: 'HTTP' },
      timeoutSeconds: 2,
      periodSeconds: 7,
    })
    expect(web?.readinessProbe).toEqual({ httpGet: { path: '/app-health/web/readyz', port: 15_021, scheme: 'HTTP' } })
    expect(web?.startupProbe).toEqual({ exec: { command: ['true'] } })
    const env = probed.spec?.initContainers?.[0]?.env?.find(({ name }) => name === 'BIPLANE_APP_PROBES')
    expect(JSON.parse(env?.value ?? '')).toEqual({
      '/app-health/web/livez': { httpGet: { port: 8080, path: '/live', scheme: 'HTTP' }, timeoutSeconds: 2 },
      '/app-health/web/readyz': { tcpSocket: { port: 8080 }, timeoutSeconds: 1 },
    })
  })

  it('goes on serving until its callers have gone elsewhere, unless it has a hook of its own', () => {
    const plain = pod()
    injectSidecar(plain, 'biplane', 'token')
    expect(plain.spec?.containers?.[0]?.lifecycle?.preStop?.httpGet).toEqual({
      path: '/drain',
      port: 15_021,
      scheme: 'HTTP',
      httpHeaders: [{ name: 'biplane-drain', value: 'token' }],
    })
    expect(plain.spec?.initContainers?.[0]?.env).toContainEqual({ name: 'BIPLANE_DRAIN_TOKEN', value: 'token' })
    const own = pod()
    const preStop = { sleep: { seconds: 5 } }
    Object.assign(own.spec?.containers?.[0] as object, { lifecycle: { preStop } })
    injectSidecar(own, 'biplane', 'token')
    expect(own.spec?.containers?.[0]?.lifecycle).toEqual({ preStop })
  })

  it('leaves a probe of another machine as it is', () => {
    const probed = pod()
    const httpGet = { path: '/', port: 80, host: '10.0.0.9' }
    Object.assign(probed.spec?.containers?.[0] as object, { readinessProbe: { httpGet } })
    injectSidecar(probed, 'biplane', 'token')
    expect(probed.spec?.containers?.[0]?.readinessProbe).toEqual({ httpGet })
  })

  it('tells gRPC applications where their bootstrap is', () => {
    const grpc = pod()
    injectSidecar(grpc, 'grpc', 'token')
    expect(grpc.spec?.containers?.[0]?.env).toEqual([{ name: 'GRPC_XDS_BOOTSTRAP', value: '/etc/biplane/grpc/bootstrap.json' }])
    expect(grpc.spec?.initContainers?.[0]?.volumeMounts?.map(({ mountPath }) => mountPath)).toContain('/etc/biplane/grpc')
    // the same directory for what stands beside it, as a variable too: nothing can be mounted without root
    expect(grpc.spec?.initContainers?.[0]?.env).toContainEqual({ name: 'BIPLANE_GRPC_DIR', value: '/etc/biplane/grpc' })
    expect(grpc.spec?.containers?.[0]?.lifecycle).toBeUndefined()
    expect(grpc.metadata.annotations).toMatchObject({ 'biplane.dev/data-plane': 'grpc', 'biplane.dev/sidecar': 'injected' })
  })
})

describe('a pod that the proxy of its node serves', () => {
  it('has no container more, its probes and its way out led through the proxy, and tells the node what for', () => {
    const hosted = pod({ initContainers: [{ name: 'migrate', image: 'shop/migrate' }] })
    Object.assign(hosted.spec?.containers?.[0] as object, { readinessProbe: { httpGet: { path: '/ready', port: 'http' } } })
    hosted.metadata.annotations = { own: 'kept', 'biplane.dev/data-plane': 'node' }
    expect(dataPlaneOf(hosted, MESHED)).toBe('node')
    injectSidecar(hosted, 'node', 'token')
    expect(hosted.spec?.initContainers?.map(({ name }) => name)).toEqual(['migrate'])
    expect(hosted.spec?.volumes).toBeUndefined()
    const [web] = hosted.spec?.containers ?? []
    expect(web?.readinessProbe?.httpGet).toEqual({ path: '/app-health/web/readyz', port: 15_021, scheme: 'HTTP' })
    expect(web?.lifecycle?.preStop?.httpGet).toMatchObject({ path: '/drain', httpHeaders: [{ name: 'biplane-drain', value: 'token' }] })
    const { 'biplane.dev/node-proxy': told, ...others } = hosted.metadata.annotations
    expect(others).toEqual({ own: 'kept', 'biplane.dev/data-plane': 'node', 'biplane.dev/sidecar': 'node' })
    expect(JSON.parse(told ?? '')).toEqual({
      drainToken: 'token',
      probes: { '/app-health/web/readyz': { httpGet: { port: 8080, path: '/ready' }, timeoutSeconds: 1 } },
    })
    // whoever makes a copy of it does not lead its probes round in a circle
    expect(wantsSidecar(hosted, MESHED)).toBe(false)
  })
})
