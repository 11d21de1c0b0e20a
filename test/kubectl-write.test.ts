import { expect, test } from 'vitest'
import { forEachKubectl, useCluster, type Client } from './support/kubectl.ts'

/** What a user of kubectl sees: creating, changing and deleting objects; none of them runs anything. */

const cluster = useCluster()

const deployment = (name: string, extra = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  replicas: 0
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
      - {name: main, image: host, command: [sleep, '1000'], env: [{name: A, value: '1'}]}
${extra}`

const configMap = (name: string, data: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {${data}}
`

const spec = (kubectl: Client, name: string, path: string): Promise<string> => kubectl.ok(`get deploy ${name} -o jsonpath={.spec.${path}}`)

forEachKubectl(['1.35', '1.34', '1.33', '1.30'], cluster, (kubectl) => {
  test('apply creates, finds unchanged, configures; dry runs change nothing', async () => {
    kubectl().file('apply.yaml', deployment('applied'))
    await kubectl().steps(
      ['apply -f apply.yaml --dry-run=client', 'deployment.apps/applied created (dry run)'],
      ['apply -f apply.yaml --dry-run=server', 'deployment.apps/applied created (server dry run)'],
      ['get deploy applied', 'Error from server (NotFound): deployments.apps "applied" not found', 1],
      ['apply -f apply.yaml', 'deployment.apps/applied created'],
      ['apply -f apply.yaml', 'deployment.apps/applied unchanged'],
    )
    kubectl().file(
      'apply.yaml',
      deployment('applied', '      priorityClassName: system-node-critical').replace('replicas: 0', 'paused: true'),
    )
    await kubectl().steps(
      ['apply -f apply.yaml --dry-run=server -o jsonpath={.spec.paused}', 'true'],
      ['get deploy applied -o jsonpath={.spec.paused}', ''],
      ['apply -f apply.yaml', 'deployment.apps/applied configured'],
      ['get deploy applied -o jsonpath={.spec.paused}/{.spec.replicas}', 'true/1'],
      ['apply view-last-applied deploy/applied', /priorityClassName: system-node-critical/],
      ['delete -f apply.yaml', /^deployment\.apps "applied" deleted/],
    )
  })

  test('create from flags, in the client’s own encoding', async () => {
    await kubectl().steps(
      ['create configmap made --from-literal=a=1 --from-literal=b=two', 'configmap/made created'],
      ['get cm made -o jsonpath={.data}', '{"a":"1","b":"two"}'],
      ['create configmap made', /^error: failed to create configmap: configmaps "made" already exists$/, 1],
      ['create secret generic made --from-literal=p=hidden --type=example.com/kind', 'secret/made created'],
      ['get secret made -o jsonpath={.type}/{.data.p}', `example.com/kind/${Buffer.from('hidden').toString('base64')}`],
      ['create deployment made --image=host --replicas=0 --port=80 -- sleep 9', 'deployment.apps/made created'],
      ['get deploy made -o jsonpath={.spec.replicas}/{.spec.template.spec.containers[0].command}', '0/["sleep","9"]'],
      ['create job made --image=host -- true', 'job.batch/made created'],
      ['get job made -o jsonpath={.spec.template.spec.restartPolicy}/{.spec.backoffLimit}', 'Never/6'],
      ["create cronjob made --image=host --schedule='*/5 * * * *' -- true", 'cronjob.batch/made created'],
      ['get cronjob made -o jsonpath={.spec.schedule}/{.spec.concurrencyPolicy}', '*/5 * * * */Allow'],
      ['create role made --verb=get,list --resource=pods,deployments.apps', 'role.rbac.authorization.k8s.io/made created'],
      [
        'describe role made',
        /Resources +Non-Resource URLs +Resource Names +Verbs[^]*pods +\[\] +\[\] +\[get list\][^]*deployments\.apps +\[\] +\[\] +\[get list\]/,
      ],
      ['create rolebinding made --role=made --serviceaccount=default:default', 'rolebinding.rbac.authorization.k8s.io/made created'],
      ['create serviceaccount made', 'serviceaccount/made created'],
      ['create token made', /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/],
      ['create service clusterip made --tcp=80:8080', 'service/made created'],
      ['get svc made -o jsonpath={.spec.ports[0].port}/{.spec.ports[0].targetPort}/{.spec.selector}', '80/8080/{"app":"made"}'],
      ['create service nodeport np --tcp=80', 'service/np created'],
      ['get svc np', /^np +NodePort +\S+ +<none> +80:3[0-2]\d{3}\/TCP/m],
      ['create ingress made --rule=example.com/*=made:80', 'ingress.networking.k8s.io/made created'],
      ['get ingress made', /^made +<none> +example\.com +80 /m],
      ['create quota made --hard=pods=10', 'resourcequota/made created'],
      ['create poddisruptionbudget made --selector=app=made --min-available=1', 'poddisruptionbudget.policy/made created'],
      ['get pdb made', /^made +1 +N\/A +0 +\S+$/m],
      [`create namespace extra-${kubectl().namespace}`, `namespace/extra-${kubectl().namespace} created`],
      [`get cm -n extra-${kubectl().namespace} kube-root-ca.crt -o name --ignore-not-found`, /^(configmap\/kube-root-ca\.crt)?$/],
      [`delete namespace extra-${kubectl().namespace}`, `namespace "extra-${kubectl().namespace}" deleted`],
      [`get namespace extra-${kubectl().namespace} --ignore-not-found`, ''],
      ['create configmap made --from-literal=a=1 --dry-run=client -o yaml', /^apiVersion: v1\ndata:\n {2}a: "1"\nkind: ConfigMap\n/],
      ['create configmap fresh --from-literal=a=1 --dry-run=server', 'configmap/fresh created (server dry run)'],
      ['get cm fresh --ignore-not-found', ''],
    )
  })
})

// up to 1.32 kubectl posts autoscaling/v1, which is not served
forEachKubectl(['1.35', '1.34', '1.33'], cluster, (kubectl) => {
  test('autoscale', async () => {
    await kubectl().steps(
      ['create deployment scaled --image=host --replicas=0 -- sleep 9', 'deployment.apps/scaled created'],
      ['autoscale deploy scaled --min=2 --max=5 --cpu-percent=80', /horizontalpodautoscaler\.autoscaling\/scaled autoscaled/],
      ['get hpa scaled', /^scaled +Deployment\/scaled +(?:cpu: )?<unknown>\/80% +2 +5 +0 +\S+$/m],
    )
  })
})

forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
  test('apply --prune deletes what the manifests no longer have', async () => {
    kubectl().file('one.yaml', configMap('prune-one', "a: '1'").replace('{name: prune-one}', '{name: prune-one, labels: {set: p}}'))
    kubectl().file('two.yaml', configMap('prune-two', "a: '1'").replace('{name: prune-two}', '{name: prune-two, labels: {set: p}}'))
    await kubectl().steps(
      ['apply -f one.yaml -f two.yaml', 'configmap/prune-one created\nconfigmap/prune-two created'],
      [
        'apply -f one.yaml --prune -l set=p --prune-allowlist=core/v1/ConfigMap',
        /^configmap\/prune-one unchanged\nconfigmap\/prune-two pruned$/,
      ],
      ['get cm -l set=p -o name', 'configmap/prune-one'],
    )
  })

  test('diff shows what apply would change, and says so with exit code 1', async () => {
    kubectl().file('diff.yaml', configMap('compared', "a: '1'"))
    await kubectl().steps(
      ['diff -f diff.yaml', /^\+data:\n\+ {2}a: "1"$/m, 1],
      ['apply -f diff.yaml', 'configmap/compared created'],
      ['diff -f diff.yaml', ''],
    )
    kubectl().file('diff.yaml', configMap('compared', "a: '2'"))
    await kubectl().steps(['diff -f diff.yaml', /^- {2}a: "1"\n\+ {2}a: "2"$/m, 1], ['get cm compared -o jsonpath={.data.a}', '1'])
  })

  test('edit stores what the editor leaves, and nothing where it leaves everything', async () => {
    kubectl().file('edit.yaml', configMap('edited', "colour: 'blue'"))
    await kubectl().ok('create -f edit.yaml')
    const edit = (editor: string) => kubectl().run('edit cm edited', { env: { KUBE_EDITOR: editor } })
    expect(await edit('sed -i s/blue/green/')).toMatchObject({ code: 0, stdout: 'configmap/edited edited\n' })
    expect(await kubectl().ok('get cm edited -o jsonpath={.data.colour}')).toBe('green')
    expect((await edit('true')).stderr).toBe('Edit cancelled, no changes made.\n')
    const refused = await edit('sed -i s/^data:/dat:/')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('unknown field "dat"')
    await kubectl().steps(['apply edit-last-applied cm/edited', /.*/, 1])
  })

  test('patch: strategic merges lists by key, merge replaces them, json follows paths', async () => {
    kubectl().file('patch.yaml', deployment('patched'))
    await kubectl().ok('create -f patch.yaml')
    const container = (env: string): string => `{"spec":{"template":{"spec":{"containers":[{"name":"main",${env}}]}}}}`
    await kubectl().steps([`patch deploy patched -p '${container('"env":[{"name":"B","value":"2"}]')}'`, 'deployment.apps/patched patched'])
    expect(JSON.parse(await spec(kubectl(), 'patched', 'template.spec.containers[0].env'))).toEqual(
      expect.arrayContaining([
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ]),
    )
    await kubectl().steps(
      [`patch deploy patched -p '${container('"env":[{"name":"A","$patch":"delete"}]')}'`, 'deployment.apps/patched patched'],
      ['get deploy patched -o jsonpath={.spec.template.spec.containers[0].env}', '[{"name":"B","value":"2"}]'],
      [`patch deploy patched -p '${container('"env":[{"name":"B","value":"2"}]')}'`, 'deployment.apps/patched patched (no change)'],
      [`patch deploy patched --type=merge -p '${container('"image":"other"')}'`, 'deployment.apps/patched patched'],
      ['get deploy patched -o jsonpath={.spec.template.spec.containers[0].env}', ''],
      [
        `patch deploy patched --type=json -p '[{"op":"test","path":"/spec/replicas","value":0},{"op":"add","path":"/metadata/labels/x","value":"y"}]'`,
        'deployment.apps/patched patched',
      ],
      ['get deploy patched -o jsonpath={.metadata.labels.x}', 'y'],
      [
        `patch deploy patched --type=json -p '[{"op":"test","path":"/spec/replicas","value":7}]'`,
        /^The request is invalid: the server rejected our request due to an error in our request/,
        1,
      ],
      [
        `patch deploy patched -p '{"spec":{"replicas":-1}}'`,
        'The Deployment "patched" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        1,
      ],
      [
        `patch deploy patched -p '{"spec":{"selector":{"matchLabels":{"x":"y"}}}}'`,
        /The Deployment "patched" is invalid: [^]*spec\.selector: Invalid value: .*: field is immutable/,
        1,
      ],
      [`patch deploy patched --subresource=status --type=merge -p '{"status":{"replicas":0}}'`, /^deployment\.apps\/patched patched/],
    )
  })

  test('replace needs the newest version unless it is forced', async () => {
    kubectl().file('replace.yaml', configMap('replaced', "a: '1'"))
    await kubectl().ok('create -f replace.yaml')
    kubectl().file('stale.json', await kubectl().ok('get cm replaced -o json'))
    kubectl().file('replace.yaml', configMap('replaced', "a: '2'"))
    const uid = await kubectl().ok('get cm replaced -o jsonpath={.metadata.uid}')
    await kubectl().steps(
      ['replace -f replace.yaml', 'configmap/replaced replaced'],
      ['get cm replaced -o jsonpath={.data.a}/{.metadata.uid}', `2/${uid}`],
      [
        'replace -f stale.json',
        'Error from server (Conflict): error when replacing "stale.json": Operation cannot be fulfilled on configmaps "replaced": the object has been modified; please apply your changes to the latest version and try again',
        1,
      ],
      ['replace --force -f replace.yaml', /^configmap "replaced" deleted(?: from \S+ namespace)?\nconfigmap\/replaced replaced$/],
    )
    expect(await kubectl().ok('get cm replaced -o jsonpath={.metadata.uid}')).not.toBe(uid)
  })

  test('label, annotate and scale', async () => {
    kubectl().file('label.yaml', deployment('marked'))
    await kubectl().ok('create -f label.yaml')
    await kubectl().steps(
      ['label deploy marked tier=front', 'deployment.apps/marked labeled'],
      ['label deploy marked tier=back', /error: 'tier' already has a value \(front\), and --overwrite is false/, 1],
      ['label deploy marked tier=back --overwrite', 'deployment.apps/marked labeled'],
      ['get deploy -l tier=back -o name', 'deployment.apps/marked'],
      ['label deploy -l tier=back more=yes', 'deployment.apps/marked labeled'],
      ['label deploy marked tier-', 'deployment.apps/marked unlabeled'],
      ['label deploy marked tier-', /label "tier" not found\.[^]*deployment\.apps\/marked not labeled/],
      ["label deploy marked 'bad=a b'", /^error: invalid label value: "bad=a b"/, 1],
      ['annotate deploy marked note=hello', 'deployment.apps/marked annotated'],
      ['get deploy marked -o jsonpath={.metadata.annotations.note}', 'hello'],
      ['annotate deploy marked note-', 'deployment.apps/marked annotated'],
      ['get deploy marked -o jsonpath={.metadata.annotations.note}', ''],
      ['scale deploy marked --replicas=0 --current-replicas=3', 'error: Expected replicas to be 3, was 0', 1],
      [
        'get --raw /apis/apps/v1/namespaces/' + kubectl().namespace + '/deployments/marked/scale',
        /"kind":"Scale"[^]*"selector":"app=marked"/,
      ],
    )
  })

  test('refusals say what is wrong with which field', async () => {
    const refused = async (manifest: string, says: string | RegExp, line = 'create -f bad.yaml'): Promise<void> => {
      kubectl().file('bad.yaml', manifest)
      await kubectl().steps([line, says, 1])
    }
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\n'
    await refused(
      `${pod}spec: {containers: [{name: a, image: host, imagee: x}]}\n`,
      'Error from server (BadRequest): error when creating "bad.yaml": Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].imagee"',
    )
    await kubectl().steps(
      [
        'create -f bad.yaml --validate=warn --dry-run=server',
        /^(?:pod\/bad created \(server dry run\)\n)?Warning: unknown field "spec\.containers\[0\]\.imagee"/,
      ],
      ['create -f bad.yaml --validate=ignore --dry-run=server', 'pod/bad created (server dry run)'],
    )
    await refused(
      'apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: x}\n',
      'error: resource mapping not found for name: "x" namespace: "" from "bad.yaml": no matches for kind "Deploymnt" in version "apps/v1"\nensure CRDs are installed first',
      'apply -f bad.yaml',
    )
    await refused(
      `${pod}spec: {containers: [{name: X_y, image: host, ports: [{containerPort: 99999}]}]}\n`.replace('name: bad', 'name: Bad_Name'),
      /^The Pod "Bad_Name" is invalid: \n\* metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of [^]*\n\* spec\.containers\[0\]\.name: Invalid value: "X_y": a lowercase RFC 1123 label must consist of [^]*\n\* spec\.containers\[0\]\.ports\[0\]\.containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive$/,
    )
    await refused(`${pod}spec: {containers: []}\n`, 'The Pod "bad" is invalid: spec.containers: Required value')
    await refused(
      deployment('bad').replace('metadata: {labels: {app: bad}}', 'metadata: {labels: {app: other}}'),
      /^The Deployment "bad" is invalid: spec\.template\.metadata\.labels: Invalid value: .*: `selector` does not match template `labels`$/,
    )
    await refused(
      'apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {type: Foo, ports: [{port: 80}]}\n',
      'The Service "bad" is invalid: spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    )
    await refused(
      configMap('bad', 'a: 1'),
      /^Error from server \(BadRequest\): error when creating "bad\.yaml": ConfigMap in version "v1" cannot be handled as a ConfigMap: json: .*cannot unmarshal number/,
    )
    await refused(configMap('bad', 'a: [').trim(), /^error: error parsing bad\.yaml: error converting YAML to JSON: yaml: /)
    await refused(
      configMap('bad', "a: '1'").replace('{name: bad}', '{name: bad, namespace: nowhere}'),
      'Error from server (NotFound): error when creating "bad.yaml": namespaces "nowhere" not found',
    )
    await refused('apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n', /resource name may not be empty|name or generateName is required/)
    kubectl().file('made-twice.yaml', configMap('made-twice', "a: '1'"))
    await kubectl().ok('create -f made-twice.yaml')
    await kubectl().steps(
      [
        'create -f made-twice.yaml',
        'Error from server (AlreadyExists): error when creating "made-twice.yaml": configmaps "made-twice" already exists',
        1,
      ],
      [
        'delete ns kube-system --wait=false',
        /Error from server \(Forbidden\): namespaces "kube-system" is forbidden: this namespace may not be deleted/,
        1,
      ],
    )
  })

  test('a body of 5 MB is refused', async () => {
    kubectl().file(
      'big.json',
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, data: { a: 'x'.repeat(5_000_000) } }),
    )
    await kubectl().steps([
      'create -f big.json',
      'Error from server (RequestEntityTooLarge): error when creating "big.json": Request entity too large: limit is 3145728',
      1,
    ])
  })

  test('delete by file, by label, by kind; finalizers keep the object', async () => {
    for (const name of ['del-a', 'del-b', 'del-c']) kubectl().file(`${name}.yaml`, configMap(name, "a: '1'"))
    await kubectl().ok('create -f del-a.yaml -f del-b.yaml -f del-c.yaml')
    await kubectl().ok('label cm del-b del-c gone=yes')
    await kubectl().steps(
      ['delete -f del-a.yaml --dry-run=server', /^configmap "del-a" deleted.* \(server dry run\)$/],
      ['delete -f del-a.yaml', /^configmap "del-a" deleted/],
      ['delete cm -l gone=yes', /^configmap "del-b" deleted.*\nconfigmap "del-c" deleted/],
      ['delete -f del-a.yaml --ignore-not-found', ''],
      ['delete -f del-a.yaml', /^Error from server \(NotFound\): error when deleting "del-a\.yaml": configmaps "del-a" not found$/, 1],
      ['create -f del-a.yaml', 'configmap/del-a created'],
      [`patch cm del-a -p '{"metadata":{"finalizers":["example.com/hold"]}}'`, 'configmap/del-a patched'],
      ['delete cm del-a --wait=false', /^configmap "del-a" deleted/],
      ['get cm del-a -o jsonpath={.metadata.deletionGracePeriodSeconds}/{.metadata.finalizers}', '0/["example.com/hold"]'],
      ['wait --for=delete cm/del-a --timeout=1s', /^error: timed out waiting for the condition on configmaps\/del-a$/, 1],
      [`patch cm del-a --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'`, 'configmap/del-a patched'],
      ['wait --for=delete cm/del-a --timeout=5s', /^(?:configmap\/del-a condition met)?$/],
      ['get cm del-a', 'Error from server (NotFound): configmaps "del-a" not found', 1],
    )
  })
})
