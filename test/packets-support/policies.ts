import type { NetworkPolicy } from '../../src/api/generated/types.ts'

type Draft = Pick<NetworkPolicy, 'metadata' | 'spec'>

const app = (name: string): { podSelector: { matchLabels: Record<string, string> } } => ({ podSelector: { matchLabels: { app: name } } })

/** Nobody sends or receives anything that no other policy allows. */
export const DEFAULT_DENY: Draft = {
  metadata: { name: 'default-deny', namespace: 'default' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
}

/** Lets pods of one label connect to a port of pods of another: what it takes on both sides. */
function allow(from: string, to: string, port: number): readonly Draft[] {
  const ports = [{ protocol: 'TCP', port }]
  return [
    {
      metadata: { name: `${from}-may-ask-${to}`, namespace: 'default' },
      spec: { podSelector: app(from).podSelector, policyTypes: ['Egress'], egress: [{ to: [app(to)], ports }] },
    },
    {
      metadata: { name: `${to}-answers-${from}`, namespace: 'default' },
      spec: { podSelector: app(to).podSelector, policyTypes: ['Ingress'], ingress: [{ from: [app(from)], ports }] },
    },
  ]
}

/** Bookinfo and the guestbook, and their visitors; nothing else. Names are answered by each pod's own node, which is always allowed. */
export const ALLOWED: readonly Draft[] = [
  ...allow('visitor', 'productpage', 9080),
  ...allow('productpage', 'details', 9080),
  ...allow('productpage', 'reviews', 9080),
  ...allow('reviews', 'ratings', 9080),
  ...allow('visitor', 'guestbook', 80),
  ...allow('guestbook', 'redis', 6379),
  ...allow('redis', 'redis', 6379),
]
