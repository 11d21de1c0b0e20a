import { beforeAll, describe, expect, test } from 'vitest'
import { forEachKubectl, useCluster, type Client, type Step } from './support/kubectl.ts'

/** What a user of kubectl sees: reading. Writing is in kubectl-write.test.ts, running workloads in kubectl-workloads.test.ts. */

const cluster = useCluster()

const OBJECTS = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {tier: back}}
data: {colour: blue, size: '7'}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: swordfish}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: host
        command: [sh, -c, 'echo started; exec sleep 1000']
        ports: [{containerPort: 8080, name: http}]
        env:
        - {name: GREETING, value: hello}
        - {name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}
        volumeMounts: [{name: settings, mountPath: /etc/settings}]
      volumes: [{name: settings, configMap: {name: settings}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`

const POD = String.raw`web-[0-9a-f]{6,10}-[a-z0-9]{5}`
const AGE = String.raw`\d+s`
const row = (...cells: string[]): RegExp => new RegExp(`^${cells.join(' +')}\\s*$`, 'm')

const GET: readonly Step[] = [
  ['get deploy', new RegExp(`^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\\nweb +2/2 +2 +2 +${AGE}$`)],
  ['get deploy web -o wide', row('web', '2/2', '2', '2', AGE, 'main', 'host', 'app=web')],
  ['get rs', new RegExp(`^NAME +DESIRED +CURRENT +READY +AGE\\nweb-[0-9a-f]+ +2 +2 +2 +${AGE}$`)],
  ['get pods', new RegExp(`^NAME +READY +STATUS +RESTARTS +AGE\\n(?:${POD} +1/1 +Running +0 +${AGE}\\s*){2}$`)],
  ['get pods -o wide', row(POD, '1/1', 'Running', '0', AGE, String.raw`127\.64\.\d+\.\d+`, 'node-1', '<none>', '<none>')],
  [
    'get svc web',
    new RegExp(`^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\\(S\\) +AGE\\nweb +ClusterIP +127\\.96\\.\\d+\\.\\d+ +<none> +80/TCP +${AGE}$`),
  ],
  ['get svc -o wide', row('web', 'ClusterIP', String.raw`\S+`, '<none>', '80/TCP', AGE, 'app=web')],
  ['get endpointslices', /^NAME +ADDRESSTYPE +PORTS +ENDPOINTS +AGE\nweb-\w{5} +IPv4 +8080 +127\.64\.\d+\.\d+,127\.64\.\d+\.\d+ +\d+s$/],
  ['get cm settings', new RegExp(`^NAME +DATA +AGE\\nsettings +2 +${AGE}$`)],
  ['get secret hidden', new RegExp(`^NAME +TYPE +DATA +AGE\\nhidden +Opaque +1 +${AGE}$`)],
  ['get sa default', row('default', '0', AGE)],
  ['get nodes', row('node-1', 'Ready', '<none>', String.raw`\S+`, String.raw`v1\.\d+\.\S+`)],
  [
    'get nodes -o wide',
    row(
      'node-1',
      'Ready',
      '<none>',
      String.raw`\S+`,
      String.raw`v1\.\S+`,
      String.raw`127\.0\.0\.1`,
      '<none>',
      '.*',
      String.raw`process://\S+`,
    ),
  ],
  ['get ns default', /^NAME +STATUS +AGE\ndefault +Active +\S+$/],
  ['get pods --no-headers -l app=web', new RegExp(`^(?:${POD} +1/1 +Running +0 +${AGE}\\s*){2}$`)],
  ['get pods -l app!=web', /^No resources found in v1-\d+ namespace\.$/],
  ["get cm -l 'tier in (front,back)' -o name", 'configmap/settings'],
  ['get cm -l tier -o name', 'configmap/settings'],
  ['get cm --field-selector metadata.name=settings -o name', 'configmap/settings'],
  ['get pods --field-selector status.phase=Running,spec.nodeName=node-1 -o name', new RegExp(`^(?:pod/${POD}\\s*){2}$`)],
  ['get pods --field-selector status.phase!=Running -o name', ''],
  ['get pods --field-selector status.foo=x', /field label not supported: status\.foo/, 1],
  ["get pods -l 'a=='", /^No resources found/],
  ["get pods -l 'a=b=c'", /unable to parse requirement|found '=', expected/, 1],
  ['get pods --show-labels', row(POD, '1/1', 'Running', '0', AGE, String.raw`app=web,pod-template-hash=\w+`)],
  ['get deploy -L app', row('web', '2/2', '2', '2', AGE, 'web')],
  ['get cm settings -o jsonpath={.data.colour}', 'blue'],
  ['get pods -o jsonpath=\'{range .items[*]}{.spec.containers[0].name}{"\\n"}{end}\'', 'main\nmain'],
  [
    'get cm settings -o custom-columns=NAME:.metadata.name,COLOUR:.data.colour,NONE:.data.no',
    /^NAME +COLOUR +NONE\nsettings +blue +<none>$/,
  ],
  ["get cm settings -o go-template='{{.data.size}}'", '7'],
  ['get cm --sort-by=.metadata.name -o name', 'configmap/kube-root-ca.crt\nconfigmap/settings'],
  ['get cm --chunk-size=1 -o name', 'configmap/kube-root-ca.crt\nconfigmap/settings'],
  ['get cm/settings secret/hidden -o name', 'configmap/settings\nsecret/hidden'],
  ['get deploy,svc -o name', 'deployment.apps/web\nservice/web'],
  ['get pod nope --ignore-not-found', ''],
  ['get pods -A', new RegExp(`^NAMESPACE +NAME[^]*^v1-\\d+ +${POD} +1/1 +Running`, 'm')],
  ['get all', new RegExp(`pod/${POD}[^]*service/web[^]*deployment\\.apps/web[^]*replicaset\\.apps/web-`)],
  ['get -f objects.yaml -o name', 'configmap/settings\nsecret/hidden\ndeployment.apps/web\nservice/web'],
  ['get --raw /livez', 'ok'],
  ['get --raw /readyz?verbose', /^\[\+\]ping ok\n[^]*readyz check passed$/],
  ['get --raw /api/v1/namespaces/default/services/kubernetes', /"clusterIP":"127\.96\.0\.1"/],
]

