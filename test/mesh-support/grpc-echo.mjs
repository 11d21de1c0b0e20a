// gRPC for the matrix of data planes, as a program of its own; proxyless where GRPC_XDS_BOOTSTRAP is set, else plain gRPC that sidecars carry.
//   node grpc-echo.mjs serve <port> <name>     answers its name
//   node grpc-echo.mjs call '<JSON of asks>'   asks without a pause, counts as mesh-traffic.mjs does: "<ask> <code> <answer>"
// An ask is { name, target, headers?, everyMs?, workers? }; target: host.namespace:port of a service.
import grpc from '@grpc/grpc-js'
import { setTimeout as delay } from 'node:timers/promises'

const proxyless = process.env.GRPC_XDS_BOOTSTRAP !== undefined
// xds reads its bootstrap when it is loaded
const xds = proxyless ? await import('@grpc/grpc-js-xds') : undefined
xds?.register()

const text = {
  requestSerialize: (value) => Buffer.from(value),
  requestDeserialize: String,
  responseSerialize: (value) => Buffer.from(value),
  responseDeserialize: String,
}
const service = { say: { path: '/matrix.Echo/Say', requestStream: false, responseStream: false, ...text } }
const [role, ...args] = process.argv.slice(2)

if (role === 'serve') {
  const [port, name] = args
  const plain = grpc.ServerCredentials.createInsecure()
  // connections that are being made while rules change keep the old ones in this library, for as long as they live
  const server = xds
    ? new xds.XdsServer({ 'grpc.max_connection_age_ms': 3_000, 'grpc.max_connection_age_grace_ms': 3_000 })
    : new grpc.Server()
  server.addService(service, { say: (_, done) => done(null, name) })
  const credentials = xds ? new xds.XdsServerCredentials(plain) : plain
  server.bindAsync(`${process.env.BIPLANE_POD_IP}:${port}`, credentials, (error) => {
    if (error) throw error
    console.log('serving')
  })
  process.on('SIGTERM', () => server.tryShutdown(() => process.exit(0)))
} else {
  const Client = grpc.makeGenericClientConstructor(service, 'Echo')
  const counts = {}
  let slowestMs = 0
  let lastFailure
  const once = (client, ask) =>
    new Promise((resolve) => {
      const metadata = new grpc.Metadata()
      for (const [name, value] of Object.entries(ask.headers ?? {})) metadata.set(name, value)
      client.say('x', metadata, { deadline: Date.now() + 10_000 }, (error, reply) => {
        if (error) lastFailure = `${new Date().toISOString()} ${ask.name}: ${error.code} ${error.details}`
        resolve(error ? grpc.status[error.code] : `OK ${reply}`)
      })
    })
  const work = async (ask) => {
    const plain = grpc.credentials.createInsecure()
    // a channel that has lost its connection is not to wait longer than the test does
    const options = { 'grpc.max_reconnect_backoff_ms': 500, 'grpc.initial_reconnect_backoff_ms': 100 }
    const client = xds
      ? new Client(`xds:///${ask.target}`, new xds.XdsChannelCredentials(plain), options)
      : new Client(`dns:///${ask.target}`, plain, options)
    for (;;) {
      const begin = performance.now()
      const what = `${ask.name} ${await once(client, ask)}`
      counts[what] = (counts[what] ?? 0) + 1
      slowestMs = Math.max(slowestMs, performance.now() - begin)
      await delay(ask.everyMs ?? 10)
    }
  }
  setInterval(() => console.log(JSON.stringify({ counts, slowestMs: Math.round(slowestMs), ...(lastFailure ? { lastFailure } : {}) })), 100)
  for (const ask of JSON.parse(args[0])) for (let i = 0; i < (ask.workers ?? 1); i++) void work(ask)
}
