// A proxyless gRPC client or server of Node in a process of its own: gRPC reads its bootstrap once, when it is loaded.
// Usage: node grpc-peer.mjs server <port> | client <target>; lines of JSON on stdin (client: {"calls": n}) and stdout.
import grpc from '@grpc/grpc-js'
import { createInterface } from 'node:readline'
import * as xds from '@grpc/grpc-js-xds'

xds.register()
const text = {
  requestSerialize: (value) => Buffer.from(value),
  requestDeserialize: String,
  responseSerialize: (value) => Buffer.from(value),
  responseDeserialize: String,
}
const service = { say: { path: '/demo.Echo/Say', requestStream: false, responseStream: false, ...text } }
const [role, where] = process.argv.slice(2)
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

if (role === 'server') {
  const server = new xds.XdsServer()
  server.addService(service, { say: (call, done) => done(null, `${process.env.NAME} ${call.request}`) })
  server.bindAsync(`127.0.0.1:${where}`, new xds.XdsServerCredentials(grpc.ServerCredentials.createInsecure()), (error) =>
    say(error ? { error: error.message } : { ready: true }),
  )
} else {
  const Client = grpc.makeGenericClientConstructor(service, 'Echo')
  const client = new Client(`xds:///${where}`, new xds.XdsChannelCredentials(grpc.credentials.createInsecure()))
  const call = () =>
    new Promise((resolve) =>
      client.say('x', { deadline: Date.now() + 8000 }, (error, reply) => resolve(error ? `ERROR ${error.code} ${error.details}` : reply)),
    )
  say({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const { calls } = JSON.parse(line)
    const replies = {}
    for (let index = 0; index < calls; index += 1) {
      const reply = await call()
      replies[reply] = (replies[reply] ?? 0) + 1
    }
    say({ replies })
  }
}