const DESCRIBE: readonly Step[] = [
  [
    'describe deploy web',
    /^Name: +web\nNamespace: +v1-\d+[^]*\nSelector: +app=web\nReplicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable\nStrategyType: +RollingUpdate[^]*RollingUpdateStrategy: +25% max unavailable, 25% max surge[^]*NewReplicaSet: +web-\w+ \(2\/2 replicas created\)\nEvents:[^]*Normal +ScalingReplicaSet .*Scaled up replica set web-\w+ from 0 to 2$/,
  ],
  [
    'describe pod -l app=web',
    /^Name: +web-[^]*\nNode: +node-1\/127\.0\.0\.1[^]*\nStatus: +Running\nIP: +127\.64\.[^]*\nControlled By: +ReplicaSet\/web-[^]*State: +Running[^]*Restart Count: +0\n +Environment:\n +GREETING: +hello\n +COLOUR: +<set to the key 'colour' of config map 'settings'> +Optional: false\n +Mounts:\n +\/etc\/settings from settings[^]*QoS Class: +BestEffort[^]*Normal +Scheduled +\S+ +default-scheduler +Successfully assigned v1-\d+\/web-\S+ to node-1\n +Normal +Created [^]*\n +Normal +Started /,
  ],
  [
    'describe svc web',
    /^Name: +web\n[^]*\nType: +ClusterIP\n[^]*\nIP: +127\.96\.\d+\.\d+\n[^]*\nPort: +<unset> +80\/TCP\nTargetPort: +http\/TCP\nEndpoints: +127\.64\.\d+\.\d+:8080,127\.64\.\d+\.\d+:8080\n/,
  ],
  [
    'describe cm settings',
    /^Name: +settings\n[^]*Labels: +tier=back\n(?=[^]*\ncolour:\n----\nblue\n)(?=[^]*\nsize:\n----\n7\n)[^]*Data\n====\n/,
  ],
  ['describe secret hidden', /^Name: +hidden[^]*Type: +Opaque\n\nData\n====\npassword: +9 bytes$/],
  [
    'describe node node-1',
    /^Name: +node-1\n[^]*kubernetes\.io\/hostname=node-1[^]*HolderIdentity: +node-1[^]*\n +Ready +True .*KubeletReady[^]*Capacity:\n +cpu: +\d+[^]*Non-terminated Pods: [^]*web-\S+ +0 \(0%\)/,
  ],
  ['describe ns default', /^Name: +default\nLabels: +kubernetes\.io\/metadata\.name=default\nAnnotations: +<none>\nStatus: +Active\n/],
  ['describe endpointslice', /AddressType: +IPv4[^]*TargetRef: +Pod\/web-/],
  [
    'describe rs',
    /Controlled By: +Deployment\/web\nReplicas: +2 current \/ 2 desired\nPods Status: +2 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed/,
  ],
]

