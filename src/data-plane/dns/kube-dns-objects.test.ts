import { expect, test } from 'vitest'
import { kubeDnsAddresses, nodeLocalDnsSlices, planKubeDnsService } from './kube-dns-objects.ts'

test('the tenth address of each service range', () => {
  expect(kubeDnsAddresses(['10.96.0.0/16', 'fd00:10:96::/112'])).toEqual(['10.96.0.10', 'fd00:10:96::a'])
  expect(kubeDnsAddresses(['10.96.0.0/30', 'nope'])).toEqual([])
})

test('the service is one that the API takes, of one family or two', () => {
  for (const addresses of [['10.96.0.10'], ['10.96.0.10', 'fd00::a']]) {
    const draft = planKubeDnsService(addresses)
    expect(draft).toMatchObject({
      metadata: { namespace: 'kube-system', name: 'kube-dns' },
      spec: { clusterIP: '10.96.0.10', clusterIPs: addresses },
    })
    expect(draft.spec?.ports?.map(({ name, port, protocol }) => `${name} ${port}/${protocol}`)).toEqual(['dns 53/UDP', 'dns-tcp 53/TCP'])
  }
})

test('each node serves it by itself', () => {
  expect(nodeLocalDnsSlices('n1', ['169.254.20.10'])).toMatchObject([
    {
      metadata: { namespace: 'kube-system', labels: { 'kubernetes.io/service-name': 'kube-dns' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['169.254.20.10'], nodeName: 'n1', conditions: { ready: true } }],
    },
  ])
  expect(nodeLocalDnsSlices('n1', ['169.254.20.10', 'fd00::53']).map(({ addressType }) => addressType)).toEqual(['IPv4', 'IPv6'])
})
