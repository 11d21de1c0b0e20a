import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gateway } from '../src/api/gateway.networking.k8s.io/v1/gateway.ts'
import type { Ingress } from '../src/api/generated/types.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { ENVOY } from './envoy-support/find-envoy.ts'
import { meshCa } from './envoy-support/mesh-ca.ts'
import { backend, backendTls, gateway, ingress, routes, tlsSecret } from './mesh-support/edge-objects.ts'
import { kernelCluster, loopbackCluster, type MeshCluster } from './mesh-support/mesh-cluster.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing } = await requirements({ root: true })
const inLab = [missing, labProblem()].filter((text) => text !== '').join(', ')
const NAMESPACE = 'shop'
const ca = meshCa('outside.example')

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly told:
    | { readonly name: string; readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly tls: boolean }
    | undefined
}

/** Gateway API and Ingress as a user has them: kubectl, and curl on a node. */
function northSouth(title: string, why: string, start: () => Promise<MeshCluster>, dataPlane: 'biplane' | 'envoy' = 'biplane'): void {
  describe.skipIf(why !== '')(`gateways ${title}${why === '' ? '' : ` (skipped: ${why})`}`, () => {
    let cluster: MeshCluster
    let address: string

    beforeAll(async () => {
      cluster = await start()
      writeFileSync(join(cluster.dir, 'ca.pem'), ca.ca)
      await cluster.apply([
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
        ...backend('a', NAMESPACE, ca.server('pass.example')),
        ...['b', 'm'].flatMap((name) => backend(name, NAMESPACE)),
        tlsSecret('shop', NAMESPACE, ca, 'shop.example'),
        tlsSecret('ingress', NAMESPACE, ca, 'ingress.example'),
        gateway(NAMESPACE, dataPlane),
        ...routes(NAMESPACE),
        ...backendTls(NAMESPACE, ca, 'pass.example'),
        ingress(NAMESPACE),
      ])
      await cluster.kubectl('wait', '--for=condition=Accepted', 'gatewayclass/biplane', '--timeout=10s')
      await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
      await cluster.kubectl('wait', '-n', NAMESPACE, '--for=condition=Programmed', 'gateway/edge', '--timeout=30s')
      for (const route of ['httproute/shop', 'grpcroute/cart', 'tlsroute/pass']) {
        await cluster.kubectl(
          'wait',
          '-n',
          NAMESPACE,
          '--for=jsonpath={.status.parents[0].conditions[?(@.type=="Programmed")].status}=True',
          route,
          '--timeout=30s',
        )
      }
      address = await cluster.kubectl('get', '-n', NAMESPACE, 'gateway', 'edge', '-o', 'jsonpath={.status.addresses[0].value}')
    }, 180_000)
    afterAll(() => cluster?.stop(), 60_000)

    /** What curl says on a node, of a URL whose host is the gateway. */
    const curl = async (url: string, options: readonly string[] = [], to: string = address): Promise<Answer> => {
      const { hostname, port, protocol } = new URL(url)
      const resolve = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}:${to}`
      const argv = ['-sS', '-i', '--max-time', '5', '--cacert', join(cluster.dir, 'ca.pem'), '--resolve', resolve, ...options, url]
      const out = cluster.lab ? await cluster.lab.node('a').host.must(['curl', ...argv]) : (await promisify(execFile)('curl', argv)).stdout
      const end = out.indexOf('\r\n\r\n')
      const [first = '', ...lines] = out.slice(0, end).split('\r\n')
      const headers = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
      )
      const body = out.slice(end + 4)
      return {
        status: Number(first.split(' ')[1]),
        headers,
        body,
        told: body.startsWith('{') ? (JSON.parse(body) as Answer['told']) : undefined,
      }
    }

    it('say in their status where they are, what is attached, and that proxies serve it', async () => {
      const { status } = JSON.parse(await cluster.kubectl('get', '-n', NAMESPACE, 'gateway', 'edge', '-o', 'json')) as Gateway
      const told = status?.listeners?.map(({ name, attachedRoutes, supportedKinds, conditions }) => [
        name,
        attachedRoutes,
        supportedKinds?.map(({ kind }) => kind).join(),
        conditions
          .filter((one) => one.status === 'True')
          .map(({ type }) => type)
          .join(),
      ])
      expect(told).toEqual([
        ['http', 2, 'HTTPRoute,GRPCRoute', 'Accepted,ResolvedRefs,Programmed'],
        ['https', 1, 'HTTPRoute,GRPCRoute', 'Accepted,ResolvedRefs,Programmed'],
        ['pass', 1, 'TLSRoute', 'Accepted,ResolvedRefs,Programmed'],
      ])
    })

    it('route by path and header', async () => {
      expect(await curl('http://shop.example/x?y=1')).toMatchObject({ status: 200, told: { name: 'a', url: '/x?y=1', tls: false } })
      expect(await curl('http://shop.example/x', ['-H', 'x-version: b'])).toMatchObject({ told: { name: 'b' } })
      expect(await curl('http://nobody.example/')).toMatchObject({ status: 404 })
    })

    it('redirect to the scheme that is asked for, and to no port but the one that clients know', async () => {
      expect(await curl('http://shop.example/secure/x')).toMatchObject({
        status: 301,
        headers: { location: 'https://shop.example/secure/x' },
      })
      expect(await curl('http://shop.example/away')).toMatchObject({ status: 302, headers: { location: 'http://other.example/away' } })
    })

    it('rewrite host and path', async () => {
      expect(await curl('http://shop.example/old/x')).toMatchObject({ told: { url: '/new/x', headers: { host: 'inner.example' } } })
    })

    it('mirror', async () => {
      expect(await curl('http://shop.example/twice/1')).toMatchObject({ told: { name: 'a' } })
      const mirror = await cluster.kubectl('get', '-n', NAMESPACE, 'service', 'm', '-o', 'jsonpath={.spec.clusterIP}')
      await poll(
        'the mirrored request has arrived',
        async () => (await curl('http://m/seen', [], mirror)).body === '["/twice/1"]' || undefined,
        {
          withinMs: 10_000,
        },
      )
    })

    it('change headers of requests and responses', async () => {
      const { told, headers } = await curl('http://shop.example/headers', ['-H', 'x-set: old', '-H', 'x-add: 1', '-H', 'x-gone: here'])
      expect(told?.headers).toMatchObject({ 'x-set': 'new', 'x-add': '1, 2' })
      expect(told?.headers).not.toHaveProperty('x-gone')
      expect([headers['x-edge'], headers['x-inner'], headers['x-from']]).toEqual(['yes', undefined, 'a'])
    })

    it('end TLS, in HTTP/1.1 and HTTP/2', async () => {
      for (const version of ['--http1.1', '--http2']) {
        expect(await curl('https://shop.example/', [version])).toMatchObject({ status: 200, told: { name: 'a', tls: false } })
      }
      await expect(curl('https://other.example/')).rejects.toThrow()
    })

    it('pass TLS through', async () => {
      expect(await curl('https://pass.example:8443/')).toMatchObject({ status: 200, told: { name: 'a', tls: true } })
      await expect(curl('https://other.example:8443/')).rejects.toThrow()
    })

    it('carry gRPC', async () => {
      const headers = ['content-type: application/grpc', 'te: trailers'].flatMap((header) => ['-H', header])
      const call = ['--http2-prior-knowledge', ...headers, '-X', 'POST', '-o', '/dev/null', '-D', '-']
      expect(await curl('http://grpc.example/shop.Cart/Add', [...call, '--data-binary', 'x'])).toMatchObject({
        status: 200,
        headers: { 'x-method': '/shop.Cart/Add' },
      })
      expect(await curl('http://grpc.example/shop.Other/Add', call)).toMatchObject({ headers: { 'grpc-status': '12' } })
    })

    it('call backends in TLS where a BackendTLSPolicy says so, and only those that it means', async () => {
      expect(await curl('http://shop.example/tls')).toMatchObject({ status: 200, told: { name: 'a', tls: true } })
      const ancestor = '{.status.ancestors[0].conditions[?(@.type=="Accepted")].status}'
      expect(await cluster.kubectl('get', '-n', NAMESPACE, 'backendtlspolicy', 'a', '-o', `jsonpath=${ancestor}`)).toBe('True')
      await cluster.apply(backendTls(NAMESPACE, ca, 'else.example'))
      await poll(
        'a certificate for another name is refused',
        async () => (await curl('http://shop.example/tls')).status === 503 || undefined,
        {
          withinMs: 10_000,
        },
      )
    })

    it('serve Ingresses, together, at an address that each of them shows', async () => {
      const shown = await poll(
        'the Ingress has an address',
        async () =>
          (JSON.parse(await cluster.kubectl('get', '-n', NAMESPACE, 'ingress', 'front', '-o', 'json')) as Ingress).status?.loadBalancer
            ?.ingress?.[0]?.ip,
        { withinMs: 20_000 },
      )
      await cluster.kubectl('wait', '-n', 'biplane-system', '--for=condition=Available', 'deployment/ingress-biplane', '--timeout=30s')
      await poll('the Ingress answers', () => curl('http://ingress.example/', [], shown).catch(() => undefined), { withinMs: 10_000 })
      expect(await curl('http://ingress.example/x', [], shown)).toMatchObject({ status: 200, told: { name: 'b', url: '/x' } })
      expect(await curl('https://ingress.example/x', [], shown)).toMatchObject({ status: 200, told: { name: 'b' } })
      expect(await curl('http://shop.example/', [], shown)).toMatchObject({ status: 404 })
    })

    it('go with what runs them', async () => {
      await cluster.kubectl('delete', '-n', NAMESPACE, 'gateway', 'edge')
      await cluster.kubectl('wait', '-n', NAMESPACE, '--for=delete', 'deployment/edge-biplane', 'service/edge-biplane', '--timeout=30s')
      await expect(curl('http://shop.example/')).rejects.toThrow()
    })
  })
}

northSouth('by addresses of this machine', missing, () => loopbackCluster(kubectl, []))
northSouth('in networks of the kernel', inLab, () => kernelCluster([], { nodes: ['a'] }))
northSouth(
  'that are Envoy',
  [inLab, ENVOY === undefined ? 'no envoy; set BIPLANE_ENVOY or run scripts/install-envoy.mjs' : '']
    .filter((text) => text !== '')
    .join(', '),
  () => kernelCluster([], { nodes: ['a'] }),
  'envoy',
)
