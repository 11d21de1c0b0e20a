import { createHash } from 'node:crypto'
import { systemClock } from '../../src/base/clock.ts'
import { namespaces } from '../../src/api/core/v1/namespace.ts'
import { nodes } from '../../src/api/core/v1/node.ts'
import { pods } from '../../src/api/core/v1/pod.ts'
import { replicaSets } from '../../src/api/apps/v1/replica-set.ts'
import type { KindDefinition } from '../../src/api/kind.ts'
import type { KubeObject } from '../../src/api/meta/object.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import { encodeObject, resourceOf, storageKey } from '../../src/control-plane/apiserver/registry/index.ts'
import { openLmdbStore } from '../../src/control-plane/store/index.ts'

/** A cluster at rest: so many running pods of replica sets, on nodes of 100 pods each. */
export interface LoadOptions {
  readonly pods: number
  /** Pods of one replica set. Default 300. */
  readonly podsPerSet?: number
  /** Default 50. */
  readonly namespaces?: number
}

const CREATED = '2026-01-05T09:00:00Z'
const PODS_PER_NODE = 100

/** Writes such a cluster into the store of a data directory that no process has open. @returns mean size of a stored pod in bytes */
export async function writeLoad(dataDir: string, options: LoadOptions): Promise<number> {
  const store = await openLmdbStore({ dir: dataLayout(dataDir).store, clock: systemClock, compaction: false })
  let bytes = 0
  const put = async (kind: KindDefinition<any>, objects: readonly KubeObject[]): Promise<void> => {
    const resource = resourceOf(kind)
    await Promise.all(
      objects.map((object) => {
        const value = encodeObject(resource, { apiVersion: resource.apiVersion, kind: kind.kind, ...object })
        if (kind === pods) bytes += value.length
        const key = storageKey(resource, object.metadata.namespace ?? '', object.metadata.name)
        return store.txn([], [{ type: 'put', key, value }], [])
      }),
    )
  }
  const plan = { podsPerSet: 300, namespaces: 50, ...options }
  await put(namespaces, range(0, plan.namespaces).map(namespaceOf))
  await put(nodes, range(0, Math.ceil(plan.pods / PODS_PER_NODE)).map(nodeOf))
  const sets = Math.ceil(plan.pods / plan.podsPerSet)
  await put(
    replicaSets,
    range(0, sets).map((set) => setOf(set, plan)),
  )
  for (let start = 0; start < plan.pods; start += 1000)
    await put(
      pods,
      range(start, Math.min(start + 1000, plan.pods)).map((i) => podOf(i, plan)),
    )
  await store.close()
  return bytes / plan.pods
}

type Plan = Required<LoadOptions>

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

/** The same in every run. */
const hex = (text: string): string => createHash('sha256').update(text).digest('hex')
const uidOf = (text: string): string => hex(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
const namespaceName = (index: number): string => `team-${String(index).padStart(2, '0')}`
const nodeName = (index: number): string => `node-${String(index).padStart(4, '0')}`
const setName = (set: number): string => `service-${set}-${hex(`template ${set}`).slice(0, 10)}`

function namespaceOf(index: number): KubeObject {
  const name = namespaceName(index)
  return {
    metadata: { name, uid: uidOf(name), creationTimestamp: CREATED, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  } as KubeObject
}

function nodeOf(index: number): KubeObject {
  const name = nodeName(index)
  const amounts = { cpu: '32', memory: '128Gi', 'ephemeral-storage': '200Gi', pods: '110' }
  return {
    metadata: {
      name,
      uid: uidOf(name),
      creationTimestamp: CREATED,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
    },
    spec: {},
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: CREATED, lastTransitionTime: CREATED }],
      addresses: [{ type: 'InternalIP', address: `10.0.${index >> 8}.${index & 255}` }],
    },
  } as KubeObject
}

function setOf(set: number, plan: Plan): KubeObject {
  const replicas = Math.min(plan.podsPerSet, plan.pods - set * plan.podsPerSet)
  return {
    metadata: {
      name: setName(set),
      namespace: namespaceName(set % plan.namespaces),
      uid: uidOf(setName(set)),
      generation: 1,
      creationTimestamp: CREATED,
      labels: labelsOf(set),
    },
    spec: { replicas, selector: { matchLabels: labelsOf(set) }, template: { metadata: { labels: labelsOf(set) }, spec: podSpec(set) } },
    status: {
      replicas,
      fullyLabeledReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      terminatingReplicas: 0,
      observedGeneration: 1,
    },
  } as KubeObject
}

function labelsOf(set: number): Record<string, string> {
  return { 'app.kubernetes.io/name': `service-${set}`, 'pod-template-hash': hex(`template ${set}`).slice(0, 10) }
}

function podOf(index: number, plan: Plan): KubeObject {
  const set = Math.floor(index / plan.podsPerSet)
  const name = `${setName(set)}-${hex(`pod ${index}`).slice(0, 5)}${index % plan.podsPerSet}`
  const token = `kube-api-access-${hex(name).slice(0, 5)}`
  const ip = `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
  // every pod came up at a time of its own
  const started = new Date(Date.parse(CREATED) + index * 250).toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    metadata: {
      name,
      generateName: `${setName(set)}-`,
      namespace: namespaceName(set % plan.namespaces),
      uid: uidOf(name),
      creationTimestamp: started,
      labels: labelsOf(set),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: setName(set),
          uid: uidOf(setName(set)),
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: { ...podSpec(set, token), nodeName: nodeName(Math.floor(index / PODS_PER_NODE)) },
    status: {
      phase: 'Running',
      hostIP: '10.0.0.1',
      podIP: ip,
      podIPs: [{ ip }],
      qosClass: 'Burstable',
      startTime: started,
      conditions: ['PodScheduled', 'Initialized', 'Ready'].map((type) => ({ type, status: 'True', lastTransitionTime: started })),
      containerStatuses: [
        {
          name: 'main',
          image: imageOf(set),
          imageID: `shop/service-${set}@sha256:${hex(`image ${set}`)}`,
          containerID: `containerd://${hex(`container ${index}`)}`,
          ready: true,
          started: true,
          restartCount: 0,
          state: { running: { startedAt: started } },
        },
      ],
    },
  } as KubeObject
}

const imageOf = (set: number): string => `shop/service-${set}:1.4.2`

function podSpec(set: number, token?: string): object {
  const mounts =
    token === undefined
      ? {}
      : { volumeMounts: [{ name: token, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }] }
  return {
    containers: [
      {
        name: 'main',
        image: imageOf(set),
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: [{ name: 'LISTEN', value: ':8080' }],
        resources: { requests: { cpu: '100m', memory: '128Mi' } },
        ...mounts,
        imagePullPolicy: 'IfNotPresent',
      },
    ],
    ...(token === undefined
      ? {}
      : {
          serviceAccountName: 'default',
          serviceAccount: 'default',
          priority: 0,
          enableServiceLinks: true,
          tolerations: [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }],
          volumes: [
            {
              name: token,
              projected: {
                sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }],
                defaultMode: 420,
              },
            },
          ],
        }),
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  }
}
