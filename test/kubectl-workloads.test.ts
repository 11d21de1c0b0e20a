import { expect, test } from 'vitest'
import { forEachKubectl, useCluster, type Client } from './support/kubectl.ts'

/** What a user of kubectl sees: workloads that run on a node: rollouts, logs, waiting, nodes, deletion. */

const cluster = useCluster()

interface Shape {
  readonly replicas?: number
  /** A line of shell. */
  readonly script?: string
  readonly version?: string
}

const deployment = (name: string, { replicas = 1, script = 'exec sleep 1000', version = '1' }: Shape = {}): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: host, command: [sh, -c, '${script}'], env: [{name: VERSION, value: '${version}'}]}
`

async function run(kubectl: Client, name: string, shape?: Shape): Promise<void> {
  kubectl.file(`${name}.yaml`, deployment(name, shape))
  await kubectl.ok(`apply -f ${name}.yaml`)
  await kubectl.steps([`rollout status deploy/${name} --timeout=20s`, new RegExp(`deployment "${name}" successfully rolled out$`)])
}

forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
  test('rollout: status, history, undo, restart, pause, resume', async () => {
    await run(kubectl(), 'rolled', { replicas: 2 })
    await kubectl().steps(
      ['set env deploy/rolled VERSION=2', 'deployment.apps/rolled env updated'],
      ['annotate deploy/rolled kubernetes.io/change-cause=second', 'deployment.apps/rolled annotated'],
      [
        'rollout status deploy/rolled --timeout=20s',
        /(?:Waiting for deployment "rolled" rollout to finish: [^]*)?deployment "rolled" successfully rolled out$/,
      ],
      ['rollout history deploy/rolled', /^deployment\.apps\/rolled *\nREVISION +CHANGE-CAUSE\n1 +<none>\n2 +second$/],
      ['rollout history deploy/rolled --revision=1', /^deployment\.apps\/rolled with revision #1\nPod Template:\n[^]*VERSION:\t1\n/],
      ['rollout history deploy/rolled --revision=9', /^error: unable to find the specified revision$/, 1],
      ['rollout undo deploy/rolled', 'deployment.apps/rolled rolled back'],
      ['get deploy rolled -o jsonpath={.spec.template.spec.containers[0].env[0].value}', '1'],
      ['rollout status deploy/rolled --timeout=20s', /successfully rolled out$/],
      ['rollout history deploy/rolled', /^deployment\.apps\/rolled *\nREVISION +CHANGE-CAUSE\n2 +second\n3 +<none>$/],
      ['rollout undo deploy/rolled --to-revision=2', 'deployment.apps/rolled rolled back'],
      ['rollout status deploy/rolled --timeout=20s', /successfully rolled out$/],
      ['get deploy rolled -o jsonpath={.spec.template.spec.containers[0].env[0].value}', '2'],
      ['rollout undo deploy/rolled --to-revision=77', 'error: unable to find specified revision 77 in history', 1],
      ['rollout restart deploy/rolled', 'deployment.apps/rolled restarted'],
      ['rollout status deploy/rolled --timeout=20s', /successfully rolled out$/],
      ['get pods -l app=rolled -o jsonpath={.items[*].metadata.annotations}', /kubectl\.kubernetes\.io\/restartedAt/],
      ['rollout pause deploy/rolled', 'deployment.apps/rolled paused'],
      ['rollout pause deploy/rolled', 'error: deployments.apps "rolled" is already paused', 1],
      ['rollout restart deploy/rolled', /can't restart paused deployment/, 1],
      ['set env deploy/rolled VERSION=5', 'deployment.apps/rolled env updated'],
      [
        'rollout status deploy/rolled --timeout=1s',
        /Waiting for deployment "rolled" rollout to finish: 0 out of 2 new replicas have been updated/,
        1,
      ],
      ['rollout resume deploy/rolled', 'deployment.apps/rolled resumed'],
      ['rollout status deploy/rolled --timeout=20s', /successfully rolled out$/],
      ['get rs -l app=rolled --no-headers', /^(?:rolled-\w+ +(?:0 +0 +0|2 +2 +2) +\S+\s*)+$/],
    )
  })

  test('get --raw reads what a node says of itself', async () => {
    await kubectl().steps(
      ['get --raw /api/v1/nodes/node-1/proxy/healthz', 'ok'],
      ['get --raw /api/v1/nodes/node-1/proxy/metrics', /^# HELP [^]*\n# TYPE /],
      ['get --raw /api/v1/nodes/node-1/proxy/peers', /"routerProblem":"this node has no router"/],
      ['get --raw /api/v1/nodes/node-1/proxy/nothing', /the node has no path \/nothing; it has [^]*\/healthz/, 1],
      ['get --raw /api/v1/nodes/nope/proxy/metrics', /nodes "nope" not found/, 1],
    )
  })

  test('set image, env and resources change the pod template; scale changes the pods', async () => {
    await run(kubectl(), 'changed')
    await kubectl().steps(
      [
        'set resources deploy/changed -c main --requests=cpu=10m,memory=16Mi --limits=memory=64Mi',
        'deployment.apps/changed resource requirements updated',
      ],
      [
        'get deploy changed -o jsonpath={.spec.template.spec.containers[0].resources}',
        '{"limits":{"memory":"64Mi"},"requests":{"cpu":"10m","memory":"16Mi"}}',
      ],
      ['set env deploy/changed --list', /VERSION=1/],
      ['set env deploy/changed VERSION-', 'deployment.apps/changed env updated'],
      ['scale deploy changed --replicas=3 --current-replicas=1', 'deployment.apps/changed scaled'],
      ['rollout status deploy/changed --timeout=20s', /successfully rolled out$/],
      ['get deploy changed', /^changed +3\/3 +3 +3 +\S+$/m],
      ['scale deploy changed --replicas=0', 'deployment.apps/changed scaled'],
      ['wait --for=delete pod -l app=changed --timeout=15s', /^(?:pod\/changed-\S+ condition met\s*)*$/],
      ['set image deploy/changed main=no/such:1', 'deployment.apps/changed image updated'],
      ['scale --replicas=1 -f changed.yaml', 'deployment.apps/changed scaled'],
      [
        "wait pod -l app=changed --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=ImageNotRunnableAsProcess --timeout=15s",
        /condition met$/,
      ],
      ['get pods -l app=changed', /0\/1 +ImageNotRunnableAsProcess +0 /],
      ['set image deploy/changed wrong=x', /error: unable to find container named "wrong"/, 1],
    )
  })

  test('logs: tail, since, timestamps, selectors, containers, follow, previous', async () => {
    kubectl().file('chatty.yaml', CHATTY)
    await kubectl().ok('create -f chatty.yaml')
    await kubectl().steps(
      ['wait pod chatty --for=condition=Ready --timeout=15s', 'pod/chatty condition met'],
      ['wait pod chatty --for=jsonpath={.status.containerStatuses[0].restartCount}=1 --timeout=15s', 'pod/chatty condition met'],
      ['wait pod chatty --for=condition=Ready --timeout=15s', 'pod/chatty condition met'],
      ['logs chatty -c other', 'one\ntwo\nthree'],
      ['logs chatty -c other --tail=1', 'three'],
      ['logs chatty -c other --tail=0', ''],
      ['logs chatty -c other --since=1h --timestamps', /^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \w+\s?){3}$/],
      ['logs chatty -c other --since-time=2999-01-01T00:00:00Z', ''],
      ['logs chatty -c other --limit-bytes=4', 'one'],
      [
        'logs chatty',
        /^(?:Defaulted container "first" out of: first, other\n)?start 2[^]*$|start 2[^]*Defaulted container "first" out of: first, other/,
      ],
      ['logs chatty -c first --previous', 'start 1'],
      ['logs chatty --all-containers', /^(?=[^]*start 2\n)(?=[^]*one\ntwo\nthree(?:\n|$))/],
      ['logs -l app=chatty -c other --prefix', /^\[pod\/chatty\/other\] one\n\[pod\/chatty\/other\] two\n\[pod\/chatty\/other\] three$/],
      ['logs chatty -c nope', /^error: container nope is not valid for pod chatty/, 1],
    )
    const following = kubectl().follow('logs -f chatty -c first')
    await following.until(/start 2\n(?:tick\n){3,}/)
    await following.stop()
    await kubectl().steps(
      ['get pod chatty', /^chatty +2\/2 +Running +1 \(\S+ ago\) +\S+$/m],
      ['describe pod chatty', /Last State: +Terminated\n +Reason: +Error\n +Exit Code: +3\n[^]*Restart Count: +1/],
      [
        'delete pod chatty --grace-period=0 --force',
        /^Warning: Immediate deletion does not wait[^]*pod "chatty" force deleted|pod "chatty" force deleted[^]*Warning: Immediate deletion/,
      ],
    )
  })

  test('a pod with a missing config map waits with its reason and starts once it is there', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'needy' },
      spec: { containers: [{ name: 'main', image: 'host', command: ['sleep', '1000'], envFrom: [{ configMapRef: { name: 'later' } }] }] },
    }
    await kubectl().ok('create -f -', { input: JSON.stringify(pod) })
    await kubectl().steps(
      [
        "wait pod needy --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=CreateContainerConfigError --timeout=15s",
        'pod/needy condition met',
      ],
      ['create configmap later --from-literal=A=1', 'configmap/later created'],
      ['wait pod needy --for=condition=Ready --timeout=15s', 'pod/needy condition met'],
      ['events --for pod/needy --types=Warning', /Warning +Failed +Pod\/needy +Error: configmap "later" not found/],
      ['delete pod needy --now', /^pod "needy" deleted/],
    )
  })

  test('run makes a pod; wait sees conditions, fields and deletion', async () => {
    await kubectl().steps(
      ["run once --image=host --restart=Never --command -- sh -c 'echo done; exit 0'", 'pod/once created'],
      ['wait pod once --for=jsonpath={.status.phase}=Succeeded --timeout=15s', 'pod/once condition met'],
      ['get pod once', /^once +0\/1 +Completed +0 +\S+$/m],
      ['logs once', 'done'],
      ["run broken --image=host --restart=Never --command -- sh -c 'exit 3'", 'pod/broken created'],
      ['wait pod broken --for=jsonpath={.status.phase}=Failed --timeout=15s', 'pod/broken condition met'],
      ['get pod broken', /^broken +0\/1 +Error +0 +\S+$/m],
      ['wait pod once --for=condition=Ready --timeout=1s', 'error: timed out waiting for the condition on pods/once', 1],
      ['wait pod nope --for=condition=Ready --timeout=1s', 'Error from server (NotFound): pods "nope" not found', 1],
      ['delete pod once broken', /^pod "once" deleted.*\npod "broken" deleted/],
    )
    const waiting = kubectl().follow('wait --for=create pod/born --timeout=15s')
    await kubectl().ok('run born --image=host --restart=Never --command -- true')
    // older clients do not know this condition
    await waiting.until(/pod\/born condition met|unrecognized condition/)
    await waiting.stop()
  })

  test('expose makes a service of a deployment; it answers', async () => {
    const script = String.raw`exec node -e "require(\"http\").createServer((q,s)=>s.end(\"hello\")).listen(8080,process.env.POD_IP)"`
    kubectl().file(
      'hello.yaml',
      deployment('hello', { script }).replace(
        "{name: VERSION, value: '1'}",
        '{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}',
      ),
    )
    await kubectl().ok('apply -f hello.yaml')
    await kubectl().steps(
      ['rollout status deploy/hello --timeout=20s', /successfully rolled out$/],
      ['expose deploy hello --port=80 --target-port=8080 --name=front', 'service/front exposed'],
      ['expose deploy hello --port=80', 'service/hello exposed'],
      ['get svc front -o jsonpath={.spec.selector}', '{"app":"hello"}'],
      [
        "wait endpointslice -l kubernetes.io/service-name=front --for=jsonpath='{.endpoints[0].conditions.ready}'=true --timeout=15s",
        /condition met$/,
      ],
    )
    const ip = await kubectl().ok('get svc front -o jsonpath={.spec.clusterIP}')
    expect(await answerOf(`http://${ip}/`)).toBe('hello')
  })

  test('delete: background takes the pods too, orphan leaves them, foreground waits for them', async () => {
    for (const name of ['bg', 'orphan', 'fg']) await run(kubectl(), name)
    await kubectl().steps(
      ['delete deploy bg', /^deployment\.apps "bg" deleted/],
      ['wait --for=delete rs,pod -l app=bg --timeout=15s', /^(?:\S+ condition met\s*)*$/],
      ['get rs,pod -l app=bg', /^No resources found/],
      ['delete deploy orphan --cascade=orphan', /^deployment\.apps "orphan" deleted/],
      ['get rs -l app=orphan', /^orphan-\w+ +1 +1 +1 /m],
      ['get rs -l app=orphan -o jsonpath={.items[0].metadata.ownerReferences}', ''],
      ['delete rs -l app=orphan', /^replicaset\.apps "orphan-\w+" deleted/],
      ['delete deploy fg --cascade=foreground --timeout=20s', /^deployment\.apps "fg" deleted/],
      ['get rs -l app=fg', /^No resources found/],
    )
  })

  test('delete namespace takes everything in it', async () => {
    const name = `doomed-${kubectl().namespace}`
    kubectl().file('doomed.yaml', deployment('inside'))
    await kubectl().steps(
      [`create namespace ${name}`, `namespace/${name} created`],
      [`apply -f doomed.yaml -n ${name}`, 'deployment.apps/inside created'],
      [`rollout status deploy/inside -n ${name} --timeout=20s`, /successfully rolled out$/],
      [`delete namespace ${name} --timeout=25s`, `namespace "${name}" deleted`],
      [`get all -n ${name}`, `No resources found in ${name} namespace.`],
      [`create configmap x -n ${name}`, /namespaces "\S+" not found/, 1],
    )
  })

  test('a deleted pod is seen Terminating, then gone, and is replaced', async () => {
    await run(kubectl(), 'healed', { script: 'trap "" TERM; while :; do sleep 0.1; done' })
    const old = (await kubectl().ok('get pods -l app=healed -o name')).trim()
    const watch = kubectl().follow('get pods -l app=healed -w --output-watch-events')
    await watch.until(/ADDED +healed/)
    await kubectl().ok(`delete ${old} --wait=false`)
    await watch.until(new RegExp(`MODIFIED +${old.slice(4)} +1/1 +Terminating[^]*DELETED +${old.slice(4)} `))
    await watch.until(/ADDED[^]*MODIFIED +healed-\S+ +1\/1 +Running/)
    await watch.stop()
    expect(watch.text.split('\n').filter((line) => line.includes(old.slice(4)) && line.includes('ContainerCreating'))).toEqual([])
    await kubectl().ok('delete deploy healed')
  })

  test('cordon, taint, drain and uncordon of the node', async () => {
    // drain looks into all namespaces
    const name = `drained-${kubectl().namespace}`
    const pod = String.raw`${name}-\w+-\w+`
    const scheduled = String.raw`{.status.conditions[?(@.type=="PodScheduled")].reason}`
    await run(kubectl(), name)
    try {
      await kubectl().steps(
        ['taint node node-1 k=v:NoSchedule', 'node/node-1 tainted'],
        [
          'taint node node-1 k=v:NoSchedule',
          /error: node node-1 already has k taint\(s\) with same effect\(s\) and --overwrite is false/,
          1,
        ],
        ['describe node node-1', /^Taints: +k=v:NoSchedule$/m],
        [`scale deploy ${name} --replicas=2`, `deployment.apps/${name} scaled`],
        [
          `wait pod -l app=${name} --field-selector status.phase=Pending --for=jsonpath='${scheduled}'=Unschedulable --timeout=10s`,
          new RegExp(`^pod/${pod} condition met$`),
        ],
        [
          'events --types=Warning',
          new RegExp(`Warning +FailedScheduling +Pod/${pod} +0/1 nodes are available: 1 node\\(s\\) had untolerated taint`),
        ],
        ['taint node node-1 k-', 'node/node-1 untainted'],
        [`rollout status deploy/${name} --timeout=20s`, /successfully rolled out$/],
        ['cordon node-1', 'node/node-1 cordoned'],
        ['cordon node-1', 'node/node-1 already cordoned'],
        ['get node node-1', /^node-1 +Ready,SchedulingDisabled +<none> /m],
        [
          `drain node-1 --pod-selector=app=${name} --timeout=25s`,
          new RegExp(`^node/node-1 already cordoned\\n[^]*evicting pod v1-\\d+/${pod}\\n[^]*pod/${pod} evicted\\n[^]*node/node-1 drained$`),
        ],
        [`get pods -l app=${name} --no-headers`, new RegExp(`^(?:${pod} +0/1 +Pending +0 .*\\s*){2}$`)],
        ['uncordon node-1', 'node/node-1 uncordoned'],
        [`rollout status deploy/${name} --timeout=20s`, /successfully rolled out$/],
      )
    } finally {
      // whatever went wrong: the next version needs the node
      await kubectl().run('uncordon node-1')
      await kubectl().run('taint node node-1 k-')
    }
  })
})

const CHATTY = `
apiVersion: v1
kind: Pod
metadata: {name: chatty, labels: {app: chatty}}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: state, emptyDir: {}}]
  containers:
  - name: first
    image: host
    volumeMounts: [{name: state, mountPath: /state}]
    command:
    - sh
    - -c
    - 'if [ ! -e /state/ran ]; then touch /state/ran; echo start 1; exit 3; fi; echo start 2; while :; do sleep 0.2; echo tick; done'
  - name: other
    image: host
    command: [sh, -c, 'echo one; echo two; echo three; exec sleep 1000']
`

/** Body of a GET, tried for 10 s: the proxy of the node opens a service's address a moment after the object is there. */
async function answerOf(url: string): Promise<string> {
  let last: unknown
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text()
    } catch (error) {
      last = error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`${url} does not answer`, { cause: last })
}
