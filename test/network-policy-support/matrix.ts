// The matrix of NetworkPolicy cases, made anew from the dimensions that Cyclonus has published: targets, peers, ports and protocols, rules, conflicts,
// actions, namespaces, the cases of the upstream e2e suite, an example. 230 in the same nine categories and sizes.
import type {
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../../src/api/generated/types.ts'
import {
  all,
  addNamespace,
  addPod,
  drop,
  dropNamespace,
  dropPod,
  labelNamespace,
  labelPod,
  policy,
  put,
  type Edit,
} from './edit-cluster.ts'

export interface MatrixCase {
  readonly category: string
  readonly name: string
  /** After each, every pair of pods is probed. */
  readonly steps: readonly Edit[]
}

type Direction = 'ingress' | 'egress'
const BOTH: readonly Direction[] = ['ingress', 'egress']
const podIs = (value: string): LabelSelector => ({ matchLabels: { pod: value } })
const podIn = (...values: string[]): LabelSelector => ({ matchExpressions: [{ key: 'pod', operator: 'In', values }] })
const nsIs = (value: string): LabelSelector => ({ matchLabels: { ns: value } })
const nsIn = (...values: string[]): LabelSelector => ({ matchExpressions: [{ key: 'ns', operator: 'In', values }] })
const nsNamed = (value: string): LabelSelector => ({ matchLabels: { 'kubernetes.io/metadata.name': value } })
const TCP80: NetworkPolicyPort = { protocol: 'TCP', port: 80 }

/** What the cases vary: pods a and b of x hear from b and c of y and z, and send to a and b of y and z. */
const BASE = {
  podSelector: podIn('a', 'b'),
  policyTypes: ['Ingress', 'Egress'],
  ingress: [{ from: [{ namespaceSelector: nsIn('y', 'z'), podSelector: podIn('b', 'c') }], ports: [TCP80] }],
  egress: [{ to: [{ namespaceSelector: nsIn('y', 'z'), podSelector: podIn('a', 'b') }], ports: [TCP80, { protocol: 'UDP', port: 53 }] }],
} satisfies NetworkPolicySpec

const base = (change: NetworkPolicySpec = {}): NetworkPolicy => policy({ ...BASE, ...change })
const withPeers = (direction: Direction, peers: NetworkPolicyPeer[]): NetworkPolicy =>
  base(direction === 'ingress' ? { ingress: [{ from: peers, ports: [TCP80] }] } : { egress: [{ to: peers, ports: [TCP80] }] })
const withPorts = (direction: Direction, ports: NetworkPolicyPort[]): NetworkPolicy =>
  base(direction === 'ingress' ? { ingress: [{ ...BASE.ingress[0], ports }] } : { egress: [{ ...BASE.egress[0], ports }] })
const pairs = <T>(items: readonly T[]): readonly (readonly [T, T])[] =>
  items.flatMap((a, i) => items.slice(i + 1).map((b) => [a, b] as const))
const shown = (value: unknown): string => JSON.stringify(value)

const NAMESPACE_SELECTORS = [undefined, {}, nsIs('x'), nsIn('y', 'z'), nsNamed('z')]
const POD_SELECTORS = [undefined, {}, podIs('c'), podIn('a', 'b'), { matchExpressions: [{ key: 'pod', operator: 'NotIn', values: ['a'] }] }]
const POD_PEERS: readonly NetworkPolicyPeer[] = NAMESPACE_SELECTORS.flatMap((namespaceSelector) =>
  POD_SELECTORS.flatMap((podSelector) =>
    namespaceSelector || podSelector
      ? [{ ...(namespaceSelector ? { namespaceSelector } : {}), ...(podSelector ? { podSelector } : {}) }]
      : [],
  ),
)
const BLOCKS: readonly NetworkPolicyPeer[] = [
  { cidr: '10.244.1.0/24' },
  { cidr: '10.244.1.16/28' },
  { cidr: '10.244.1.24/32' },
  { cidr: '10.244.1.0/24', except: ['10.244.1.16/28'] },
  { cidr: '0.0.0.0/0' },
  { cidr: 'fd00:10:244:1::/64', except: ['fd00:10:244:1::10/124'] },
].map((ipBlock) => ({ ipBlock }))

function peerCases(): readonly MatrixCase[] {
  const few = [1, 5, 9, 13, 21].map((i) => POD_PEERS[i] as NetworkPolicyPeer)
  const lists = [[], ...[...POD_PEERS, ...BLOCKS].map((peer) => [peer]), ...pairs([...few, ...BLOCKS.slice(1, 4)]).slice(0, 25)]
  return BOTH.flatMap((direction) =>
    lists.map((peers) => ({ category: 'peers', name: `${direction} ${shown(peers)}`, steps: [put(withPeers(direction, [...peers]))] })),
  )
}

function portCases(): readonly MatrixCase[] {
  const singles: readonly NetworkPolicyPort[] = [undefined, 'TCP', 'UDP', 'SCTP'].flatMap((protocol) =>
    [undefined, 81, 'serve-81-tcp'].map((port) => ({ ...(protocol ? { protocol } : {}), ...(port ? { port } : {}) })),
  )
  const ranges: readonly NetworkPolicyPort[] = [
    { protocol: 'TCP', port: 80, endPort: 81 },
    { protocol: 'UDP', port: 81, endPort: 65_535 },
  ]
  const twos = pairs(singles).filter((_, i) => i % 3 === 0)
  const lists = [[], ...[...singles, ...ranges].map((port) => [port]), ...twos.slice(0, 20)]
  return BOTH.flatMap((direction) =>
    lists.map((ports) => ({ category: 'ports', name: `${direction} ${shown(ports)}`, steps: [put(withPorts(direction, [...ports]))] })),
  )
}

function conflictCases(): readonly MatrixCase[] {
  const rules = {
    all: [{}],
    none: [],
    pods: [{ peers: [{ namespaceSelector: {} }] }],
    ips: [{ peers: [{ ipBlock: { cidr: '0.0.0.0/0' } }, { ipBlock: { cidr: '::/0' } }] }],
    noIps: [{ peers: [{ ipBlock: { cidr: '0.0.0.0/31' } }] }],
    noPods: [{ peers: [{ namespaceSelector: { matchLabels: { never: 'there' } } }] }],
  } as const
  const one = (
    direction: Direction,
    what: keyof typeof rules,
    index: number,
    target: readonly [string, string] = ['x', 'b'],
  ): NetworkPolicy => {
    const list = rules[what].map((rule) => ('peers' in rule ? { [direction === 'ingress' ? 'from' : 'to']: [...rule.peers] } : {}))
    const types = [direction === 'ingress' ? 'Ingress' : 'Egress']
    return policy(
      { podSelector: podIs(target[1]), policyTypes: types, [direction]: list },
      { name: `conflict-${index}`, namespace: target[0] },
    )
  }
  const couples = [
    ['none', 'all'],
    ['none', 'pods'],
    ['none', 'ips'],
    ['noIps', 'pods'],
    ['noPods', 'ips'],
  ] as const
  const cases: readonly (readonly [string, readonly NetworkPolicy[]])[] = [
    ['ingress all, egress none', [one('egress', 'none', 1), one('ingress', 'all', 2, ['y', 'c'])]],
    ['egress all, ingress none', [one('egress', 'all', 1), one('ingress', 'none', 2, ['y', 'c'])]],
    ...BOTH.flatMap((direction) =>
      couples.map(([a, b]) => [`${direction} ${a} and ${b}`, [one(direction, a, 1), one(direction, b, 2)]] as const),
    ),
    ...BOTH.flatMap((direction) =>
      (['noIps', 'noPods'] as const).map((what) => [`${direction} ${what}`, [one(direction, what, 1)]] as const),
    ),
  ]
  return cases.map(([name, policies]) => ({ category: 'conflict', name, steps: [put(...policies)] }))
}

function upstreamCases(): readonly MatrixCase[] {
  const ingress = (rules: NetworkPolicySpec['ingress'], podSelector: LabelSelector = {}): NetworkPolicySpec => ({
    podSelector,
    policyTypes: ['Ingress'],
    ingress: rules,
  })
  const stays: Edit = (cluster) => cluster
  const from = (peer: NetworkPolicyPeer): NetworkPolicySpec['ingress'] => [{ from: [peer] }]
  const dns = { ports: [{ protocol: 'UDP', port: 53 }] }
  const steps: Readonly<Record<string, readonly Edit[]>> = {
    'default deny of ingress': [put(policy(ingress([])))],
    'default deny of all but DNS': [put(policy({ podSelector: {}, policyTypes: ['Egress', 'Ingress'], ingress: [], egress: [dns] }))],
    'pod and namespace selectors with expressions': [
      put(
        policy(
          ingress(
            from({
              namespaceSelector: { matchExpressions: [{ key: 'ns', operator: 'NotIn', values: ['x'] }] },
              podSelector: podIn('b', 'c'),
            }),
            podIs('a'),
          ),
        ),
      ),
    ],
    'stacked policies': [80, 81].map((port) =>
      put(
        policy(ingress([{ from: [{ namespaceSelector: nsIs('y') }], ports: [{ protocol: 'TCP', port }] }], podIs('a')), {
          name: `on-${port}`,
        }),
      ),
    ),
    'allow all': [put(policy(ingress([{}]))), stays],
    'a named port': [put(policy(ingress([{ ports: [{ protocol: 'TCP', port: 'serve-81-tcp' }] }]))), stays],
    'an updated policy': [put(policy(ingress([{}]))), put(policy(ingress([])))],
    'an updated namespace': [
      put(policy(ingress(from({ namespaceSelector: { matchLabels: { ns2: 'updated' } } }), podIs('a')))),
      labelNamespace('y', { ns: 'y', ns2: 'updated' }),
    ],
    'an updated pod': [
      put(policy(ingress(from({ podSelector: { matchLabels: { pod: 'b', pod2: 'updated' } } }), podIs('a')))),
      labelPod('x', 'b', { pod: 'b', pod2: 'updated' }),
    ],
    'a pod that becomes a target': [
      put(policy(ingress([], { matchLabels: { target: 'isolated' } }))),
      labelPod('x', 'a', { target: 'isolated' }),
    ],
    'both directions in one policy': [
      put(
        policy({
          podSelector: podIs('a'),
          policyTypes: ['Ingress', 'Egress'],
          ingress: from({ podSelector: podIs('b') }),
          egress: [{ ports: [{ protocol: 'TCP', port: 80 }, ...dns.ports] }],
        }),
      ),
    ],
    'a client that may not, a server that lets it': [
      put(
        policy({
          podSelector: podIs('a'),
          policyTypes: ['Egress'],
          egress: [{ to: [{ namespaceSelector: nsIs('y'), podSelector: podIs('a') }] }, dns],
        }),
        ...['a', 'b'].map((name) =>
          policy(ingress(from({ namespaceSelector: nsIs('x'), podSelector: podIs('a') }), podIs(name)), {
            name: `from-xa-${name}`,
            namespace: 'y',
          }),
        ),
      ),
    ],
    'a deleted policy': [put(policy({ podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [], egress: [] })), drop('x', 'base')],
  }
  return Object.entries(steps).map(([name, list]) => ({ category: 'upstream e2e', name, steps: list }))
}

function actionCases(): readonly MatrixCase[] {
  const newNamespace = base({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { fresh: 'qrs' } } }] }] })
  const newLabel = base({ ingress: [{ from: [{ namespaceSelector: nsIn('y', 'z'), podSelector: { matchLabels: { fresh: 'abc' } } }] }] })
  const steps: Readonly<Record<string, readonly Edit[]>> = {
    'create and delete a policy': [put(base()), drop('x', 'base')],
    'create and update a policy': [put(base()), put(withPorts('ingress', [{ protocol: 'UDP', port: 'serve-81-udp' }]))],
    'create and delete a namespace': [
      put(base()),
      all(addNamespace('y-2', { ns: 'y' }), addPod('y-2', 'a'), addPod('y-2', 'b')),
      dropNamespace('y-2'),
    ],
    'label a namespace, and back': [put(newNamespace), labelNamespace('y', { ns: 'y', fresh: 'qrs' }), labelNamespace('y', { ns: 'y' })],
    'create and delete a pod': [put(base()), addPod('x', 'd'), dropPod('x', 'd')],
    'label a pod, and back': [put(newLabel), labelPod('y', 'b', { pod: 'b', fresh: 'abc' }), labelPod('y', 'b', { pod: 'b' })],
  }
  return Object.entries(steps).map(([name, list]) => ({ category: 'action', name, steps: list }))
}

