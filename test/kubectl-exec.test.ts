import { request } from 'node:https'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { forEachKubectl, useCluster } from './support/kubectl.ts'

/** `kubectl exec` without a terminal: by WebSocket where kubectl knows it (1.30 and later), and by SPDY/3.1. */

const cluster = useCluster()

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: host, command: [sleep, '1000'], env: [{name: COLOUR, value: blue}]}
  - {name: side, image: host, command: [sleep, '1000'], env: [{name: COLOUR, value: red}]}
`

for (const [how, env] of [
  ['as it comes', {}],
  ['over SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }],
  ['over WebSocket', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'true' }],
] as const) {
  forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
    const exec = (words: readonly string[]): ReturnType<ReturnType<typeof kubectl>['run']> => kubectl().run(['exec', ...words], { env })

    test(`${how}: outputs are apart, and the exit code is the command's`, async () => {
      kubectl().file('box.yaml', POD)
      await kubectl().ok('apply -f box.yaml')
      await kubectl().ok('wait --for=condition=Ready pod/box --timeout=20s')
      expect(await exec(['box', '-c', 'main', '--', 'sh', '-c', 'echo "out  of $COLOUR"; echo err >&2; exit 7'])).toEqual({
        code: 7,
        stdout: 'out  of blue\n',
        stderr: 'err\ncommand terminated with exit code 7\n',
      })
      expect(await exec(['box', '-c', 'side', '--', 'printenv', 'COLOUR'])).toEqual({ code: 0, stdout: 'red\n', stderr: '' })
      expect(await exec(['box', '-c', 'main', '--', 'true'])).toEqual({ code: 0, stdout: '', stderr: '' })
    })

    test(`${how}: 60,000 bytes come whole, and more are not cut in silence`, async () => {
      const whole = await exec(['box', '-c', 'main', '--', 'sh', '-c', 'head -c 60000 /dev/zero'])
      expect([whole.code, whole.stdout.length]).toEqual([0, 60_000])
      const cut = await exec(['box', '-c', 'main', '--', 'sh', '-c', 'head -c 70000 /dev/zero'])
      expect(cut.code).toBe(1)
      expect(cut.stderr).toContain('the output may be cut: exec passes on at most 65536 bytes of each')
    })

    test(`${how}: what cannot be is said`, async () => {
      const missing = await exec(['box', '-c', 'main', '--', 'no-such-program'])
      expect(missing.stderr).toContain('no-such-program')
      // by way of a program that changes the user, or at once
      expect([1, 127]).toContain(missing.code)
      expect(await exec(['box', '-c', 'other', '--', 'true'])).toMatchObject({ code: 1, stderr: expect.stringContaining('container') })
      expect(await exec(['-i', 'box', '-c', 'main', '--', 'cat'])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('exec with standard input is not supported here: leave out -i (--stdin)'),
      })
    })
  })
}

interface Upgraded {
  readonly status: number
  readonly protocol: string | undefined
  /** What came after the 101 until the end. */
  readonly bytes: Buffer
}

async function upgrade(path: string, headers: Readonly<Record<string, string>>, credentials = true): Promise<Upgraded> {
  const { clusters, users } = JSON.parse(readFileSync(cluster().kubeconfig, 'utf8')) as {
    clusters: [{ cluster: Record<string, string> }]
    users: [{ user: Record<string, string> }]
  }
  const pem = (text = ''): Buffer => Buffer.from(text, 'base64')
  const [{ cluster: server }, { user }] = [clusters[0], users[0]]
  return await new Promise((resolve, reject) => {
    const sent = request(`${server['server']}${path}`, {
      method: 'POST',
      headers: { connection: 'Upgrade', ...headers },
      ca: pem(server['certificate-authority-data']),
      ...(credentials ? { cert: pem(user['client-certificate-data']), key: pem(user['client-key-data']) } : {}),
    })
    sent.on('response', (response) => resolve({ status: response.resume().statusCode ?? 0, protocol: undefined, bytes: Buffer.alloc(0) }))
    sent.on('upgrade', (response, socket, first) => {
      const chunks: Buffer[] = [first]
      socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
      socket.on('error', reject)
      socket.on('end', () => {
        socket.end()
        resolve({ status: 101, protocol: String(response.headers['sec-websocket-protocol']), bytes: Buffer.concat(chunks) })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

const SPDY = { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' }
const WEBSOCKET = {
  upgrade: 'websocket',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'v5.channel.k8s.io',
}

forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
  test('messages of WebSocket are channel and bytes, then the status, then the end', async () => {
    kubectl().file('wire.yaml', POD.replace('name: box', 'name: wire'))
    await kubectl().ok('apply -f wire.yaml')
    await kubectl().ok('wait --for=condition=Ready pod/wire --timeout=20s')
    const path = `/api/v1/namespaces/${kubectl().namespace}/pods/wire/exec?container=main&command=echo&command=hi&stdout=true`
    const { status, protocol, bytes } = await upgrade(path, WEBSOCKET)
    expect([status, protocol]).toEqual([101, 'v5.channel.k8s.io'])
    const success = '{"metadata":{},"status":"Success"}'
    expect(bytes.toString('latin1')).toBe(`\x82\x04\x01hi\n\x82${String.fromCharCode(success.length + 1)}\x03${success}\x88\x02\x03\xe8`)
  })
})

test('an upgrade is refused without credentials, for what is not there, and for what is not spoken', async () => {
  const path = '/api/v1/namespaces/default/pods/missing/exec?command=true&stdout=true'
  const statusOf = async (headers: Readonly<Record<string, string>>, credentials?: boolean): Promise<number> =>
    (await upgrade(path, headers, credentials)).status
  expect(await statusOf(SPDY, false)).toBe(401)
  expect(await statusOf(SPDY)).toBe(404)
  expect(await statusOf(WEBSOCKET)).toBe(404)
  expect(await statusOf({ upgrade: 'smoke-signals' })).toBe(400)
  expect(await statusOf({ ...SPDY, 'x-stream-protocol-version': 'v1.channel.k8s.io' })).toBe(403)
  expect(await statusOf({ ...WEBSOCKET, 'sec-websocket-key': '' })).toBe(400)
})
