import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Pod, Service } from '../../../api/generated/types.ts'
import { localServices, planLocalServices } from './local-services.ts'

const pod: Pod = { metadata: { name: 'web-1', namespace: 'shop' }, spec: { containers: [], initContainers: [{ name: 'biplane-proxy' }] } }
const service = (name: string, clusterIP: string, namespace = 'shop', protocol = 'TCP'): Service => ({
  metadata: { name, namespace },
  spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, protocol }] },
})
const NONE = { services: [] }

describe('services of a pod that cannot be intercepted', () => {
  it('get addresses of the pod, its own namespace first, each pod others', () => {
    const services = [service('z', '127.96.0.3', 'a'), service('db', '127.96.0.1'), service('api', '127.96.0.2')]
    const aliases = (ip: string): string[] =>
      planLocalServices(pod, ip, services, NONE).services.map(({ name, alias }) => `${name} ${alias}`)
    expect(aliases('127.64.0.2')).toEqual(['api 127.128.1.0', 'db 127.128.1.1', 'z 127.128.1.2'])
    expect(aliases('127.64.0.3')[0]).toBe('api 127.128.1.128')
    expect(aliases('127.64.253.255')[2]).toBe('z 127.254.255.130')
  })

  it('keep them while they are there, and leave them to others when they go', () => {
    const first = planLocalServices(pod, '127.64.0.2', [service('b', '127.96.0.1'), service('c', '127.96.0.2')], NONE)
    const second = planLocalServices(pod, '127.64.0.2', [service('a', '127.96.0.3'), service('c', '127.96.0.2')], first)
    expect(second.services.map(({ name, alias }) => `${name} ${alias}`)).toEqual(['a 127.128.1.0', 'c 127.128.1.1'])
  })

  it('stay as they are where a sidecar could not serve them', () => {
    const odd = [
      service('dns', '127.96.0.10', 'kube-system', 'UDP'),
      service('kubernetes', '127.96.0.1', 'default'),
      service('headless', 'None'),
    ]
    expect(planLocalServices(pod, '127.64.0.2', odd, NONE)).toEqual(NONE)
  })

  it('run out of room without harm', () => {
    const many = Array.from({ length: 300 }, (_, i) => service(`s${i}`, `127.96.1.${i % 250}`))
    const { services } = planLocalServices(pod, '127.64.0.2', many, NONE)
    expect(new Set(services.map(({ alias }) => alias)).size).toBe(128)
  })

  it('are a table also where there is none: the sidecar watches for it', () => {
    const dir = mkdtempSync(join(tmpdir(), 'local-services-'))
    try {
      expect(localServices(pod, { dir, ips: ['127.64.0.2'] }, [])).toEqual([])
      expect(JSON.parse(readFileSync(join(dir, 'mesh/services.json'), 'utf8'))).toEqual({ services: [] })
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('are seen by the containers, and written down for the sidecar', () => {
    const dir = mkdtempSync(join(tmpdir(), 'local-services-'))
    try {
      const sandbox = { dir, ips: ['127.64.0.2'] }
      const [seen] = localServices(pod, sandbox, [service('db', '127.96.0.1')])
      expect(seen?.spec?.clusterIP).toBe('127.128.1.0')
      expect(JSON.parse(readFileSync(join(dir, 'mesh/services.json'), 'utf8'))).toEqual({
        services: [{ namespace: 'shop', name: 'db', alias: '127.128.1.0', address: '127.96.0.1', ports: [80] }],
      })
      const plain: Pod = { metadata: { name: 'x' }, spec: { containers: [] } }
      expect(localServices(plain, sandbox, [service('db', '127.96.0.1')])[0]?.spec?.clusterIP).toBe('127.96.0.1')
      expect(localServices(pod, { dir, ips: ['10.244.0.2'] }, [service('db', '10.96.0.1')])[0]?.spec?.clusterIP).toBe('10.96.0.1')
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})