function otherCases(): readonly MatrixCase[] {
  const single = (category: string, name: string, one: NetworkPolicy): MatrixCase => ({ category, name, steps: [put(one)] })
  const named = policy({ podSelector: {}, policyTypes: ['Ingress'], ingress: [{ ports: [{ protocol: 'TCP', port: 'serve-81-tcp' }] }] })
  return [
    ...['x', 'y', 'z'].map((ns) => single('target', `namespace ${ns}`, policy(BASE, { namespace: ns }))),
    ...[{}, podIs('a'), podIn('a', 'b')].map((podSelector) => single('target', shown(podSelector), base({ podSelector }))),
    ...BOTH.flatMap((direction) => [
      single('rules', `${direction}: deny all`, base({ [direction]: [] })),
      single('rules', `${direction}: allow all`, base({ [direction]: [{}] })),
    ]),
    ...BOTH.map((direction) =>
      single('namespace', `${direction} by the default label`, withPeers(direction, [{ namespaceSelector: nsNamed('z') }])),
    ),
    {
      category: 'example',
      name: 'a named port, while pods and namespaces come and go',
      steps: [put(named), all(addNamespace('w', { ns: 'w' }), addPod('w', 'a')), dropPod('w', 'a'), dropNamespace('w')],
    },
  ]
}

export const MATRIX: readonly MatrixCase[] = [
  ...peerCases(),
  ...portCases(),
  ...conflictCases(),
  ...upstreamCases(),
  ...actionCases(),
  ...otherCases(),
]