const EXPLAIN: readonly Step[] = [
  ['explain pod', /^KIND: +Pod\nVERSION: +v1\n\nDESCRIPTION:\n +Pod is a collection of containers[^]*\n {2}spec\t<PodSpec>\n/],
  ['explain deploy.spec.replicas', /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: replicas <integer>/],
  ['explain pod.spec.containers.ports', /FIELD: ports <\[\]ContainerPort>[^]*containerPort\t<integer> -required-/],
  ['explain svc.spec.type', /FIELD: type <string>\nENUM:\n[^]*ClusterIP/],
  [
    'explain deploy --recursive',
    /\n {2}spec\t<DeploymentSpec>\n[^]*\n {4}template\t<PodTemplateSpec> -required-\n[^]*\n {8}containers\t<\[\]Container> -required-\n/,
  ],
  ['explain deploy.spec.foo', /error: field "foo" does not exist/, 1],
  ['explain foo', /the server doesn't have a resource type "foo"/, 1],
]

const ABOUT: readonly Step[] = [
  ['version', /^Client Version: v1\.\d+\.\d+\n[^]*Server Version: v1\.\d+\.\d+/],
  ['api-versions', /^apiextensions\.k8s\.io\/v1\napps\/v1\n[^]*\nbatch\/v1\n[^]*\nv1$/],
  [
    'api-resources',
    /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND\n[^]*^pods +po +v1 +true +Pod$[^]*^deployments +deploy +apps\/v1 +true +Deployment$/m,
  ],
  [
    'api-resources --api-group=apps -o name --sort-by=name',
    'controllerrevisions.apps\ndaemonsets.apps\ndeployments.apps\nreplicasets.apps\nstatefulsets.apps',
  ],
  ['api-resources --namespaced=false -o wide', /^nodes +no +v1 +false +Node +create,delete,deletecollection,get,list,patch,update,watch/m],
  ['cluster-info', /Kubernetes control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/],
  ['config view --minify -o jsonpath={.users[0].name}', 'biplane-admin'],
  ['auth can-i create pods', 'yes'],
  ['auth can-i list secrets -A', /^(?:Warning: .*\n)?yes$/],
  ['auth can-i create pods --as=nobody', /^no/, 1],
  ['auth can-i --list --as=nobody', /Resources +Non-Resource URLs +Resource Names +Verbs/],
  ['auth whoami', /Username +biplane-admin\nGroups +\[system:masters system:authenticated\]/],
  [
    'get pods --as=nobody',
    /^Error from server \(Forbidden\): pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "v1-\d+"$/,
    1,
  ],
]

const EVENTS: readonly Step[] = [
  [
    'get events --field-selector involvedObject.kind=Deployment',
    /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +ScalingReplicaSet +deployment\/web +Scaled up replica set web-\w+ from 0 to 2$/,
  ],
  [
    'events --for deploy/web',
    /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +ScalingReplicaSet +Deployment\/web +Scaled up replica set web-\w+ from 0 to 2$/,
  ],
  ['events --types=Warning', /^No events found in v1-\d+ namespace\.$/],
  ['get events --sort-by=.metadata.creationTimestamp', /Normal +Scheduled +pod\/web-/],
]

const ERRORS: readonly Step[] = [
  ['get pod nope', 'Error from server (NotFound): pods "nope" not found', 1],
  ['get deploy nope', 'Error from server (NotFound): deployments.apps "nope" not found', 1],
  ['get foo', 'error: the server doesn\'t have a resource type "foo"', 1],
  ['get deploy/web pod/nope', /^NAME[^]*web[^]*Error from server \(NotFound\): pods "nope" not found$/, 1],
  ['describe pod nope', 'Error from server (NotFound): pods "nope" not found', 1],
  ['get --raw /api/v1/nothing', 'Error from server (NotFound): the server could not find the requested resource', 1],
  ['logs nope', /error from server \(NotFound\): pods "nope" not found/i, 1],
]

/** They only read: several at a time. */
function testEach(steps: readonly Step[], kubectl: () => Client): void {
  for (const step of steps) test.concurrent(step[0], () => kubectl().steps(step))
}

async function makeObjects(kubectl: Client): Promise<void> {
  kubectl.file('objects.yaml', OBJECTS)
  await kubectl.steps([
    'apply -f objects.yaml',
    'configmap/settings created\nsecret/hidden created\ndeployment.apps/web created\nservice/web created',
  ])
  await kubectl.steps(['rollout status deploy/web --timeout=20s', /deployment "web" successfully rolled out$/])
}

forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
  beforeAll(() => makeObjects(kubectl()))
  describe.each([
    ['about the server', ABOUT],
    ['get', GET],
    ['describe', DESCRIBE],
    ['explain', EXPLAIN],
    ['events', EVENTS],
    ['errors', ERRORS],
  ])('%s', (_, steps) => {
    testEach(steps, kubectl)
  })

  test('get -o json and -o yaml show the stored object with its defaults', async () => {
    const deployment = await kubectl().json<{ spec: Record<string, unknown> }>('get deploy web')
    expect(deployment.spec).toMatchObject({ replicas: 2, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 })
    expect(await kubectl().ok('get cm settings -o yaml')).toMatch(
      /^apiVersion: v1\ndata:\n {2}colour: blue\n {2}size: "7"\nkind: ConfigMap\nmetadata:\n[^]* {2}name: settings\n/,
    )
    expect(await kubectl().ok('get pods -o yaml')).toMatch(/^apiVersion: v1\nitems:\n- apiVersion: v1\n {2}kind: Pod\n[^]*\nkind: List\n/)
  })

  test('get --watch shows changes as they come, as tables and as objects', async () => {
    await kubectl().ok('create -f -', { input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"seen"},"data":{"a":"1"}}' })
    const table = kubectl().follow('get cm seen -w --output-watch-events')
    const objects = kubectl().follow(`get cm -w --field-selector metadata.name=seen -o jsonpath='{.data.a};'`)
    const selected = kubectl().follow('get cm -l watched=yes --watch-only --no-headers --output-watch-events')
    await table.until(/EVENT +NAME +DATA +AGE\nADDED +seen +1 +\S+\n/)
    await objects.until(/^1;$/)
    await kubectl().ok(`patch cm seen -p '{"data":{"a":"2","b":"x"},"metadata":{"labels":{"watched":"yes"}}}'`)
    await table.until(/^MODIFIED +seen +2 /m)
    await objects.until(/^1;2;$/)
    await selected.until(/^ADDED +seen +2 /m)
    await kubectl().ok('label cm seen watched-')
    await selected.until(/^DELETED +seen +2 /m)
    await kubectl().ok('delete cm seen')
    await table.until(/^DELETED +seen +2 /m)
    await Promise.all([table.stop(), objects.stop(), selected.stop()])
  })
})

forEachKubectl(['1.34', '1.33'], cluster, (kubectl) => {
  beforeAll(() => makeObjects(kubectl()))
  const some = (steps: readonly Step[], ...lines: string[]): readonly Step[] => {
    const chosen = steps.filter(([line]) => lines.includes(line))
    if (chosen.length !== lines.length) throw new Error(`not all of ${lines.join(', ')} are there`)
    return chosen
  }
  const steps = [
    ...some(ABOUT, 'version', 'api-resources', 'auth can-i create pods', 'auth whoami'),
    ...some(GET, 'get deploy', 'get pods', 'get pods -o wide', 'get svc web', 'get cm settings -o jsonpath={.data.colour}', 'get all'),
    ...some(DESCRIBE, 'describe deploy web', 'describe pod -l app=web', 'describe svc web', 'describe node node-1'),
    ...some(EXPLAIN, 'explain deploy.spec.replicas', 'explain deploy.spec.foo'),
    ...some(ERRORS, 'get pod nope', 'get foo'),
  ]
  testEach(steps, kubectl)
})
